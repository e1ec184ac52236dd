/** The way to the objects of DNS providers' credentials. */

import type { ZoneObjects } from '../src/challenges/zone-object.ts'
import type { Env } from '../src/env.ts'

/**
 * One object per tenant and credentials: what a provider counts together is paced together, and never across tenants. With
 * another current key of the ring it is another object, which learns the pace anew.
 */
export function zoneObjects(env: Env): ZoneObjects {
  return (tenantId, credentials) => env.DNS_ZONE.getByName(`${tenantId}/${credentials}`)
}
