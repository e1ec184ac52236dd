import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, createBindProvider, startAcmeSetup } from '../support/acme-setup.ts'
import { finishedOrder } from '../support/service.ts'

let setup: AcmeSetup

beforeAll(async () => {
  setup = await startAcmeSetup({ zones: ['acme.example', 'other.example'] })
})
afterAll(() => setup?.stop())

async function token(scopes: readonly string[], paths: readonly string[]): Promise<string> {
  const made = await setup.service.api('POST', '/v1/tokens', { name: 'scoped', scopes, paths })
  expect(made.status).toBe(201)
  return made.body.token
}

const issueWith = (bearer: string, domain: string, more: Readonly<Record<string, unknown>> = {}) =>
  setup.service.api(
    'POST',
    '/v1/pki/acme/issue',
    { account_id: setup.accountId, domains: [domain], challenge_type: 'dns-01', ...more },
    { token: bearer },
  )

describe('a token that names what it may use', () => {
  it('fail: an account without a provider aims no provider at any zone', async () => {
    const bearer = await token(['pki:issue'], [`pki/acme/accounts/${setup.accountId}`])
    const refused = await issueWith(bearer, 'www.acme.example')
    expect(refused.status).toBe(400)
    expect(refused.body.error.message).toContain('managed_zones')
    const named = await issueWith(bearer, 'www.acme.example', { dns_provider_id: setup.providerId })
    expect(named.status).toBe(404)
  })

  it('ok: with a provider, the zones of that one alone', async () => {
    const own = await createBindProvider(setup.service, setup.bind, ['inner.acme.example'], {}, 'inner')
    const bearer = await token(
      ['pki:issue'],
      [`pki/acme/accounts/${setup.accountId}`, `pki/dns-providers/${own}`, 'pki/acme/orders/acme_order_*'],
    )
    expect((await issueWith(bearer, 'www.other.example')).status).toBe(400)
    const ordered = await issueWith(bearer, 'www.inner.acme.example')
    expect(ordered.status).toBe(202)
    expect(await finishedOrder(setup.service, ordered.body.order_id)).toMatchObject({ status: 'valid' })
  })

  it('ok: one certificate, and nothing else, is what a companion needs', async () => {
    const order = await finishedOrder(setup.service, await setup.issue(['mine.acme.example']))
    const other = await finishedOrder(setup.service, await setup.issue(['theirs.acme.example']))
    const bearer = await token(['pki:issue'], [`pki/certificates/${order.certificate_id}`])
    const get = (method: string, path: string) => setup.service.api(method, path, undefined, { token: bearer })
    const own = `/v1/pki/certificates/${order.certificate_id}`
    expect((await get('GET', `${own}/pem`)).status).toBe(200)
    expect((await get('POST', `${own}/private-key`)).status).toBe(200)
    const foreign = `/v1/pki/certificates/${other.certificate_id}`
    expect((await get('GET', `${foreign}/pem`)).status).toBe(404)
    expect((await get('POST', `${foreign}/private-key`)).status).toBe(404)
    expect((await get('GET', '/v1/pki/certificates')).status).toBe(403)
    expect((await get('GET', '/v1/audit')).status).toBe(403)
    expect((await get('GET', '/v1/secrets?prefix=')).status).toBe(403)
  })

  it('fail: a provider whose secrets are outside of the paths', async () => {
    await setup.service.api('PUT', '/v1/secrets/infra/zone', { data: { value: 'x' }, secret_type: 'json' })
    const bearer = await token(['pki:admin'], ['pki/dns-providers/dnsp_*', 'secrets/team/*'])
    const refused = await setup.service.api(
      'POST',
      '/v1/dns/providers',
      {
        name: 'thief',
        type: 'cloudflare',
        config: { api_token_path: 'infra/zone', endpoint: 'http://127.0.0.1:1/' },
      },
      { token: bearer },
    )
    expect(refused.status).toBe(404)
  })
})
