/** What another tenant has does not exist, beyond what http/tenancy.test.ts walks; and a token for one role issues under that role and does nothing else. */
import { beforeAll, describe, expect, it } from 'vitest'
import { bodyOf, codeOf, freshName, hexOf, newCa, newRole } from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

const SCOPES = ['pki:admin', 'pki:issue', 'pki:read']

let app: TestApp

beforeAll(async () => {
  app = await testApp()
})

describe('another tenant', () => {
  let theirs: string
  let mine: string
  const ids = { ca: '', below: '', role: '', certificate: '', serial: '', csr: '', anchor: '' }

  beforeAll(async () => {
    const tenants = [await newTenant('marked'), await newTenant('mine')]
    theirs = await newTestToken(app, SCOPES, { tenantId: tenants[0] ?? '' })
    mine = await newTestToken(app, SCOPES, { tenantId: tenants[1] ?? '' })
    const post = async (path: string, body: unknown, status = 201) =>
      bodyOf(await app.request('POST', path, { token: theirs, body }), status)
    ids.ca = await newCa(app, { token: theirs, more: { common_name: 'MARKED root' } })
    ids.below = await newCa(app, { token: theirs, parent: ids.ca, more: { common_name: 'MARKED below' } })
    ids.role = await newRole(app, ids.below, { store_private_keys: true }, theirs)
    const leaf = await post(`/v1/pki/issue/${ids.role}`, { common_name: 'marked.example.com' })
    ids.certificate = leaf.id
    ids.serial = leaf.serial_number
    const csr = { subject: { common_name: 'marked.example.com' }, san_dns: ['marked.example.com'] }
    ids.csr = (await post('/v1/pki/csr', csr)).id
    const { certificate_pem } = bodyOf(await app.request('GET', `/v1/pki/ca/${ids.ca}/certificate`))
    ids.anchor = (await post('/v1/pki/trust-anchors', { name: 'MARKED', certificate_pem })).id
  })

  it('ok: no list shows anything of it', async () => {
    const queries = [
      '/v1/pki/ca',
      '/v1/pki/roles',
      '/v1/pki/certificates',
      '/v1/pki/certificates?include_revoked=true',
      '/v1/pki/certificates?san=marked.example.com',
      '/v1/pki/certificates?common_name=marked.example.com',
      `/v1/pki/certificates?ca_id=${ids.below}`,
      '/v1/pki/csr',
      '/v1/pki/csr?status=pending',
      '/v1/pki/trust-anchors',
    ]
    const [own, others] = await Promise.all(
      [theirs, mine].map((token) => Promise.all(queries.map((path) => app.request('GET', path, { token })))),
    )
    expect(own?.filter(({ json }) => json.data.length === 0)).toEqual([])
    expect(others?.map(({ status, json }) => [status, json.data])).toEqual(queries.map(() => [200, []]))
  })

  /** The same ids with another end: of nobody. */
  const nobodys = () =>
    Object.fromEntries(Object.entries(ids).map(([kind, id]) => [kind, `${id.slice(0, -3)}zzz`])) as typeof ids

  const plain = ({ text }: TestAnswer): string => {
    const all = [...Object.values(ids), ...Object.values(nobodys())].filter((id) => id !== '')
    return all.reduce((rest, id) => rest.replaceAll(id, 'ID'), text).replaceAll(/req_\w+/g, 'REQUEST')
  }

  it('fail: nothing of it can be named in what is made, signed, revoked or brought here', async () => {
    const ca = await newCa(app, { token: mine })
    const csrBody = { subject: { common_name: 'www.example.com' } }
    const csr = bodyOf(await app.request('POST', '/v1/pki/csr', { token: mine, body: csrBody }), 201).id
    bodyOf(await app.request('POST', `/v1/pki/csr/${csr}/approve`, { token: mine }))
    const pem = bodyOf(await app.request('GET', `/v1/pki/certificates/${ids.certificate}/pem`, { token: theirs }))
    const named = (of: typeof ids): readonly (readonly [string, unknown])[] => [
      ['/v1/pki/ca', { name: 'x', common_name: 'x', ca_type: 'intermediate', parent_ca_id: of.ca, key_type: 'ec' }],
      ['/v1/pki/roles', { name: 'x', ca_id: of.ca }],
      [`/v1/pki/csr/${csr}/sign`, { ca_id: of.ca }],
      [`/v1/pki/csr/${of.csr}/sign`, { ca_id: ca }],
      [`/v1/pki/ca/${ca}/cross-sign`, { issuer_ca_id: of.ca }],
      [`/v1/pki/ca/${of.ca}/cross-sign`, { issuer_ca_id: ca }],
      ['/v1/pki/revoke', { certificate_id: of.certificate }],
      ['/v1/pki/revoke', { serial_number: of.serial }],
      ['/v1/pki/certificates/import', { certificate_pem: pem.leaf_pem, ca_id: of.below }],
    ]
    const ask = (of: typeof ids) =>
      Promise.all(named(of).map(([path, body]) => app.request('POST', path, { token: mine, body })))
    const none = { ...nobodys(), serial: `${ids.serial.slice(0, -2)}00` }
    const [own, others] = [await ask(ids), await ask(none)]
    expect(own.filter(({ status }) => status < 400)).toEqual([])
    expect(own.map((answer) => plain(answer).replaceAll(none.serial, 'ID'))).toEqual(
      others.map((answer) => plain(answer).replaceAll(none.serial, 'ID')),
    )
  })

  it('ok: a certificate of its CA that is brought here is not of a CA here, and trusts nothing there', async () => {
    const pem = bodyOf(await app.request('GET', `/v1/pki/certificates/${ids.certificate}/pem`, { token: theirs }))
    const body = { certificate_pem: pem.leaf_pem, chain_pem: pem.chain_pem }
    const validated = bodyOf(await app.request('POST', '/v1/pki/certificates/validate', { token: mine, body }))
    expect([validated.valid, validated.trusted_anchor]).toEqual([false, null])
    expect(bodyOf(await app.request('POST', '/v1/pki/certificates/validate', { token: theirs, body })).valid).toBe(true)
    const brought = await app.request('POST', '/v1/pki/certificates/import', { token: mine, body })
    expect(bodyOf(brought, 201).issuer_ca_id).toBeNull()
    bodyOf(await app.request('POST', '/v1/pki/revoke', { token: mine, body: { certificate_id: brought.json.id } }))
    // Revoked here, where it was brought; what they have of it stands.
    const own = bodyOf(await app.request('GET', `/v1/pki/certificates/${ids.certificate}`, { token: theirs }))
    expect([own.is_revoked, hexOf(own.serial_number)]).toEqual([false, hexOf(ids.serial)])
  })

  it('ok: names of CAs and roles are free in each tenant', async () => {
    const name = freshName('same')
    const body = { name, common_name: name, ca_type: 'root', key_type: 'ec' }
    const answers = [theirs, mine, mine].map((token) => () => app.request('POST', '/v1/pki/ca', { token, body }))
    const statuses: number[] = []
    for (const answer of answers) statuses.push((await answer()).status)
    expect(statuses).toEqual([201, 201, 409])
  })
})

describe('a token for one role', () => {
  let token: string
  let other: string
  let caId: string
  let csrPem: string
  const names = { common_name: 'svc.example.com' }

  beforeAll(async () => {
    caId = await newCa(app)
    const body = { name: 'svc-mtls', ca_id: caId, allow_any_name: true, store_private_keys: true }
    bodyOf(await app.request('POST', '/v1/pki/roles', { body }), 201)
    other = await newRole(app, caId, { store_private_keys: true })
    token = await newTestToken(app, SCOPES, { paths: ['pki/roles/svc-mtls'] })
    const csr = { subject: names, san_dns: ['svc.example.com'] }
    csrPem = bodyOf(await app.request('POST', '/v1/pki/csr', { body: csr }), 201).csr_pem
  })

  it('ok: issues, signs and reads under that role', async () => {
    bodyOf(await app.request('POST', '/v1/pki/issue/svc-mtls', { token, body: names }), 201)
    bodyOf(await app.request('POST', '/v1/pki/sign/svc-mtls', { token, body: { csr_pem: csrPem } }), 201)
    expect(bodyOf(await app.request('GET', '/v1/pki/roles/svc-mtls', { token })).name).toBe('svc-mtls')
  })

  it('fail: no other role, as if there were none', async () => {
    const paths = (role: string): readonly (readonly [string, string, unknown?])[] => [
      ['POST', `/v1/pki/issue/${role}`, names],
      ['POST', `/v1/pki/sign/${role}`, { csr_pem: csrPem }],
      ['GET', `/v1/pki/roles/${role}`],
      ['PATCH', `/v1/pki/roles/${role}`, { max_ttl: '1d' }],
      ['DELETE', `/v1/pki/roles/${role}`],
    ]
    const ask = (role: string) =>
      Promise.all(
        paths(role).map(([method, path, body]) =>
          app.request(method, path, { token, ...(body === undefined ? {} : { body }) }),
        ),
      )
    const [known, unknown] = [await ask(other), await ask('none')]
    expect(known.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404])
    expect(known.map(({ text }) => text.replaceAll(other, 'none').replaceAll(/req_\w+/g, ''))).toEqual(
      unknown.map(({ text }) => text.replaceAll(/req_\w+/g, '')),
    )
    const lookalikes = await Promise.all(
      ['svc-mtls2', 'svc-mtl', 'SVC-MTLS', 'svc-mtls%2f', 'svc-mtls/..'].map((role) =>
        app.request('POST', `/v1/pki/issue/${role}`, { token, body: names }),
      ),
    )
    expect(lookalikes.filter(({ status }) => status < 400)).toEqual([])
  })

  it('fail: nothing else: no CA, certificate, request, list, revocation or change of its own role to another CA', async () => {
    const leaf = bodyOf(await app.request('POST', '/v1/pki/issue/svc-mtls', { token, body: names }), 201)
    const second = await newCa(app)
    const asked: readonly (readonly [string, string, unknown?])[] = [
      ['GET', '/v1/pki/ca'],
      ['GET', `/v1/pki/ca/${caId}`],
      ['POST', `/v1/pki/ca/${caId}/crl`],
      ['POST', `/v1/pki/ca/${caId}/revoke`, {}],
      ['POST', '/v1/pki/ca', { name: 'x', common_name: 'x', ca_type: 'root', key_type: 'ec' }],
      ['GET', '/v1/pki/roles'],
      ['POST', '/v1/pki/roles', { name: 'svc-mtls-2', ca_id: caId }],
      ['POST', '/v1/pki/roles', { name: 'svc-mtls', ca_id: caId }],
      ['PATCH', '/v1/pki/roles/svc-mtls', { ca_id: second }],
      ['GET', '/v1/pki/certificates'],
      ['GET', `/v1/pki/certificates/${leaf.id}`],
      ['POST', `/v1/pki/certificates/${leaf.id}/renew`, {}],
      ['POST', `/v1/pki/certificates/${leaf.id}/private-key`],
      ['POST', `/v1/pki/certificates/${leaf.id}/export`, { passphrase: 'long enough' }],
      ['POST', '/v1/pki/revoke', { certificate_id: leaf.id }],
      ['POST', '/v1/pki/revoke', { serial_number: leaf.serial_number }],
      ['GET', '/v1/pki/csr'],
      ['POST', '/v1/pki/csr', { subject: names }],
      ['POST', '/v1/pki/csr/import', { csr_pem: csrPem }],
      ['GET', '/v1/pki/trust-anchors'],
      ['GET', '/v1/secrets?prefix=a/'],
    ]
    const answers = await Promise.all(
      asked.map(([method, path, body]) =>
        app.request(method, path, { token, ...(body === undefined ? {} : { body }) }),
      ),
    )
    expect(answers.filter(({ status }) => status !== 403 && status !== 404).map(({ text }) => text)).toEqual([])
  })

  it('fail: with certificates besides, it renews what came of its role alone', async () => {
    const wide = await newTestToken(app, SCOPES, { paths: ['pki/roles/svc-mtls', 'pki/certificates/*'] })
    const [own, foreign] = await Promise.all(
      ['svc-mtls', other].map(async (role) =>
        bodyOf(await app.request('POST', `/v1/pki/issue/${role}`, { body: names }), 201),
      ),
    )
    const renewals = await Promise.all(
      [own, foreign].map((leaf) =>
        app.request('POST', `/v1/pki/certificates/${leaf.id}/renew`, { token: wide, body: {} }),
      ),
    )
    expect(renewals.map(({ status }) => status)).toEqual([201, 404])
    expect(codeOf(renewals[1] as TestAnswer)).toBe('not_found')
  })
})
