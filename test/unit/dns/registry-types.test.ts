import { describe, expect, it } from 'vitest'
import { DNS_PROVIDERS, findDescriptor, parseSettings } from '../../../src/dns/registry.ts'

/** The types and settings that the API promises, each with its other name. */
const PROMISED: readonly (readonly [string, string | null, readonly string[]])[] = [
  ['aws_route53', 'route53', ['access_key_id', 'secret_access_key', 'session_token', 'region', 'hosted_zone_id']],
  ['cloudflare', null, ['api_token', 'zone_id']],
  ['google_cloud_dns', 'google', ['service_account_json', 'project_id', 'managed_zone']],
  ['azure_dns', 'azure', ['tenant_id', 'client_id', 'client_secret', 'subscription_id', 'resource_group']],
  ['digitalocean', null, ['api_token']],
  ['hetzner', null, ['api_token']],
  ['rfc2136', null, ['nameserver', 'tsig_key', 'tsig_algorithm', 'tsig_secret']],
]

describe('the seven types', () => {
  it('ok: they are those that the API promises', () => {
    expect(DNS_PROVIDERS.map(({ code }) => code).sort()).toEqual(PROMISED.map(([code]) => code).sort())
  })

  it.each(PROMISED)('ok: %s has its settings, and its secrets are marked', (code, alias, settings) => {
    const descriptor = findDescriptor(code)
    const names = descriptor?.settings.map(({ name }) => name) ?? []
    expect(names).toEqual(expect.arrayContaining([...settings]))
    expect(findDescriptor(alias ?? code)).toBe(descriptor)
    const secrets = descriptor?.settings.filter(({ secret }) => secret).map(({ name }) => name)
    expect(secrets?.length).toBeGreaterThan(0)
    expect(secrets).toEqual(
      expect.arrayContaining(settings.filter((name) => /secret|api_token|service_account|session_token/.test(name))),
    )
  })

  it.each(PROMISED)('fail: %s without its settings says which one it needs', (code) => {
    const descriptor = findDescriptor(code)
    const required = descriptor?.settings.find((setting) => setting.required)
    const parsed = descriptor === null ? null : parseSettings(descriptor, {}, true)
    expect(parsed).toMatchObject({ ok: false, error: expect.stringContaining(required?.name ?? 'no such') })
  })
})
