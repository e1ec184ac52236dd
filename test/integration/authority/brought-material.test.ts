/** Certificates and CAs that come in a PKCS#12 file, or with an encrypted key. */
import { beforeAll, describe, expect, it } from 'vitest'
import { type Bytes, toBase64 } from '../../../src/core/bytes.ts'
import { exportPkcs8 } from '../../../src/pki/keys.ts'
import { formatCertificatesPem, formatPem } from '../../../src/pki/pem.ts'
import { buildPkcs12 } from '../../../src/pki/pkcs12.ts'
import { DAY_MS, type Entity, forgeCa, forgeLeaf, forgeRoot, newEntity } from '../../conformance/limbo/forge.ts'
import { bodyOf, freshName, issue, newRole, rowsOf } from '../support/pki-world.ts'
import { type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

const PASSPHRASE = 'correct horse battery'
let app: TestApp
let root: Entity
let ca: Entity
let leaf: Entity
let certificates: { root: Bytes; ca: Bytes; leaf: Bytes }
beforeAll(async () => {
  app = await testApp()
  root = await newEntity(freshName('Root'))
  ca = await newEntity(freshName('CA'))
  leaf = await newEntity('www.example.com')
  const times = { notBeforeMs: app.nowMs - DAY_MS, notAfterMs: app.nowMs + 90 * DAY_MS }
  certificates = {
    root: await forgeRoot(root, times),
    ca: await forgeCa(ca, root, times),
    leaf: await forgeLeaf(leaf, ca, times),
  }
})

async function fileOf({ keyPair }: Entity, ...ders: readonly [Bytes, ...Bytes[]]): Promise<string> {
  const built = await buildPkcs12({
    privateKeyPkcs8Der: await exportPkcs8(keyPair.privateKey),
    certificateDers: ders,
    passphrase: PASSPHRASE,
    friendlyName: 'x',
  })
  if (!built.ok) throw new Error(built.error)
  return toBase64(built.value)
}
const importCertificate = (body: object): Promise<TestAnswer> =>
  app.request('POST', '/v1/pki/certificates/import', { body })
const refused = ({ status, json }: TestAnswer) => [status, json.error?.details?.[0]?.path, json.error?.message]

describe('a PKCS#12 file', () => {
  it('ok: is a certificate with its key and chain, in whatever order', async () => {
    const pkcs12 = await fileOf(leaf, certificates.leaf, certificates.root, certificates.ca)
    const imported = bodyOf(await importCertificate({ pkcs12, passphrase: PASSPHRASE }), 201)
    const pem = bodyOf(await app.request('GET', `/v1/pki/certificates/${imported.id}/pem`))
    expect(pem.leaf_pem).toBe(formatCertificatesPem([certificates.leaf]))
    expect(pem.chain_pem).toBe(formatCertificatesPem([certificates.ca, certificates.root]))
    const key = bodyOf(await app.request('POST', `/v1/pki/certificates/${imported.id}/private-key`))
    expect(key.private_key_pem).toContain('PRIVATE KEY')
  })
  it('ok: is a CA that issues', async () => {
    const pkcs12 = await fileOf(ca, certificates.ca, certificates.root)
    const body = { name: freshName('in'), pkcs12, passphrase: PASSPHRASE }
    const imported = bodyOf(await app.request('POST', '/v1/pki/ca/import', { body }), 201)
    expect((await issue(app, await newRole(app, imported.id))).status).toBe(201)
  })
  it('fail: what is wrong with what it holds is told of the file, the field that was sent', async () => {
    const importCa = (pkcs12: string): Promise<TestAnswer> =>
      app.request('POST', '/v1/pki/ca/import', { body: { name: freshName('in'), pkcs12, passphrase: PASSPHRASE } })
    const asCertificate = async (pkcs12: string): Promise<TestAnswer> =>
      importCertificate({ pkcs12, passphrase: PASSPHRASE })
    const times = { notBeforeMs: app.nowMs - 2 * DAY_MS, notAfterMs: app.nowMs - DAY_MS }
    const oldRoot = await newEntity(freshName('Old'))
    const newCa = await newEntity(freshName('New'))
    const old = await forgeRoot(oldRoot, times)
    const below = await forgeCa(newCa, oldRoot, { ...times, notAfterMs: app.nowMs + DAY_MS })
    const answers = [
      await importCa(await fileOf(leaf, certificates.leaf)),
      await asCertificate(await fileOf(root, certificates.root)),
      await importCa(await fileOf(newCa, below)),
      await importCa(await fileOf(oldRoot, old)),
      await importCa(await fileOf(newCa, below, old)),
    ]
    expect(answers.map((answer) => refused(answer))).toEqual([
      [400, 'pkcs12', expect.stringContaining('not a CA certificate')],
      [400, 'pkcs12', expect.stringContaining('the certificate of a CA')],
      [400, 'pkcs12', expect.stringContaining('its issuer is not here')],
      [400, 'pkcs12', expect.stringMatching(/^pkcs12: /)],
      [400, 'pkcs12', expect.stringContaining('1 above it')],
    ])
  })
  it('fail: with another passphrase, or none', async () => {
    const pkcs12 = await fileOf(leaf, certificates.leaf)
    for (const passphrase of [{ passphrase: 'incorrect' }, {}]) {
      const answer = await importCertificate({ pkcs12, ...passphrase })
      expect(refused(answer)).toEqual([400, 'passphrase', 'passphrase: the passphrase does not open it'])
    }
  })
  it('fail: beside PEM, without a certificate of its key, and bytes that are none', async () => {
    const pkcs12 = await fileOf(leaf, certificates.leaf)
    const certificate_pem = formatCertificatesPem([certificates.leaf])
    expect(refused(await importCertificate({ pkcs12, certificate_pem, passphrase: PASSPHRASE }))[1]).toBe('pkcs12')
    const strange = { pkcs12: await fileOf(leaf, certificates.ca), passphrase: PASSPHRASE }
    expect(refused(await importCertificate(strange))).toEqual([
      400,
      'pkcs12',
      expect.stringContaining('no certificate of'),
    ])
    expect(refused(await importCertificate({ pkcs12: 'AAAA', passphrase: PASSPHRASE }))[1]).toBe('pkcs12')
    expect(refused(await importCertificate({ pkcs12: '***' }))[1]).toBe('pkcs12')
    expect(refused(await importCertificate({}))[1]).toBe('certificate_pem')
  })
})

describe('an encrypted private key', () => {
  it('fail: without its passphrase, and in the form of headers', async () => {
    const certificate_pem = formatCertificatesPem([certificates.leaf])
    const encrypted = formatPem('ENCRYPTED PRIVATE KEY', await exportPkcs8(leaf.keyPair.privateKey))
    const without = await importCertificate({ certificate_pem, private_key_pem: encrypted })
    expect(refused(without)).toEqual([400, 'private_key_pem', expect.stringContaining('give its passphrase')])
    const headers = '-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n'
    const old = await importCertificate({ certificate_pem, private_key_pem: headers, passphrase: 'x' })
    expect(refused(old)).toEqual([400, 'private_key_pem', expect.stringContaining('openssl pkcs8 -topk8')])
  })
  it('ok: no row and no log line has the passphrase', async () => {
    expect(app.logLines.join('\n')).not.toContain(PASSPHRASE)
    const tables = await rowsOf<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'",
    )
    const dumps = await Promise.all(
      tables.map(async ({ name }) => JSON.stringify(await rowsOf(`SELECT * FROM "${name}"`))),
    )
    expect(dumps.length).toBeGreaterThan(10)
    expect(dumps.join()).not.toContain(PASSPHRASE)
  })
})
