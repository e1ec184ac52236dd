import { beforeAll, describe, expect, it } from 'vitest'
import { type TestApp, testApp } from '../support/worker-app.ts'

const BASE = '/v1/pki/dns-providers'
let app: TestApp
let count = 0
beforeAll(async () => {
  app = await testApp()
})

const create = (body: Record<string, unknown>) => {
  count += 1
  return app.request('POST', BASE, { body: { name: `settings-${count}`, type: 'cloudflare', ...body } })
}

describe('settings of a DNS provider', () => {
  it.each([
    [{ config: { api_token: 'x', endpoint: '' } }, 'config.endpoint: is empty'],
    [{ config: { api_token: 'x', ttl: '' } }, 'config.ttl: is empty'],
    [{ config: { api_token: 'x', zone_id: '  ' } }, 'config.zone_id: is empty'],
    [{ credentials: { api_token: '' } }, 'credentials.api_token: is empty'],
    [
      { config: { api_token: 'x' }, credentials: { api_token: 'y' } },
      'credentials.api_token: has another value in config',
    ],
    [
      { config: { api_token: 'x', ttl: '60' }, credentials: { ttl: '90' } },
      'credentials.ttl: has another value in config',
    ],
    [
      { config: { api_token: 'x', endpoint: 'https://dns.example.com:0/api' } },
      'endpoint: a port is between 1 and 65535',
    ],
  ])('fail: %j', async (body, message) => {
    const answer = await create(body)
    expect([answer.status, answer.json.error?.message]).toEqual([400, expect.stringContaining(message)])
  })

  it('ok: the same value twice is no contradiction, and a change takes a setting away by an empty one', async () => {
    const made = await create({ config: { api_token: 'x', ttl: '90', zone_id: 'z' }, credentials: { ttl: '90' } })
    expect([made.status, made.json.config]).toEqual([201, { ttl: '90', zone_id: 'z' }])
    const changed = await app.request('PATCH', `${BASE}/${made.json.id}`, { body: { config: { ttl: '' } } })
    expect([changed.status, changed.json.config]).toEqual([200, { zone_id: 'z' }])
    const bare = await app.request('PATCH', `${BASE}/${made.json.id}`, { body: { credentials: { api_token: '' } } })
    expect([bare.status, bare.json.error?.message]).toEqual([
      400,
      expect.stringContaining('api_token: cloudflare needs it'),
    ])
  })
})

describe('what is not there', () => {
  it.each([
    ['/v1/tokens/tok_none', 'There is no token tok_none'],
    ['/v1/secrets/a/b', 'There is no secret a/b'],
    ['/v1/pki/ca/ca_none', 'There is no CA ca_none'],
    ['/v1/pki/ca/ca_none/crl', 'There is no CRL of the CA ca_none'],
    ['/v1/pki/csr/csr_none', 'There is no certificate request csr_none'],
  ])('fail: %s is told by its kind', async (path, message) => {
    const answer = await app.request('GET', path)
    expect([answer.status, answer.json.error.message]).toEqual([404, message])
  })

  it.each(['%00', '%09', '%0a', '%0d', '%0d%0a', '%e2%80%a8'])(
    'fail: a secret with %s in its path is no path',
    async (octets) => {
      const answer = await app.request('GET', `/v1/secrets/a${octets}b/c`)
      expect([answer.status, answer.json.error.message]).toEqual([400, expect.stringContaining('path: must be 1 to')])
    },
  )
})
