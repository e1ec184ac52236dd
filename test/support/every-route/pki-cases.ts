/** The internal PKI: /v1/pki but for /v1/pki/acme. What stands here: route-case.ts. */
import type { FilledTenant } from './filled-tenant.ts'
import { ADMIN, type Ask, at, ISSUE, ISSUE_OR_ADMIN, READ, type RouteCases } from './route-case.ts'

const ALL_CAS = 'pki/ca/ca_*'
const ALL_CERTIFICATES = 'pki/certificates/cert_*'
const ALL_CSRS = 'pki/csr/csr_*'
const ALL_ANCHORS = 'pki/trust-anchors/trust_anchor_*'

const ofCa =
  (rest: string, body?: unknown): Ask =>
  ({ ca }) =>
    at(`/v1/pki/ca/${ca}${rest}`, [`pki/ca/${ca}`], body)

const ofNewCa =
  (rest: string, body: unknown): Ask =>
  async (own) => {
    const ca = await own.newCa()
    return at(`/v1/pki/ca/${ca}${rest}`, [`pki/ca/${ca}`], body)
  }

const ofCertificate =
  (rest: string, body?: unknown): Ask =>
  ({ certificate }) =>
    at(`/v1/pki/certificates/${certificate}${rest}`, [`pki/certificates/${certificate}`], body)

const ofRole =
  (rest = '', body?: unknown): Ask =>
  ({ role }) =>
    at(`/v1/pki/roles/${role}${rest}`, [`pki/roles/${role}`], body)

const ofNewCsr =
  (rest: string, body?: unknown): Ask =>
  async (own) => {
    const id = await own.newCsr()
    return at(`/v1/pki/csr/${id}${rest}`, [`pki/csr/${id}`], body)
  }

const root = (own: FilledTenant) => {
  const name = own.freshName()
  return { name, common_name: name, ca_type: 'root', key_type: 'ec' }
}

export const PKI_CASES: RouteCases = {
  'GET /v1/pki/ca': { may: ADMIN, asks: [() => at('/v1/pki/ca', [ALL_CAS])] },
  'POST /v1/pki/ca': {
    may: ADMIN,
    asks: [
      (own) => at('/v1/pki/ca', [ALL_CAS], root(own)),
      (own) => {
        const body = { ...root(own), ca_type: 'intermediate', parent_ca_id: own.ca }
        return at('/v1/pki/ca', [ALL_CAS], body)
      },
    ],
    foreign: { 'body.parent_ca_id': 400 },
  },
  'POST /v1/pki/ca/import': {
    may: ADMIN,
    asks: [
      async (own) => {
        const { caPem, caKeyPem } = await own.fromElsewhere()
        const body = { name: own.freshName(), certificate_pem: caPem, private_key_pem: caKeyPem }
        return at('/v1/pki/ca/import', [ALL_CAS], body)
      },
    ],
  },
  'GET /v1/pki/ca/{id}': { may: READ, asks: [ofCa('')] },
  'GET /v1/pki/ca/{id}/certificate': { may: 'anyone', asks: [ofCa('/certificate')] },
  'GET /v1/pki/ca/{id}/certificates': { may: READ, asks: [ofCa('/certificates')] },
  'POST /v1/pki/ca/{id}/reissue': { may: ADMIN, asks: [ofNewCa('/reissue', {})] },
  'POST /v1/pki/ca/{id}/cross-sign': {
    may: ADMIN,
    asks: [
      async (own) => {
        const ca = await own.newCa()
        const within = [`pki/ca/${ca}`, `pki/ca/${own.ca}`]
        return at(`/v1/pki/ca/${ca}/cross-sign`, within, { issuer_ca_id: own.ca })
      },
    ],
    foreign: { 'body.issuer_ca_id': 400 },
  },
  'POST /v1/pki/ca/{id}/revoke': { may: ADMIN, asks: [ofNewCa('/revoke', { reason: 'superseded' })] },
  'POST /v1/pki/ca/{id}/crl': { may: ADMIN, asks: [ofCa('/crl', {})] },
  'GET /v1/pki/ca/{id}/crl': { may: 'anyone', asks: [ofCa('/crl')] },
  'GET /v1/pki/ca/{id}/crl/{partition}': {
    may: 'anyone',
    asks: [({ partitionedCa }) => at(`/v1/pki/ca/${partitionedCa}/crl/1`, [])],
  },

  'GET /v1/pki/roles': { may: READ, asks: [() => at('/v1/pki/roles', ['pki/roles/*'])] },
  'POST /v1/pki/roles': {
    may: ADMIN,
    asks: [
      (own) => {
        const name = own.freshName()
        return at('/v1/pki/roles', [`pki/roles/${name}`, `pki/ca/${own.ca}`], { name, ca_id: own.ca })
      },
    ],
    foreign: { 'body.ca_id': 400 },
  },
  'GET /v1/pki/roles/{name}': { may: READ, asks: [ofRole()] },
  'PATCH /v1/pki/roles/{name}': {
    may: ADMIN,
    asks: [
      ({ role, ca }) => at(`/v1/pki/roles/${role}`, [`pki/roles/${role}`, `pki/ca/${ca}`], { ca_id: ca }),
      ofRole('', { max_ttl: '240h' }),
    ],
    foreign: { 'body.ca_id': 400 },
  },
  'DELETE /v1/pki/roles/{name}': {
    may: ADMIN,
    asks: [
      async (own) => {
        const role = await own.newRole()
        return at(`/v1/pki/roles/${role}`, [`pki/roles/${role}`])
      },
    ],
  },
  'POST /v1/pki/issue/{role}': {
    may: ISSUE,
    asks: [({ role }) => at(`/v1/pki/issue/${role}`, [`pki/roles/${role}`], { common_name: 'www.example.com' })],
  },
  'POST /v1/pki/sign/{role}': {
    may: ISSUE,
    asks: [({ role, csrPem }) => at(`/v1/pki/sign/${role}`, [`pki/roles/${role}`], { csr_pem: csrPem })],
  },

  'GET /v1/pki/certificates': {
    may: READ,
    asks: [
      () => at('/v1/pki/certificates', [ALL_CERTIFICATES]),
      ({ ca }) => at(`/v1/pki/certificates?ca_id=${ca}`, [ALL_CERTIFICATES]),
    ],
    foreign: { 'query.ca_id': 200 },
  },
  'GET /v1/pki/certificates/{id}': { may: READ, asks: [ofCertificate('')] },
  'PATCH /v1/pki/certificates/{id}': {
    may: ISSUE,
    asks: [
      ofCertificate('', { tags: ['changed'] }),
      ({ acmeCertificate, account }) => {
        const within = [`pki/certificates/${acmeCertificate}`, `pki/acme/accounts/${account}`]
        return at(`/v1/pki/certificates/${acmeCertificate}`, within, { account_id: account })
      },
    ],
  },
  'GET /v1/pki/certificates/{id}/pem': { may: READ, asks: [ofCertificate('/pem')] },
  'GET /v1/pki/certificates/{id}/versions': { may: READ, asks: [ofCertificate('/versions')] },
  'POST /v1/pki/certificates/{id}/renew': {
    may: ISSUE,
    asks: [
      ({ certificate, role }) => {
        const within = [`pki/certificates/${certificate}`, `pki/roles/${role}`]
        return at(`/v1/pki/certificates/${certificate}/renew`, within, {})
      },
    ],
  },
  'POST /v1/pki/certificates/{id}/private-key': { may: ISSUE, asks: [ofCertificate('/private-key', {})] },
  'POST /v1/pki/certificates/{id}/export': {
    may: ISSUE,
    asks: [ofCertificate('/export', { passphrase: 'correct horse' })],
  },
  'POST /v1/pki/certificates/{id}/unhold': {
    may: ADMIN,
    asks: [
      async (own) => {
        const id = await own.heldCertificate()
        return at(`/v1/pki/certificates/${id}/unhold`, [`pki/certificates/${id}`], {})
      },
    ],
  },
  'POST /v1/pki/certificates/import': {
    may: ADMIN,
    asks: [
      async (own) => {
        const { leafPem } = await own.fromElsewhere()
        return at('/v1/pki/certificates/import', [ALL_CERTIFICATES], { certificate_pem: leafPem })
      },
      async (own) => {
        const { ca, leafPem } = await own.newImportedCa()
        return at('/v1/pki/certificates/import', [ALL_CERTIFICATES], { certificate_pem: leafPem, ca_id: ca })
      },
    ],
    foreign: { 'body.ca_id': 400 },
  },
  'POST /v1/pki/certificates/validate': {
    may: READ,
    asks: [
      async (own) => {
        const { leafPem, caPem } = await own.fromElsewhere()
        return at('/v1/pki/certificates/validate', [], { certificate_pem: leafPem, chain_pem: caPem })
      },
    ],
  },
  'POST /v1/pki/revoke': {
    may: ADMIN,
    asks: [
      async (own) => {
        const { id } = await own.newCertificate()
        return at('/v1/pki/revoke', [`pki/certificates/${id}`], { certificate_id: id })
      },
      async (own) => {
        const { id, serial } = await own.newCertificate()
        return at('/v1/pki/revoke', [`pki/certificates/${id}`], { serial_number: serial, ca_id: own.ca })
      },
    ],
  },

  'GET /v1/pki/csr': { may: READ, asks: [() => at('/v1/pki/csr', [ALL_CSRS])] },
  'POST /v1/pki/csr': {
    may: ISSUE_OR_ADMIN,
    asks: [() => at('/v1/pki/csr', [ALL_CSRS], { subject: { common_name: 'www.example.com' } })],
  },
  'POST /v1/pki/csr/import': {
    may: ISSUE_OR_ADMIN,
    asks: [({ csrPem }) => at('/v1/pki/csr/import', [ALL_CSRS], { csr_pem: csrPem })],
  },
  'GET /v1/pki/csr/{id}': { may: READ, asks: [({ csr }) => at(`/v1/pki/csr/${csr}`, [`pki/csr/${csr}`])] },
  'DELETE /v1/pki/csr/{id}': { may: ADMIN, asks: [ofNewCsr('')] },
  'POST /v1/pki/csr/{id}/approve': { may: ADMIN, asks: [ofNewCsr('/approve', {})] },
  'POST /v1/pki/csr/{id}/reject': { may: ADMIN, asks: [ofNewCsr('/reject', {})] },
  'POST /v1/pki/csr/{id}/sign': {
    may: ADMIN,
    asks: [
      async (own) => {
        const id = await own.approvedCsr()
        return at(`/v1/pki/csr/${id}/sign`, [`pki/csr/${id}`, `pki/ca/${own.ca}`], { ca_id: own.ca })
      },
    ],
    foreign: { 'body.ca_id': 400 },
  },

  'GET /v1/pki/trust-anchors': { may: READ, asks: [() => at('/v1/pki/trust-anchors', [ALL_ANCHORS])] },
  'POST /v1/pki/trust-anchors': {
    may: ADMIN,
    asks: [
      async (own) => {
        const { caPem } = await own.fromElsewhere()
        return at('/v1/pki/trust-anchors', [ALL_ANCHORS], { name: own.freshName(), certificate_pem: caPem })
      },
    ],
  },
  'GET /v1/pki/trust-anchors/{id}': {
    may: READ,
    asks: [({ anchor }) => at(`/v1/pki/trust-anchors/${anchor}`, [`pki/trust-anchors/${anchor}`])],
  },
  'DELETE /v1/pki/trust-anchors/{id}': {
    may: ADMIN,
    asks: [
      async (own) => {
        const id = await own.newAnchor()
        return at(`/v1/pki/trust-anchors/${id}`, [`pki/trust-anchors/${id}`])
      },
    ],
  },
}
