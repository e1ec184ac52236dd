/** PKCS#12 files and encrypted keys as openssl writes them, and what is refused of them. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { Bytes } from '../../../src/core/bytes.ts'
import { openEncryptedKey } from '../../../src/pki/pbes2.ts'
import { parsePemOf } from '../../../src/pki/pem.ts'
import { buildPkcs12 } from '../../../src/pki/pkcs12.ts'
import { readPkcs12 } from '../../../src/pki/read-pkcs12.ts'
import { openssl, opensslFile } from '../../support/openssl.ts'

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
let key: string
let certificate: string
let pkcs8: Bytes
let certificateDer: Bytes
beforeAll(async () => {
  key = (await openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'])).stdout
  const args = ['req', '-x509', '-new', '-key', 'k.pem', '-subj', '/CN=a.example.com', '-out', 'c.pem']
  certificate = decode(await opensslFile(args, 'c.pem', { 'k.pem': key }))
  const der = (label: string, pem: string): Bytes => {
    const ders = parsePemOf(label, pem)
    if (!ders.ok) throw new Error(ders.error.message)
    return ders.value[0] as Bytes
  }
  pkcs8 = der('PRIVATE KEY', key)
  certificateDer = der('CERTIFICATE', certificate)
})

const file = (passphrase: string, ...more: readonly string[]): Promise<Bytes> =>
  opensslFile(
    [
      'pkcs12',
      '-export',
      '-inkey',
      'k.pem',
      '-in',
      'c.pem',
      '-out',
      'f.p12',
      '-passout',
      `pass:${passphrase}`,
      ...more,
    ],
    'f.p12',
    { 'k.pem': key, 'c.pem': certificate },
  )

describe('PKCS#12', () => {
  it.each<[string, string, readonly string[]]>([
    ['as openssl writes it', 'secret', []],
    ['with a MAC of SHA-1', 'secret', ['-macalg', 'sha1']],
    ['with a MAC of SHA-512', 'secret', ['-macalg', 'sha512']],
    ['with AES-128 and a plain certificate', 'secret', ['-keypbe', 'AES-128-CBC', '-certpbe', 'NONE']],
    ['with a key that is not encrypted itself', 'secret', ['-keypbe', 'NONE']],
    ['with 100,000 rounds', 'secret', ['-iter', '100000']],
    ['with an empty passphrase', '', []],
    ['with a passphrase that is not ASCII', 'gehärtet€', []],
  ])('ok: %s', async (_, passphrase, more) => {
    const read = await readPkcs12(await file(passphrase, ...more), passphrase)
    expect(read).toEqual({ ok: true, value: { privateKeys: [pkcs8], certificates: [certificateDer] } })
  })
  it('ok: as it is written here', async () => {
    const built = await buildPkcs12({
      privateKeyPkcs8Der: pkcs8,
      certificateDers: [certificateDer],
      passphrase: 'secret',
      friendlyName: 'a',
    })
    if (!built.ok) throw new Error(built.error)
    expect(await readPkcs12(built.value, 'secret')).toMatchObject({ ok: true, value: { privateKeys: [pkcs8] } })
    expect(await readPkcs12(built.value, 'Secret')).toMatchObject({ ok: false, error: { reason: 'passphrase' } })
  })

  it.each<[string, readonly string[], string, string]>([
    ['another passphrase', [], 'Secret', 'passphrase'],
    ['no passphrase', [], '', 'passphrase'],
    ['triple DES', ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES'], 'secret', 'unsupported'],
    ['no MAC', ['-nomac'], 'secret', 'unsupported'],
    ['100,001 rounds', ['-iter', '100001'], 'secret', 'unsupported'],
  ])('fail: %s', async (_, more, passphrase, reason) => {
    expect(await readPkcs12(await file('secret', ...more), passphrase)).toMatchObject({ ok: false, error: { reason } })
  })
  it('fail: with any octet changed', async () => {
    const whole = await file('secret', '-iter', '1')
    for (let at = 0; at < whole.length; at += 7) {
      const changed = whole.slice()
      changed[at] = (changed[at] as number) ^ 0x55
      const read = await readPkcs12(changed, 'secret')
      // What stands before the MAC's digest is covered by it; names of algorithms behind it are refused.
      expect({ at, ok: read.ok && read.value.privateKeys.length > 0 && !read.value.certificates.length }).toEqual({
        at,
        ok: false,
      })
    }
    expect(await readPkcs12(whole.subarray(0, 100), 'secret')).toMatchObject({ error: { reason: 'malformed' } })
    expect(await readPkcs12(certificateDer, 'secret')).toMatchObject({ error: { reason: 'malformed' } })
  })
})

describe('an encrypted private key', () => {
  async function encrypted(...more: readonly string[]): Promise<Bytes> {
    const args = ['pkcs8', '-topk8', '-in', 'k.pem', '-out', 'e.pem', '-passout', 'pass:secret', ...more]
    const ders = parsePemOf('ENCRYPTED PRIVATE KEY', decode(await opensslFile(args, 'e.pem', { 'k.pem': key })))
    if (!ders.ok) throw new Error(ders.error.message)
    return ders.value[0] as Bytes
  }
  it.each<[string, readonly string[]]>([
    ['as openssl writes it', []],
    ['AES-128', ['-v2', 'aes-128-cbc']],
    ['AES-192 and SHA-1', ['-v2', 'aes-192-cbc', '-v2prf', 'hmacWithSHA1']],
    ['AES-256 and SHA-512', ['-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA512', '-iter', '50000']],
  ])('ok: %s', async (_, more) => {
    expect(await openEncryptedKey(await encrypted(...more), 'secret')).toEqual({ ok: true, value: pkcs8 })
  })
  it.each<[string, readonly string[]]>([
    ['scrypt', ['-scrypt']],
    ['triple DES', ['-v2', 'des3']],
    ['a million rounds', ['-iter', '1000000']],
  ])('fail: %s', async (_, more) => {
    const opened = await openEncryptedKey(await encrypted(...more), 'secret')
    expect(opened).toMatchObject({ ok: false, error: { reason: 'unsupported' } })
  })
  it('fail: hundreds of other passphrases', async () => {
    const der = await encrypted('-iter', '1')
    for (let n = 0; n < 600; n += 1) {
      expect(await openEncryptedKey(der, `secret${n}`)).toMatchObject({ ok: false, error: { reason: 'passphrase' } })
    }
  })
})
