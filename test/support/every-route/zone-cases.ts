/** Zones, and certificates on them. What stands here: route-case.ts. */
import { ADMIN, type Ask, at, ISSUE, READ, type RouteCases } from './route-case.ts'

const ALL_ZONES = 'zones/zone_*'

const ofZone =
  (rest: string, body?: unknown): Ask =>
  ({ zone }) =>
    at(`/v1/zones/${zone}${rest}`, [`zones/${zone}`], body)

const ALL_CERTIFICATES = 'pki/certificates/cert_*'

const ofCertificate =
  (rest: string, body?: unknown): Ask =>
  ({ acmeCertificate }) =>
    at(`/v1/certificates/${acmeCertificate}${rest}`, [`pki/certificates/${acmeCertificate}`], body)

const ofNewCertificate =
  (rest: string, body?: unknown): Ask =>
  async (own) => {
    const id = await own.newAcmeCertificate()
    return at(`/v1/certificates/${id}${rest}`, [`pki/certificates/${id}`], body)
  }

const requested: Ask = (own) => {
  const { id, name } = own.verifiedZone
  const body = { zone_id: id, domain: `${own.freshName()}.${name}`, account_id: own.account }
  return at('/v1/certificates', [`zones/${id}`, `pki/acme/accounts/${own.account}`], body)
}

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
  'GET /v1/certificates': { may: READ, asks: [() => at('/v1/certificates', [ALL_CERTIFICATES])] },
  'POST /v1/certificates': { may: ISSUE, asks: [requested] },
  'GET /v1/certificates/{id}': { may: READ, asks: [ofCertificate('')] },
  'PATCH /v1/certificates/{id}': { may: ISSUE, asks: [ofCertificate('', { auto_renew: false })] },
  'DELETE /v1/certificates/{id}': { may: ADMIN, asks: [ofNewCertificate('')] },
  'GET /v1/certificates/{id}/download': { may: ISSUE, asks: [ofCertificate('/download')] },
  'POST /v1/certificates/{id}/renew': { may: ISSUE, asks: [ofNewCertificate('/renew', {})] },
  'GET /v1/certificates/{id}/logs': { may: READ, asks: [ofCertificate('/logs')] },
}
