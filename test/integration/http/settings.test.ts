import { describe, expect, it } from 'vitest'
import { checkEnv, type Env } from '../../../src/env.ts'

const KEY_RING = `k1:${'A'.repeat(43)}`
const check = (settings: Partial<Env>) => checkEnv({ KEY_RING, ...settings } as Env)

describe('the settings of a deployment', () => {
  it('ok: resolvers are a list, with or without spaces and empty entries', async () => {
    const { dnsResolvers } = await check({ DNS_RESOLVERS: 'https://one.example/dns-query, ,https://two.example/q,' })
    expect(dnsResolvers).toEqual(['https://one.example/dns-query', 'https://two.example/q'])
  })

  it('fail: a resolver that is no address is told by its position, not by what stands there', async () => {
    const DNS_RESOLVERS = 'https://one.example/dns-query,,MARKED-customer.resolver.example/dns-query'
    await expect(check({ DNS_RESOLVERS })).rejects.toThrow(/^DNS_RESOLVERS: entry 3 is not an address$/)
  })

  it.each([
    { KEY_RING: 'k1:MARKED' },
    { ADMIN_TOKEN: 'MARKED' },
    { PUBLIC_URL: 'MARKED' },
    { ALLOW_PRIVATE_TARGETS: 'MARKED' },
    { DNS_RESOLVERS: 'MARKED' },
    { PLANS: 'MARKED' },
    { PLANS: '{"MARKED": {"max_certificates": 1}}' },
    { PLANS: '{"team": {"max_certificates": "MARKED"}}' },
    { PLANS: '{"team": {"max_certificates": 1, "MARKED": true}}' },
    { PLANS: '{"team": {"wildcard": true}}' },
  ])('fail: a message names the setting, and holds nothing of its value: %o', async (settings) => {
    const [[name]] = Object.entries(settings) as [[string, string]]
    const message = await check(settings).then(
      () => 'accepted',
      (error: Error) => error.message,
    )
    expect([message.includes(name), message.includes('MARKED')]).toEqual([true, false])
  })
})
