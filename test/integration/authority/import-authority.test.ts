/** Taking over CAs from elsewhere: what works is taken, what validation would refuse is not. */
import { beforeAll, describe, expect, it } from 'vitest'
import { type Bytes, fromHex, toHex } from '../../../src/core/bytes.ts'
import { buildCrl } from '../../../src/pki/build-crl.ts'
import { derExtension } from '../../../src/pki/build-extensions.ts'
import { parseCertificate } from '../../../src/pki/certificate.ts'
import { derNull, derSequence, derUnsigned } from '../../../src/pki/der/writer.ts'
import { exportPkcs8, generateKeyPair } from '../../../src/pki/keys.ts'
import { EXTENSION } from '../../../src/pki/oids.ts'
import { formatCertificatesPem, formatPem } from '../../../src/pki/pem.ts'
import { assembleSigned, signWhole } from '../../../src/pki/signature.ts'
import {
  type CaOptions,
  DAY_MS,
  deltaIndicator,
  directory,
  type Entity,
  type ForgeCrlOptions,
  forgeCa,
  forgeCrl,
  forgeLeaf,
  forgeRoot,
  issuingDistributionPoint,
  nameDer,
  newEntity,
  scopeOf,
  someReasons,
} from '../../conformance/limbo/forge.ts'
import { rsaAlgorithm } from '../../support/csr-forge.ts'
import { bodyOf, crlOf, freshName, hexOf, issue, linesOf, newRole, serialsOf } from '../support/pki-world.ts'
import { type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

const SHA256_RSA = '1.2.840.113549.1.1.11'
const SHA1_RSA = '1.2.840.113549.1.1.5'

let app: TestApp
beforeAll(async () => {
  app = await testApp()
})

const keyPem = async ({ keyPair }: Entity): Promise<string> =>
  formatPem('PRIVATE KEY', await exportPkcs8(keyPair.privateKey))
const times = (): CaOptions => ({ notBeforeMs: app.nowMs - DAY_MS, notAfterMs: app.nowMs + 90 * DAY_MS })

interface Given {
  readonly ca: Entity
  readonly certificate: Bytes
  readonly chain?: readonly Bytes[]
  readonly crlPem?: string
}
async function importCa({ ca, certificate, chain, crlPem }: Given): Promise<TestAnswer> {
  return app.request('POST', '/v1/pki/ca/import', {
    body: {
      name: freshName('in'),
      certificate_pem: formatCertificatesPem([certificate]),
      private_key_pem: await keyPem(ca),
      ...(chain === undefined ? {} : { chain_pem: formatCertificatesPem(chain) }),
      ...(crlPem === undefined ? {} : { crl_pem: crlPem }),
    },
  })
}
const refusalOf = ({ status, json }: TestAnswer) => [status, json.error?.details?.[0]?.path, json.error?.message]
const entity = (): Promise<Entity> => newEntity(freshName('CA'))

describe('a chain', () => {
  const unknown = derExtension('1.3.6.1.4.1.99999.1', true, derNull())

  it('ok: of an intermediate below two others', async () => {
    const [root, middle, ca] = [await entity(), await entity(), await entity()]
    const chain = [await forgeCa(middle, root, { ...times(), pathLength: 1 }), await forgeRoot(root, times())]
    const certificate = await forgeCa(ca, middle, { ...times(), pathLength: 0 })
    expect((await importCa({ ca, certificate, chain })).status).toBe(201)
  })
  it('fail: whose issuer is a leaf', async () => {
    const [root, leaf, ca] = [await entity(), await entity(), await entity()]
    const chain = [await forgeLeaf(leaf, root, times()), await forgeRoot(root, times())]
    const answer = await importCa({ ca, certificate: await forgeCa(ca, leaf, times()), chain })
    expect(refusalOf(answer)).toEqual([400, 'chain_pem', expect.stringContaining('the issuer is not a CA')])
  })
  it('fail: below a root with a path length of 0', async () => {
    const [root, ca] = [await entity(), await entity()]
    const chain = [await forgeRoot(root, { ...times(), pathLength: 0 })]
    const answer = await importCa({ ca, certificate: await forgeCa(ca, root, times()), chain })
    expect(refusalOf(answer)).toEqual([400, 'chain_pem', expect.stringContaining('more CAs follow')])
  })
  it('fail: below a root here with a path length of 0', async () => {
    const [root, ca] = [await entity(), await entity()]
    bodyOf(await importCa({ ca: root, certificate: await forgeRoot(root, { ...times(), pathLength: 0 }) }), 201)
    const answer = await importCa({ ca, certificate: await forgeCa(ca, root, times()) })
    expect(refusalOf(answer)).toEqual([400, 'chain_pem', expect.stringContaining('more CAs follow')])
  })
  it('fail: whose root has the key that signed it and another name', async () => {
    const [root, ca] = [await entity(), await entity()]
    const renamed = { ...root, subjectDer: nameDer({ commonName: 'Another root' }) }
    const chain = [await forgeRoot(renamed, times())]
    const answer = await importCa({ ca, certificate: await forgeCa(ca, root, times()), chain })
    expect(refusalOf(answer)).toEqual([400, 'chain_pem', expect.stringContaining('CN=Another root')])
    const leaf = formatCertificatesPem([await forgeLeaf(await entity(), root, times())])
    const body = { certificate_pem: leaf, chain_pem: formatCertificatesPem(chain) }
    const brought = await app.request('POST', '/v1/pki/certificates/import', { body })
    expect(refusalOf(brought)).toEqual([400, 'chain_pem', expect.stringContaining('CN=Another root')])
  })
  it('fail: with a root that has expired, or that begins tomorrow', async () => {
    const [root, ca] = [await entity(), await entity()]
    const certificate = await forgeCa(ca, root, times())
    for (const [change, text] of [
      [{ notAfterMs: app.nowMs - 1_000 }, 'has expired'],
      [{ notBeforeMs: app.nowMs + DAY_MS }, 'not valid yet'],
    ] as const) {
      const chain = [await forgeRoot(root, { ...times(), ...change })]
      expect(refusalOf(await importCa({ ca, certificate, chain }))).toEqual([
        400,
        'chain_pem',
        expect.stringContaining(text),
      ])
    }
  })
  it('fail: with a critical extension that nobody knows, above or in the CA itself', async () => {
    const [root, ca] = [await entity(), await entity()]
    const above = [await forgeRoot(root, { ...times(), more: [unknown] })]
    const answer = await importCa({ ca, certificate: await forgeCa(ca, root, times()), chain: above })
    expect(refusalOf(answer)).toEqual([400, 'chain_pem', expect.stringContaining('1.3.6.1.4.1.99999.1')])
    const own = await importCa({ ca: root, certificate: await forgeRoot(root, { ...times(), more: [unknown] }) })
    expect(refusalOf(own)).toEqual([400, 'certificate_pem', expect.stringContaining('not understood')])
  })
  it('fail: a CA that has expired', async () => {
    const root = await entity()
    const certificate = await forgeRoot(root, { ...times(), notAfterMs: app.nowMs - 1_000 })
    expect(refusalOf(await importCa({ ca: root, certificate }))).toEqual([
      400,
      'certificate_pem',
      expect.stringContaining('has expired'),
    ])
  })
  it('ok: what is taken validates', async () => {
    const root = await entity()
    const { id } = bodyOf(await importCa({ ca: root, certificate: await forgeRoot(root, times()) }), 201)
    const leaf = bodyOf(await issue(app, await newRole(app, id)), 201)
    const body = { certificate_pem: leaf.certificate, check_revocation: true }
    const found = bodyOf(await app.request('POST', '/v1/pki/certificates/validate', { body }))
    expect([found.valid, found.errors]).toEqual([true, []])
  })
})

describe('SHA-1', () => {
  async function rsaEntity(): Promise<Entity> {
    return { ...(await entity()), keyPair: await generateKeyPair({ type: 'rsa', size: 2048 }) }
  }
  /** The same certificate with SHA-1 in it, and signed so where `issuer` is given. */
  async function withSha1(der: Bytes, issuer: Entity): Promise<Bytes> {
    const parsed = parseCertificate(der)
    if (!parsed.ok) throw parsed.error
    const text = toHex(parsed.value.tbsDer).replace(toHex(rsaAlgorithm(SHA256_RSA)), toHex(rsaAlgorithm(SHA1_RSA)))
    const tbs = fromHex(text) as Bytes
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1' }
    const pkcs8 = await exportPkcs8(issuer.keyPair.privateKey)
    const key = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign'])
    return assembleSigned(
      tbs,
      rsaAlgorithm(SHA1_RSA),
      new Uint8Array(await crypto.subtle.sign(algorithm.name, key, tbs)),
    )
  }

  it('ok: in the self-signature of a root, which is no part of a path', async () => {
    const root = await rsaEntity()
    const certificate = await withSha1(await forgeRoot(root, times()), root)
    const { id } = bodyOf(await importCa({ ca: root, certificate }), 201)
    const leaf = bodyOf(await issue(app, await newRole(app, id)), 201)
    const body = { certificate_pem: leaf.certificate }
    expect(bodyOf(await app.request('POST', '/v1/pki/certificates/validate', { body })).valid).toBe(true)
    // And above an intermediate.
    const [other, ca] = [await rsaEntity(), await entity()]
    const chain = [await withSha1(await forgeRoot(other, times()), other)]
    expect((await importCa({ ca, certificate: await forgeCa(ca, other, times()), chain })).status).toBe(201)
  })
  it('fail: below a root, by its name', async () => {
    const [root, ca] = [await rsaEntity(), await entity()]
    const certificate = await withSha1(await forgeCa(ca, root, times()), root)
    const answer = await importCa({ ca, certificate, chain: [await forgeRoot(root, times())] })
    expect(refusalOf(answer)).toEqual([400, 'certificate_pem', expect.stringContaining('signed with SHA-1')])
  })
  it('fail: a root that another key signed', async () => {
    const [root, other] = [await rsaEntity(), await rsaEntity()]
    const parsed = parseCertificate(await forgeRoot(root, times()))
    if (!parsed.ok) throw parsed.error
    const certificate = await signWhole(parsed.value.tbsDer, other.keyPair.privateKey)
    expect(refusalOf(await importCa({ ca: root, certificate }))).toEqual([
      400,
      'certificate_pem',
      expect.stringContaining('did not sign it'),
    ])
  })
})

describe('the last CRL', () => {
  const crlNumber = (octets: Bytes): Bytes => derExtension(EXTENSION.crlNumber, false, derUnsigned(octets))
  async function withCrl(options: ForgeCrlOptions): Promise<TestAnswer> {
    const root = await entity()
    const crl = await forgeCrl(root, { ...options, thisUpdateMs: app.nowMs - DAY_MS, nextUpdateMs: app.nowMs + DAY_MS })
    return importCa({ ca: root, certificate: await forgeRoot(root, times()), crlPem: formatPem('X509 CRL', crl) })
  }
  const numbered = (octets: Bytes): Promise<TestAnswer> => withCrl({ withoutNumber: true, more: [crlNumber(octets)] })
  const numberOf = async (id: string): Promise<bigint> =>
    BigInt(`0x${toHex((await crlOf(app, id)).crlNumber ?? new Uint8Array())}`)

  it.each([
    ['2^53', fromHex('20000000000000') as Bytes, 'string'],
    ['a time with random bits, of 16 octets', fromHex('0123456789abcdef0123456789abcdef') as Bytes, 'string'],
    ['the largest with room behind it, of 20 octets', fromHex(`7f${'00'.repeat(19)}`) as Bytes, 'string'],
    ['2^40', fromHex('010000000000') as Bytes, 'number'],
  ])('ok: whose number is %s goes on', async (_, octets, kind) => {
    const last = BigInt(`0x${toHex(octets)}`)
    const imported = bodyOf(await numbered(octets), 201)
    expect(await numberOf(imported.id)).toBe(last + 1n)
    expect([typeof imported.crl_number, String(imported.crl_number)]).toEqual([kind, String(last + 1n)])
    const made = bodyOf(await app.request('POST', `/v1/pki/ca/${imported.id}/crl`))
    expect([typeof made.crl_number, BigInt(made.crl_number)]).toEqual([kind, last + 2n])
    expect(await numberOf(imported.id)).toBe(last + 2n)
  })
  it('fail: behind whose number there is no room in 20 octets (RFC 5280 §5.2.3)', async () => {
    expect(refusalOf(await numbered(new Uint8Array(20).fill(0xff)))).toEqual([
      400,
      'crl_pem',
      expect.stringContaining('no room'),
    ])
  })

  const serialNumber = fromHex('2a2b2c') as Bytes
  const strange = derExtension('1.3.6.1.4.1.99999.1', true, derNull())
  const certificateIssuer = (critical: boolean): Bytes =>
    derExtension(EXTENSION.certificateIssuer, critical, derSequence(directory({ commonName: 'Another CA' })))
  const inEntry = (extension: Bytes): ForgeCrlOptions => ({ revoked: [{ serialNumber, more: [extension] }] })

  it.each<readonly [string, ForgeCrlOptions, string]>([
    ['a delta CRL', { more: [deltaIndicator()] }, 'a delta CRL'],
    ['one for CAs alone', { more: [issuingDistributionPoint([], 'caCertificates')] }, 'of CAs alone'],
    ['one without CAs', { more: [issuingDistributionPoint([], 'userCertificates')] }, 'that are not of CAs'],
    ['one for attributes', { more: [issuingDistributionPoint([], 'attributeCertificates')] }, 'attribute certificates'],
    ['one of some reasons', { more: [scopeOf(someReasons(3))] }, 'some reasons alone'],
    ['an indirect one', { more: [issuingDistributionPoint([], 'indirect')] }, 'an indirect CRL'],
    ['one part', { more: [issuingDistributionPoint(['http://crl.example.com/1.crl'])] }, 'one distribution point'],
    ['a list with an unknown critical extension', { more: [strange] }, '1.3.6.1.4.1.99999.1'],
    ['an entry with an unknown critical extension', inEntry(strange), '1.3.6.1.4.1.99999.1'],
    ['an entry of another issuer', inEntry(certificateIssuer(true)), 'another issuer'],
    ['an entry of another issuer, not critical', inEntry(certificateIssuer(false)), 'another issuer'],
  ])('fail: %s, which does not hold all that the CA has revoked', async (_, options, text) => {
    expect(refusalOf(await withCrl(options))).toEqual([400, 'crl_pem', expect.stringContaining(text)])
  })
  it('fail: of another name with the same key', async () => {
    const root = await entity()
    const other = { ...root, subjectDer: nameDer({ commonName: 'Another CA' }) }
    const crl = await forgeCrl(other, { thisUpdateMs: app.nowMs - DAY_MS, nextUpdateMs: app.nowMs + DAY_MS })
    const crlPem = formatPem('X509 CRL', crl)
    const answer = await importCa({ ca: root, certificate: await forgeRoot(root, times()), crlPem })
    expect(refusalOf(answer)).toEqual([400, 'crl_pem', expect.stringContaining('CN=Another CA')])
  })
  it('fail: from the future; ok: by a clock that is a minute ahead', async () => {
    const at = async (thisUpdateMs: number): Promise<TestAnswer> => {
      const root = await entity()
      const crl = await forgeCrl(root, { thisUpdateMs, nextUpdateMs: app.nowMs + 2 * DAY_MS })
      return importCa({ ca: root, certificate: await forgeRoot(root, times()), crlPem: formatPem('X509 CRL', crl) })
    }
    expect(refusalOf(await at(app.nowMs + 3_600_000))).toEqual([400, 'crl_pem', expect.stringContaining('begins at')])
    expect((await at(app.nowMs + 60_000)).status).toBe(201)
  })
  it('ok: with a scope that leaves nothing out, and a known extension of an entry', async () => {
    const revoked = [{ serialNumber, reasonCode: 1 }]
    const { id } = bodyOf(await withCrl({ revoked, more: [scopeOf()] }), 201)
    expect(linesOf(await crlOf(app, id))).toEqual([['2a2b2c', 1]])
  })

  it('ok: of 110,000 entries, more than a mebibyte: none of them comes back', async () => {
    const serial = (n: number): Bytes => {
      const octets = new Uint8Array(16).fill(0x5a)
      new DataView(octets.buffer).setUint32(12, n)
      return octets
    }
    const root = await entity()
    const { der } = await buildCrl({
      issuer: { ...root, privateKey: root.keyPair.privateKey },
      crlNumber: 7,
      thisUpdateMs: app.nowMs - DAY_MS,
      nextUpdateMs: app.nowMs + DAY_MS,
      pages: [
        Array.from({ length: 110_000 }, (_, n) => ({
          serialNumber: serial(n),
          revokedAtMs: app.nowMs - DAY_MS,
          reason: n % 2 === 0 ? ('superseded' as const) : ('key_compromise' as const),
        })),
      ],
    })
    const crlPem = formatPem('X509 CRL', der)
    expect(crlPem.length).toBeGreaterThan(4_000_000)
    const imported = bodyOf(await importCa({ ca: root, certificate: await forgeRoot(root, times()), crlPem }), 201)
    const serials = serialsOf(await crlOf(app, imported.id))
    expect(serials).toHaveLength(110_000)
    expect(serials[109_999]).toBe(toHex(serial(109_999)))
  }, 60_000)
  it('fail: a body beyond what is taken there, and beyond a mebibyte elsewhere', async () => {
    const large = (bytes: number) => ({
      rawBody: `{"name":"${'a'.repeat(bytes)}"}`,
      headers: { 'content-type': 'application/json' },
    })
    expect((await app.request('POST', '/v1/pki/ca/import', large(12_000_001))).status).toBe(413)
    expect((await app.request('POST', '/v1/pki/roles', large(1_048_577))).status).toBe(413)
  })
})

describe('what it has issued elsewhere', () => {
  it('fail: is not revoked by a serial number that nobody knows here; ok: once it was imported', async () => {
    const root = await entity()
    const { id } = bodyOf(await importCa({ ca: root, certificate: await forgeRoot(root, times()) }), 201)
    const leaf = await forgeLeaf(await entity(), root, times())
    const parsed = parseCertificate(leaf)
    if (!parsed.ok) throw parsed.error
    const serial_number = toHex(parsed.value.serialNumber)
    const revoke = () => app.request('POST', '/v1/pki/revoke', { body: { serial_number, ca_id: id } })
    const unknown = await revoke()
    expect([unknown.status, unknown.json.error.message]).toEqual([
      404,
      expect.stringContaining('POST /v1/pki/certificates/import'),
    ])
    const body = { certificate_pem: formatCertificatesPem([leaf]) }
    bodyOf(await app.request('POST', '/v1/pki/certificates/import', { body }), 201)
    expect(hexOf(bodyOf(await revoke()).serial_number)).toBe(serial_number)
    expect(serialsOf(await crlOf(app, id))).toEqual([serial_number])
  })
})
