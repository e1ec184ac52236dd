/** What a role says of every certificate beyond its names: subject, purposes, revocation. */
import { beforeAll, describe, expect, it } from 'vitest'
import { type Certificate, parseCertificate } from '../../../src/pki/certificate.ts'
import { formatName } from '../../../src/pki/distinguished-name.ts'
import { EKU, EXTENSION } from '../../../src/pki/oids.ts'
import { parsePemOf } from '../../../src/pki/pem.ts'
import { bindings } from '../support/bindings.ts'
import { bodyOf, freshName, issue, newCa, newRole, renew } from '../support/pki-world.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'

let app: TestApp
let ca: string
beforeAll(async () => {
  app = await testApp()
  ca = await newCa(app)
})

function certificateOf(pem: string): Certificate {
  const ders = parsePemOf('CERTIFICATE', pem)
  if (!ders.ok || ders.value[0] === undefined) throw new Error('no certificate')
  const certificate = parseCertificate(ders.value[0])
  if (!certificate.ok) throw certificate.error
  return certificate.value
}
const issuedBy = async (role: string): Promise<{ id: string; certificate: Certificate }> => {
  const { id, certificate } = bodyOf(await issue(app, role), 201)
  return { id, certificate: certificateOf(certificate) }
}
const patch = (role: string, body: object) => app.request('PATCH', `/v1/pki/roles/${role}`, { body })
const SUBJECT = {
  organization: 'Bücher GmbH',
  organizational_unit: 'R&D',
  country: 'DE',
  province: 'BE',
  locality: 'Berlin',
}

describe('the subject of a role', () => {
  it('ok: stands in every certificate, and changes with the role', async () => {
    const role = await newRole(app, ca, SUBJECT)
    expect(bodyOf(await app.request('GET', `/v1/pki/roles/${role}`))).toMatchObject(SUBJECT)
    const { id, certificate } = await issuedBy(role)
    expect(formatName(certificate.subject)).toBe('CN=www.example.com,OU=R&D,O=Bücher GmbH,L=Berlin,ST=BE,C=DE')
    const changed = bodyOf(await patch(role, { organizational_unit: null, locality: 'Bonn' }))
    expect(changed).toMatchObject({ ...SUBJECT, organizational_unit: null, locality: 'Bonn' })
    const renewed = certificateOf(bodyOf(await renew(app, id), 201).certificate)
    expect(formatName(renewed.subject)).toBe('CN=www.example.com,O=Bücher GmbH,L=Bonn,ST=BE,C=DE')
  })
  it('fail: control characters and lengths, by the name of the field', async () => {
    const body = { name: freshName('role'), ca_id: ca, organization: 'a\u0000b', country: 'de' }
    const answer = await app.request('POST', '/v1/pki/roles', { body })
    expect([answer.status, answer.json.error.details]).toEqual([
      400,
      [expect.objectContaining({ path: 'country', message: expect.stringContaining('capital') })],
    ])
    const role = await newRole(app, ca)
    const refused = await patch(role, { organization: 'a\u0007b' })
    expect([refused.status, refused.json.error.message]).toEqual([400, 'organization: holds a control character'])
  })
})

describe('the purposes of a role', () => {
  it('ok: by name and by object identifier, beside or in place of servers and clients', async () => {
    const own = '1.3.6.1.4.1.99999.7.1'
    const purposes = { extended_key_usages: ['code_signing', 'emailProtection', own] }
    const role = await newRole(app, ca, { ...purposes, client_auth: false })
    expect(bodyOf(await app.request('GET', `/v1/pki/roles/${role}`)).extended_key_usages).toEqual([
      'codeSigning',
      'emailProtection',
      own,
    ])
    const { certificate } = await issuedBy(role)
    expect(certificate.extKeyUsage).toEqual([EKU.serverAuth, EKU.codeSigning, EKU.emailProtection, own])
    bodyOf(await patch(role, { server_auth: false, extended_key_usages: ['codeSigning'] }))
    const second = (await issuedBy(role)).certificate
    expect([second.extKeyUsage, [...(second.keyUsage ?? [])]]).toEqual([[EKU.codeSigning], ['digitalSignature']])
  })
  it('ok: time stamps alone, and critical (RFC 3161 §2.3)', async () => {
    const role = await newRole(app, ca, {
      extended_key_usages: ['timeStamping'],
      server_auth: false,
      client_auth: false,
    })
    const { certificate } = await issuedBy(role)
    expect(certificate.extensions.find(({ oid }) => oid === EXTENSION.extKeyUsage)?.critical).toBe(true)
  })
  it.each([
    ['a word', { extended_key_usages: ['coding'] }, 'extended_key_usages[0]'],
    ['an arc that does not exist', { extended_key_usages: ['3.1.2'] }, 'extended_key_usages[0]'],
    ['a second arc that is too large', { extended_key_usages: ['1.40.1'] }, 'extended_key_usages[0]'],
    ['every purpose', { extended_key_usages: [EKU.any] }, 'extended_key_usages'],
    ['contradicting key usages', { key_usages: ['nonRepudiation'] }, 'key_usages'],
  ])('fail: %s', async (_, fields, path) => {
    const body = { name: freshName('role'), ca_id: ca, ...fields }
    const answer = await app.request('POST', '/v1/pki/roles', { body })
    expect([answer.status, answer.json.error.details[0].path]).toEqual([400, path])
  })
  it('fail: a change that leaves usages without a purpose', async () => {
    const role = await newRole(app, ca, {
      key_usages: ['nonRepudiation'],
      extended_key_usages: ['emailProtection'],
      server_auth: false,
      client_auth: false,
    })
    const refused = await patch(role, { extended_key_usages: [], client_auth: true })
    expect([refused.status, refused.json.error.details[0].path]).toEqual([400, 'key_usages'])
  })
})

describe('certificates without revocation (RFC 9608)', () => {
  it('ok: say so, and name no CRL, also when they are renewed', async () => {
    const role = await newRole(app, ca, { no_rev_avail: true, max_ttl: '7d' })
    const { id, certificate } = await issuedBy(role)
    for (const each of [certificate, certificateOf(bodyOf(await renew(app, id), 201).certificate)]) {
      expect(each.extensions.some(({ oid, critical }) => oid === EXTENSION.noRevAvail && !critical)).toBe(true)
      expect([each.crlDistributionPoints, each.authorityInfoAccess?.ocspUris]).toEqual([null, []])
      expect(each.authorityInfoAccess?.caIssuerUris).toHaveLength(1)
    }
  })
  it('fail: for longer than seven days, by creating and by changing', async () => {
    const body = { name: freshName('role'), ca_id: ca, no_rev_avail: true }
    expect((await app.request('POST', '/v1/pki/roles', { body })).json.error.details).toEqual([
      { path: 'no_rev_avail', message: expect.stringContaining('set max_ttl') },
    ])
    const role = await newRole(app, ca, { no_rev_avail: true, max_ttl: '1d' })
    expect((await patch(role, { max_ttl: '8d' })).status).toBe(400)
  })
})

it('ok: a role that was stored before there were these fields works as it did', async () => {
  const role = await newRole(app, ca)
  await bindings.DB.prepare(
    "UPDATE roles SET policy = json_remove(policy, '$.subject', '$.extKeyUsages', '$.noRevAvail') WHERE name = ?",
  )
    .bind(role)
    .run()
  expect(bodyOf(await app.request('GET', `/v1/pki/roles/${role}`))).toMatchObject({
    organization: null,
    extended_key_usages: [],
    no_rev_avail: false,
  })
  const { certificate } = await issuedBy(role)
  expect(certificate.extKeyUsage).toEqual([EKU.serverAuth, EKU.clientAuth])
  expect(bodyOf(await patch(role, { organization: 'Example' }))).toMatchObject({ organization: 'Example' })
})
