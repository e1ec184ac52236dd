/** Zones, and certificates on them. What stands here: route-case.ts. */
import { ADMIN, type Ask, at, READ, type RouteCases } from './route-case.ts'

const ALL_ZONES = 'zones/zone_*'

const ofZone =
  (rest: string, body?: unknown): Ask =>
  ({ zone }) =>
    at(`/v1/zones/${zone}${rest}`, [`zones/${zone}`], body)

export const ZONE_CASES: RouteCases = {
  'GET /v1/zones': { may: READ, asks: [() => at('/v1/zones', [ALL_ZONES])] },
  'POST /v1/zones': {
    may: ADMIN,
    asks: [
      ({ zoneName, provider }) => {
        const body = { name: zoneName(), dns_provider_id: provider }
        return at('/v1/zones', [ALL_ZONES, `pki/dns-providers/${provider}`], body)
      },
    ],
  },
  'GET /v1/zones/{id}': { may: READ, asks: [ofZone('')] },
  'POST /v1/zones/{id}/verify': { may: ADMIN, asks: [ofZone('/verify', {})] },
  'DELETE /v1/zones/{id}': {
    may: ADMIN,
    asks: [
      async (own) => {
        const id = await own.newZone()
        return at(`/v1/zones/${id}`, [`zones/${id}`])
      },
    ],
  },
}
