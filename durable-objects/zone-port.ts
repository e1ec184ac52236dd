/** The way to the objects of DNS providers' credentials. */

import { findZoneDirectly } from '../src/challenges/open-provider.ts'
import type { CallableProvider, ProviderPort } from '../src/challenges/zone-object.ts'
import { systemClock } from '../src/core/clock.ts'
import { rateOf } from '../src/dns/rates.ts'
import type { Env } from '../src/env.ts'
import type { DnsZone } from './dns-zone.ts'

/**
 * One object per tenant and credentials: what a provider counts together is paced together, and never across tenants. With another
 * current key of the ring it is another object, which learns the pace anew.
 */
export function zonePort(env: Env, tenantId: string): ProviderPort {
  const objectOf = ({ keys }: CallableProvider): DurableObjectStub<DnsZone> =>
    env.DNS_ZONE.getByName(`${tenantId}/${keys.credentials}`)
  return {
    findZone: (provider, name) =>
      rateOf(provider.descriptor.code) === null
        ? findZoneDirectly(provider, name, systemClock)
        : objectOf(provider).findZone({ tenantId, providerId: provider.id, name }),
    apply: (provider, change) => objectOf(provider).apply(change),
  }
}
