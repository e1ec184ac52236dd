/** Which zone of a provider serves a name. */

import type { PeerFailure } from '../core/peer-failure.ts'
import { err, type Result } from '../core/result.ts'
import { ZONE_TIMEOUT_MS } from '../dns/limits.ts'
import type { ChallengeDependencies } from './dependencies.ts'
import type { OpenedProvider } from './open-provider.ts'
import { providerFailure } from './provider-failure.ts'

/** Providers that count calls are asked in the one place for their credentials, which keeps their pace; others from here. */
export async function findZone(
  { zones, now }: Pick<ChallengeDependencies, 'zones' | 'now'>,
  tenantId: string,
  { id, descriptor, provider, keys }: OpenedProvider,
  name: string,
): Promise<Result<string, PeerFailure>> {
  if (descriptor.rate !== null) {
    return zones(tenantId, keys.credentials).findZone({ tenantId, providerId: id, name })
  }
  const zone = await provider.findZone(name, AbortSignal.timeout(ZONE_TIMEOUT_MS))
  return zone.ok ? zone : err(providerFailure(zone.error, now()))
}
