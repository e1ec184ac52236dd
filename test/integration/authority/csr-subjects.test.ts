/** What of the subject and names of an approved request goes out, byte by byte. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { Bytes } from '../../../src/core/bytes.ts'
import { subjectAltNameExtension } from '../../../src/pki/build-extensions.ts'
import { type Certificate, parseCertificate } from '../../../src/pki/certificate.ts'
import { TAG } from '../../../src/pki/der/tags.ts'
import { derOctetString, derOid, derSequence, derSetOf, derUtf8String, derValue } from '../../../src/pki/der/writer.ts'
import { formatName } from '../../../src/pki/distinguished-name.ts'
import { ATTRIBUTE, MICROSOFT_EXTENSION_REQUEST } from '../../../src/pki/oids.ts'
import { parsePemOf } from '../../../src/pki/pem.ts'
import { ascii, forgeCsr, subjectOf } from '../../support/csr-forge.ts'
import { bindings } from '../support/bindings.ts'
import { bodyOf, newCa, newRole, renew } from '../support/pki-world.ts'
import { type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

let app: TestApp
let ca: string
beforeAll(async () => {
  app = await testApp()
  ca = await newCa(app)
})

const attribute = (oid: string, value: Bytes): Bytes => derSequence(derOid(oid), value)
const importCsr = (csr_pem: string): Promise<TestAnswer> =>
  app.request('POST', '/v1/pki/csr/import', { body: { csr_pem } })
async function approve(pem: string): Promise<string> {
  const id = bodyOf(await importCsr(pem), 201).id as string
  bodyOf(await app.request('POST', `/v1/pki/csr/${id}/approve`))
  return id
}
const sign = (id: string): Promise<TestAnswer> => app.request('POST', `/v1/pki/csr/${id}/sign`, { body: { ca_id: ca } })
function read(pem: string): Certificate {
  const ders = parsePemOf('CERTIFICATE', pem)
  const parsed = parseCertificate((ders.ok ? ders.value[0] : null) ?? new Uint8Array())
  if (!parsed.ok) throw parsed.error
  return parsed.value
}
const tagsOf = ({ subject }: Certificate) => subject.rdns.flat().map(({ valueTag, text }) => [valueTag, text])

const BADLY_WRITTEN = derSequence(
  derSetOf(attribute(ATTRIBUTE.country, derUtf8String('CH'))),
  derValue(
    TAG.set,
    attribute(ATTRIBUTE.organizationalUnit, derValue(TAG.visibleString, ascii('R_D'))),
    attribute(ATTRIBUTE.organization, derValue(TAG.printableString, ascii('a@b'))),
  ),
  derSetOf(attribute(ATTRIBUTE.commonName, derUtf8String('WWW.example.com'))),
)
const WELL_WRITTEN = [
  [TAG.printableString, 'CH'],
  [TAG.utf8String, 'a@b'],
  [TAG.utf8String, 'R_D'],
  [TAG.printableString, 'www.example.com'],
]

describe('the subject of an approved request', () => {
  it('ok: is certified as RFC 5280 writes it, and renewed so', async () => {
    const issued = bodyOf(await sign(await approve(await forgeCsr({ subjectDer: BADLY_WRITTEN }))), 201)
    expect(tagsOf(read(issued.certificate))).toEqual(WELL_WRITTEN)
    const renewed = bodyOf(await renew(app, issued.id), 201)
    expect(tagsOf(read(renewed.certificate))).toEqual(WELL_WRITTEN)
  })
  it('fail: that no certificate can hold is refused when it comes', async () => {
    const odd = derSequence(derSetOf(attribute(ATTRIBUTE.organization, derOctetString(ascii('a')))))
    const refused = await importCsr(await forgeCsr({ subjectDer: odd }))
    expect([refused.status, refused.json.error.message]).toEqual([
      400,
      'csr_pem: the attribute organization of the subject is not text',
    ])
  })
  it('fail: that came when less was asked is refused when it is to be signed', async () => {
    const odd = derSequence(derSetOf(attribute(ATTRIBUTE.organization, derUtf8String('a\u0007b'))))
    const names = [subjectAltNameExtension([{ type: 'dns', value: 'a.example.com' }], false)]
    const id = await approve(await forgeCsr())
    const pem = await forgeCsr({ subjectDer: odd, extensions: names })
    await bindings.DB.prepare('UPDATE csrs SET csr_pem = ? WHERE id = ?').bind(pem, id).run()
    const refused = await sign(id)
    expect([refused.status, refused.json.error.message]).toEqual([
      422,
      'the attribute organization of the subject holds a control character',
    ])
  })
})

describe('the names of a request', () => {
  const withNames = (value: string, attributeOid?: string): Promise<string> =>
    forgeCsr({
      subjectDer: subjectOf('a.example.com'),
      extensions: [subjectAltNameExtension([{ type: 'uri', value }], false)],
      ...(attributeOid === undefined ? {} : { extensionAttribute: attributeOid }),
    })
  it('ok: are read where Microsoft’s tools write them', async () => {
    const pem = await withNames('https://a.example.com/x', MICROSOFT_EXTENSION_REQUEST)
    const certificate = read(bodyOf(await sign(await approve(pem)), 201).certificate)
    expect(certificate.subjectAltNames).toContainEqual({ type: 'uri', value: 'https://a.example.com/x' })
    expect(formatName(certificate.subject)).toBe('CN=a.example.com')
  })
  it.each(['https://a./', 'https://a..b/', 'https://.a/', 'spiffe://example.org./a', 'https:///a'])(
    'fail: %s, which others refuse with the whole certificate',
    async (uri) => {
      const refused = await sign(await approve(await withNames(uri)))
      expect([refused.status, refused.json.error.message]).toEqual([400, expect.stringContaining('URI')])
      const role = await newRole(app, ca, { allowed_uri_sans: ['spiffe://example.org/*'] })
      const body = { common_name: 'a.example.com', uri_sans: [uri] }
      expect((await app.request('POST', `/v1/pki/issue/${role}`, { body })).status).toBe(400)
    },
  )
  it('fail: a role for a trust domain with a trailing dot', async () => {
    const body = { name: 'dotted', ca_id: ca, allowed_uri_sans: ['spiffe://example.org./*'] }
    expect((await app.request('POST', '/v1/pki/roles', { body })).status).toBe(400)
  })
  it('fail: an emoji in a name', async () => {
    const role = await newRole(app, ca)
    const answer = await app.request('POST', `/v1/pki/issue/${role}`, { body: { common_name: '☃.example.com' } })
    expect([answer.status, answer.json.error.message]).toEqual([400, expect.stringContaining('U+2603')])
  })
})

describe('the CA that signs an approved request', () => {
  it('fail: one that is not there is an invalid ca_id, as where a role or a CA names one', async () => {
    const id = await approve(await forgeCsr())
    const body = { ca_id: 'ca_00000000000000000000000000' }
    const refused = await app.request('POST', `/v1/pki/csr/${id}/sign`, { body })
    expect([refused.status, refused.json.error.details]).toEqual([
      400,
      [{ path: 'ca_id', message: 'there is no such CA' }],
    ])
  })
})
