import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CLOUDFLARE } from '../../../src/dns/cloudflare/descriptor.ts'
import { COMMON_SETTINGS, DNS_PROVIDERS, findDescriptor, parseSettings } from '../../../src/dns/registry.ts'
import { RFC2136 } from '../../../src/dns/rfc2136/descriptor.ts'

describe('the registry', () => {
  it('ok: every type and every other name leads to one descriptor, and no name to two', () => {
    const types = DNS_PROVIDERS.flatMap(({ code, aliases }) => [code, ...aliases])
    expect(new Set(types).size).toBe(types.length)
    expect(types.map((type) => findDescriptor(type)?.code)).toEqual(
      DNS_PROVIDERS.flatMap(({ code, aliases }) => [code, ...aliases].map(() => code)),
    )
  })

  it('ok: every folder with a descriptor is registered, and runs the suite of all providers', () => {
    const codes = DNS_PROVIDERS.map(({ code }) => code).toSorted()
    const codesIn = (folder: string, end: string) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith(end))
        .map((path) => path.slice(0, -end.length).replaceAll('-', '_'))
    expect(codesIn('src/dns', '/descriptor.ts').toSorted()).toEqual(codes)
    expect(codesIn('test/contract/dns', '.test.ts').toSorted()).toEqual(codes)
  })

  it('ok: of every type it is said how often it lets itself be asked, or that it does not say', () => {
    expect(DNS_PROVIDERS.filter(({ rate }) => rate === null)).toEqual([RFC2136])
  })

  it('fail: an unknown type, and names that objects have by themselves', () => {
    for (const type of ['buypass', '', 'constructor', '__proto__']) expect(findDescriptor(type)).toBeNull()
  })

  it('ok: no type has a setting of its own that all have, or two of one name', () => {
    for (const { settings } of DNS_PROVIDERS) {
      const names = [...settings.map(({ name }) => name), ...COMMON_SETTINGS]
      expect(new Set(names).size).toBe(names.length)
    }
  })
})

describe('settings', () => {
  const values = { api_token: 'abc' }

  it('ok: what is not given is what the descriptor says', () => {
    expect(parseSettings(CLOUDFLARE, values, false)).toEqual({
      ok: true,
      value: {
        settings: values,
        common: { ttlSeconds: 60, propagationTimeoutSeconds: 300, nameservers: null, followCname: 'auto' },
        primary: null,
      },
    })
  })

  it('ok: the common ones are taken out and read', () => {
    const given = { ...values, ttl: '120', propagation_timeout: '10m', nameservers: 'ns1.example.com, 198.41.0.4:5353' }
    expect(parseSettings(CLOUDFLARE, given, false)).toEqual({
      ok: true,
      value: {
        settings: values,
        common: {
          ttlSeconds: 120,
          propagationTimeoutSeconds: 600,
          nameservers: ['ns1.example.com:53', '198.41.0.4:5353'],
          followCname: 'auto',
        },
        primary: null,
      },
    })
  })

  it('ok: follow_cname is auto or never, and nothing else', () => {
    for (const followCname of ['auto', 'never'] as const) {
      const given = { ...values, follow_cname: followCname }
      expect(parseSettings(CLOUDFLARE, given, false)).toMatchObject({ value: { common: { followCname } } })
    }
    expect(parseSettings(CLOUDFLARE, { ...values, follow_cname: 'always' }, false)).toEqual({
      ok: false,
      error: 'follow_cname: give auto or never',
    })
  })

  it('ok: of rfc2136 the primary is known', () => {
    const given = { nameserver: 'ns1.example.com', tsig_key: 'k', tsig_secret: 'c2VjcmV0' }
    expect(parseSettings(RFC2136, given, false)).toMatchObject({ value: { primary: 'ns1.example.com:53' } })
  })

  it.each([
    ['api_key', 'x', /^api_key: cloudflare has no such setting; it has api_token, zone_id, endpoint, ttl, /],
    ['api_token', '', /^api_token: cloudflare needs it: /],
    ['ttl', '0', /^ttl: /],
    ['ttl', 'soon', /^ttl: /],
    ['ttl', '2d', /^ttl: it is at most 86400 seconds/],
    ['propagation_timeout', '-1', /^propagation_timeout: /],
    ['propagation_timeout', '30d', /^propagation_timeout: it is at most 86400 seconds/],
    ['nameservers', 'ns1.example.com,a:b:c', /^nameservers\[1\]: /],
    ['nameservers', '127.0.0.1', /^nameservers\[0\]: .*private/],
    ['nameservers', Array.from({ length: 14 }, (_, i) => `ns${i}.example.com`).join(), /^nameservers: give at most 13/],
  ])('fail: %s = %j', (name, value, message) => {
    const result = parseSettings(CLOUDFLARE, { ...values, [name]: value }, false)
    expect(result).toEqual({ ok: false, error: expect.stringMatching(message) })
  })

  it('fail: a private primary, unless it is allowed', () => {
    const given = { nameserver: '127.0.0.1:5353', tsig_key: 'k', tsig_secret: 'c2VjcmV0' }
    expect(parseSettings(RFC2136, given, false)).toMatchObject({ error: expect.stringMatching(/^nameserver: /) })
    expect(parseSettings(RFC2136, given, true)).toMatchObject({ value: { primary: '127.0.0.1:5353' } })
  })
})
