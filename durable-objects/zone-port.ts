/** The way to the zones' objects. */
import type { Env } from '../src/env.ts'
import type { ApplyZoneChange } from '../src/orders/zone-writer.ts'

/** One object per tenant and zone: providers that replace a whole record set never race with themselves. */
export function zonePort(env: Env, tenantId: string): ApplyZoneChange {
  return (change) => env.DNS_ZONE.getByName(`${tenantId}/${change.zone}`).apply(change)
}
