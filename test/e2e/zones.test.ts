/** Certificates on an imported zone, step by step as their owner goes: importing, requesting, downloading, renewing, deleting, and what goes wrong. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { verifyChain } from '../support/chain.ts'
import { type ApiAnswer, eventually } from '../support/service.ts'

const ZONE = 'acme.example'
const BLOCKED = 'blocked.example'

let setup: AcmeSetup
let cleanZone: string[]
let zoneId: string

beforeAll(async () => {
  setup = await startAcmeSetup({ zones: [ZONE, BLOCKED], pebble: { domainBlocklist: [BLOCKED] } })
  cleanZone = await setup.bind.transfer(ZONE)
})
afterAll(() => setup?.stop())

const api = (method: string, path: string, body?: unknown): Promise<ApiAnswer> => setup.service.api(method, path, body)
const onPlan = async (plan: string): Promise<void> => {
  const { id } = (await api('GET', '/v1/tenants/self')).body
  expect(await api('PATCH', `/v1/tenants/${id}`, { plan })).toMatchObject({
    status: 200,
    body: { plan },
  })
}
const request = (domain: string, more: Readonly<Record<string, unknown>> = {}) =>
  api('POST', '/v1/certificates/', { zone_id: zoneId, domain, ...more })
const refusal = ({ status, body }: ApiAnswer) => [status, body.error?.code]

/** The certificate when it has left the states in which something is under way; which of them were seen before. */
function settled(id: string): Promise<ApiAnswer['body']> {
  return eventually(
    async () => {
      const { body } = await api('GET', `/v1/certificates/${id}`)
      return ['pending', 'validating'].includes(body.status) ? null : body
    },
    60_000,
    `the certificate ${id} to settle`,
  )
}

describe('a zone', () => {
  it('ok: is imported with its provider, verified, and left as it was', async () => {
    const created = await api('POST', '/v1/zones', { name: ZONE, dns_provider_id: setup.providerId })
    expect(created).toMatchObject({
      status: 201,
      body: { name: ZONE, status: 'verified', verified: true, error: null },
    })
    zoneId = created.body.id
    expect(await setup.bind.transfer(ZONE)).toEqual(cleanZone)
    expect(await api('POST', `/v1/zones/${zoneId}/verify/`)).toMatchObject({
      status: 200,
      body: { status: 'verified' },
    })
    expect(await setup.bind.transfer(ZONE)).toEqual(cleanZone)
    expect((await api('GET', '/v1/zones')).body.data).toMatchObject([{ id: zoneId }])
  })

  it('fail: one that the provider does not serve, a public suffix, one that is there', async () => {
    const add = (name: string) => api('POST', '/v1/zones', { name, dns_provider_id: setup.providerId })
    expect(refusal(await add('elsewhere.example'))).toEqual([400, 'invalid_request'])
    expect(refusal(await add('co.uk'))).toEqual([400, 'invalid_request'])
    expect(refusal(await add(ZONE))).toEqual([409, 'already_exists'])
  })
})

describe('what the plan does not include', () => {
  it('fail: free has no certificates, plus no wildcards and no automatic renewal', async () => {
    await onPlan('free')
    expect(refusal(await request(`free.${ZONE}`))).toEqual([403, 'plan_limit'])
    expect((await api('GET', '/v1/certificates')).body).toMatchObject({
      certificates: [],
      limits: { max_certificates: 0, current_count: 0, wildcard_enabled: false, auto_renew_enabled: false },
    })
    await onPlan('plus')
    expect(refusal(await request(ZONE, { wildcard: true }))).toEqual([403, 'plan_limit'])
    expect(refusal(await request(`plus.${ZONE}`, { auto_renew: true }))).toEqual([403, 'plan_limit'])
  })
})

describe('a certificate', () => {
  let id: string

  it('ok: is requested, and issued in a while', async () => {
    await onPlan('pro')
    const created = await request(`app.${ZONE}`, { sans: `www.${ZONE}, api.${ZONE}`, auto_renew: true })
    expect(created).toMatchObject({
      status: 201,
      body: {
        domain: `app.${ZONE}`,
        sans: [`www.${ZONE}`, `api.${ZONE}`],
        is_wildcard: false,
        auto_renew: true,
        status: 'pending',
        issued_at: null,
        expires_at: null,
        next_renewal_at: null,
      },
    })
    id = created.body.id
    expect(refusal(await request(`app.${ZONE}`))).toEqual([409, 'already_exists'])
    const issued = await settled(id)
    expect(issued.status).toBe('issued')
    expect(Date.parse(issued.next_renewal_at)).toBeGreaterThan(Date.now())
    expect(await setup.bind.transfer(ZONE)).toEqual(cleanZone)
    expect((await api('GET', '/v1/certificates/')).body).toMatchObject({
      certificates: [issued],
      limits: { max_certificates: 25, current_count: 1, wildcard_enabled: false, auto_renew_enabled: true },
    })
    expect((await api('GET', '/v1/pki/certificates?source=acme')).body.data).toMatchObject([{ id, status: 'active' }])
  })

  it('ok: is downloaded with its key', async () => {
    const { body } = await api('GET', `/v1/certificates/${id}/download`)
    const names = ['app', 'www', 'api'].map((name) => `${name}.${ZONE}`)
    expect(await verifyChain(setup.pebble, body.certificate_pem, names)).toEqual([])
    const leaf = new X509Certificate(body.certificate_pem)
    expect(leaf.checkPrivateKey(createPrivateKey(body.private_key_pem))).toBe(true)
    expect(leaf.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048)
  })

  it('fail: names outside of the zone, and zones that are not there', async () => {
    expect(refusal(await request('app.other.com'))).toEqual([400, 'invalid_request'])
    expect(refusal(await request(`a.${ZONE}`, { sans: ['b.other.com'] }))).toEqual([400, 'invalid_request'])
    const elsewhere = { zone: 'elsewhere.example', domain: 'a.elsewhere.example' }
    expect(refusal(await api('POST', '/v1/certificates', elsewhere))).toEqual([404, 'not_found'])
  })

  it('ok: is renewed at its owner’s request: validating, then issued with another serial number', async () => {
    const serial = async () => (await api('GET', `/v1/pki/certificates/${id}`)).body.serial_number
    const before = await serial()
    expect(await api('POST', `/v1/certificates/${id}/renew`)).toMatchObject({
      status: 202,
      body: { status: 'validating' },
    })
    expect((await settled(id)).status).toBe('issued')
    expect(await serial()).not.toBe(before)
    const { data } = (await api('GET', `/v1/certificates/${id}/logs`)).body
    expect(data.map(({ purpose, status }: Record<string, string>) => [purpose, status])).toEqual([
      ['forced', 'valid'],
      ['issue', 'valid'],
    ])
  })

  it('ok: stops and begins to renew by itself', async () => {
    const set = (auto_renew: boolean) => api('PATCH', `/v1/certificates/${id}`, { auto_renew })
    expect((await set(false)).body).toMatchObject({ auto_renew: false, next_renewal_at: null })
    expect((await set(true)).body).toMatchObject({ auto_renew: true, next_renewal_at: expect.any(String) })
  })

  it('ok: a wildcard, with an EC key, on the plan that includes it', async () => {
    await onPlan('elite')
    const { body } = await api('POST', '/v1/certificates', {
      zone: ZONE,
      domain: ZONE,
      sans: [ZONE],
      wildcard: true,
      key_type: 'ec',
    })
    expect(body).toMatchObject({ domain: `*.${ZONE}`, sans: [ZONE], is_wildcard: true })
    expect((await settled(body.id)).status).toBe('issued')
    const { certificate_pem } = (await api('GET', `/v1/certificates/${body.id}/download`)).body
    expect(await verifyChain(setup.pebble, certificate_pem, [`*.${ZONE}`, ZONE])).toEqual([])
    expect((await api('DELETE', `/v1/certificates/${body.id}`)).status).toBe(204)
  })

  it('fail: one that the CA refuses is failed; its logs say why, and nothing can be downloaded', async () => {
    const zone = await api('POST', '/v1/zones', { name: BLOCKED, dns_provider_id: setup.providerId })
    expect(zone.body.status).toBe('verified')
    const { body } = await api('POST', '/v1/certificates', { zone_id: zone.body.id, domain: `www.${BLOCKED}` })
    expect((await settled(body.id)).status).toBe('failed')
    const { data } = (await api('GET', `/v1/certificates/${body.id}/logs`)).body
    expect(data).toMatchObject([
      { status: 'invalid', error: { message: expect.stringContaining(BLOCKED) }, what_to_do: expect.any(String) },
    ])
    expect(refusal(await api('GET', `/v1/certificates/${body.id}/download`))).toEqual([409, 'conflict'])
    expect((await api('DELETE', `/v1/zones/${zone.body.id}`)).status).toBe(204)
    expect((await api('GET', `/v1/certificates/${body.id}`)).status).toBe(404)
  })

  it('ok: is deleted, revoked at the CA first; then the zone can go', async () => {
    expect(refusal(await api('DELETE', `/v1/zones/${zoneId}`))).toEqual([409, 'conflict'])
    const { serial_number } = (await api('GET', `/v1/pki/certificates/${id}`)).body
    expect((await api('DELETE', `/v1/certificates/${id}?revoke=true`)).status).toBe(204)
    // Pebble writes no leading zeros.
    const atCa = await setup.pebble.certificateStatus(serial_number.replaceAll(':', '').replace(/^0+/, ''))
    expect(atCa?.status).toBe('Revoked')
    expect((await api('GET', `/v1/pki/certificates/${id}`)).status).toBe(404)
    expect((await api('GET', '/v1/certificates')).body).toMatchObject({
      certificates: [],
      limits: { current_count: 0 },
    })
    expect((await api('DELETE', `/v1/zones/${zoneId}`)).status).toBe(204)
    const { data } = (await api('GET', `/v1/audit?resource=pki/certificates/${id}`)).body
    expect(data[0].event).toBe('certificate.deleted')
  })
})
