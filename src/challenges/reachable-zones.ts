/** Which zones a DNS provider's credentials open: the proof that they are good. Changes nothing there. */
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProviderError } from '../dns/dns-provider.ts'
import type { OpenedProvider } from './open-provider.ts'

/** Longest that a caller waits for the answer. */
const TIMEOUT_MS = 30_000

/** Every managed zone must lie in one of them. */
export async function reachableZones(
  { provider, descriptor }: Pick<OpenedProvider, 'provider' | 'descriptor'>,
  managedZones: readonly string[] | null,
): Promise<Result<readonly string[], DnsProviderError>> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const wanted = [...new Set((managedZones ?? []).map((zone) => zone.replace(/^\*\./, '')))]
  if (descriptor.listsZones) {
    const listed = await provider.listZones(signal)
    if (!listed.ok) return listed
    const foreign = wanted.find((name) => !listed.value.some((zone) => name === zone || name.endsWith(`.${zone}`)))
    if (foreign === undefined) return listed
    return refused(`they open no zone for ${foreign}; they open ${listed.value.slice(0, 20).join(', ') || 'none'}`)
  }
  if (wanted.length === 0) return refused(`${descriptor.code} cannot list its zones: give managed_zones to be verified`)
  const zones = new Set<string>()
  for (const name of wanted) {
    const zone = await provider.findZone(name, signal)
    if (!zone.ok) return zone
    const allowed = (await provider.checkZone?.(zone.value, signal)) ?? ok(undefined)
    if (!allowed.ok) return allowed
    zones.add(zone.value)
  }
  return ok([...zones])
}

const refused = (message: string) => err<DnsProviderError>({ kind: 'refused', message, retryAfterSeconds: null })
