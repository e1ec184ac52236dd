/** openssl and keytool open what is written. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { Bytes } from '../../../src/core/bytes.ts'
import { exportPkcs8, exportPrivateKeyPem, type KeySpec } from '../../../src/pki/keys.ts'
import { formatPem } from '../../../src/pki/pem.ts'
import { buildPkcs12 } from '../../../src/pki/pkcs12.ts'
import { openssl, runIn } from '../../support/openssl.ts'
import { type TestAuthority, testIntermediate, testLeaf, testRoot } from '../../support/pki-hierarchy.ts'

const PASSPHRASE = 'correct horse, "battery" \\ $taple'

describe.each<[string, KeySpec]>([
  ['RSA', { type: 'rsa', size: 2048 }],
  ['P-256', { type: 'ec', size: 256 }],
  ['Ed25519', { type: 'ed25519' }],
])('PKCS#12 with %s', (_, spec) => {
  let issuing: TestAuthority
  let keyPem: string
  let leafPem: string
  let file: Bytes
  beforeAll(async () => {
    issuing = await testIntermediate(await testRoot(spec), spec)
    const leaf = await testLeaf(issuing, spec)
    keyPem = await exportPrivateKeyPem(leaf.keyPair.privateKey, 'pkcs8')
    leafPem = formatPem('CERTIFICATE', leaf.certificate.der)
    const built = await buildPkcs12({
      privateKeyPkcs8Der: await exportPkcs8(leaf.keyPair.privateKey),
      certificateDers: [leaf.certificate.der, issuing.certificate.der],
      passphrase: PASSPHRASE,
      friendlyName: 'www.example.com',
    })
    file = built.ok ? built.value : new Uint8Array(0)
  })
  const open = (passphrase: string, ...args: string[]) =>
    openssl(['pkcs12', '-in', 'file.p12', '-passin', `pass:${passphrase}`, ...args], { 'file.p12': file })

  it('ok: openssl takes out the key, the leaf and the chain', async () => {
    const key = await open(PASSPHRASE, '-nocerts', '-noenc')
    expect(key.stdout).toContain(keyPem.trim())
    expect(key.stdout).toContain('friendlyName: www.example.com')
    const leaf = await open(PASSPHRASE, '-nokeys', '-clcerts')
    expect(leaf.stdout).toContain(leafPem.trim())
    const chain = await open(PASSPHRASE, '-nokeys', '-cacerts')
    expect(chain.stdout).toContain(formatPem('CERTIFICATE', issuing.certificate.der).trim())
    expect(chain.stdout).not.toContain(leafPem.trim())
  })

  it('ok: AES-256-CBC, PBKDF2 with HMAC-SHA-256, MAC with SHA-256', async () => {
    const info = await open(PASSPHRASE, '-info', '-noout')
    expect(info.stderr).toContain('MAC: sha256, Iteration 10000')
    expect(info.stderr.match(/PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF hmacWithSHA256/g)).toHaveLength(2)
  })

  it('fail: another passphrase opens nothing', async () => {
    const run = await open('wrong', '-noout')
    expect(run.exitCode).not.toBe(0)
    expect(run.stderr).toContain('invalid password')
  })

  it('ok: keytool finds the key with its chain', async () => {
    const args = ['-list', '-v', '-keystore', 'file.p12', '-storetype', 'PKCS12', '-storepass:file', 'passphrase']
    const run = await runIn('keytool', args, {
      'file.p12': file,
      passphrase: PASSPHRASE,
    })
    expect(run.stdout).toContain('Alias name: www.example.com')
    expect(run.stdout).toContain('Entry type: PrivateKeyEntry')
    expect(run.stdout).toContain('Certificate chain length: 2')
  })
})
