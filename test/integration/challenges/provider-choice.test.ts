import { describe, expect, it } from 'vitest'
import { candidates, closeness, servesDomain } from '../../../src/challenges/provider-choice.ts'
import type { DnsProviderRow } from '../../../src/store/dns-providers.ts'

describe('a zone of its own for the challenge, delegated with NS', () => {
  const rowOf = (id: string, ...managedZones: string[]) => ({ id, managedZones }) as unknown as DnsProviderRow
  const own = rowOf('own', '_acme-challenge.example.org')
  const above = rowOf('above', 'example.org')

  it('ok: takes the record before the zone above it', () => {
    expect(candidates([above, own], '_acme-challenge.example.org').map(({ id }) => id)).toEqual(['own', 'above'])
    expect(candidates([above, own], '_acme-challenge.www.example.org').map(({ id }) => id)).toEqual(['above'])
    expect(closeness(own, '_acme-challenge.example.org')).toBe(3)
  })

  it('ok: serves orders for its domain, and for no other', () => {
    const domains = ['example.org', 'www.example.org', 'org', 'other.example']
    expect(domains.filter((domain) => servesDomain(own, domain))).toEqual(['example.org'])
    expect(domains.filter((domain) => servesDomain(above, domain))).toEqual(['example.org', 'www.example.org'])
    expect(servesDomain(rowOf('below', '*.example.org'), 'example.org')).toBe(false)
  })
})
