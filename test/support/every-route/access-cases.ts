/** Tokens, secrets, the audit, and what belongs to no tenant. What stands here: route-case.ts. */
import {
  ADMIN,
  AUDIT,
  at,
  OPERATOR,
  type RouteCases,
  SECRETS_READ,
  SECRETS_WRITE,
  TENANT_TOKENS,
  TOKENS,
} from './route-case.ts'

export const ACCESS_CASES: RouteCases = {
  'GET /healthz': { may: 'anyone', asks: [() => at('/healthz', [])] },
  'GET /readyz': { may: 'anyone', asks: [() => at('/readyz', [])] },
  'GET /v1/openapi.json': { may: 'anyone', asks: [() => at('/v1/openapi.json', [])] },
  'GET /v1/docs': { may: 'anyone', asks: [() => at('/v1/docs', [])] },
  'GET /agent/certwright.mjs': { may: 'anyone', asks: [() => at('/agent/certwright.mjs', [])] },
  'GET /agent/checksums.txt': { may: 'anyone', asks: [() => at('/agent/checksums.txt', [])] },

  'GET /v1/plans': { may: OPERATOR, asks: [() => at('/v1/plans', ['tenants/ten_*'])] },
  'GET /v1/tenants': { may: OPERATOR, asks: [() => at('/v1/tenants', ['tenants/ten_*'])] },
  'POST /v1/tenants': {
    may: OPERATOR,
    asks: [() => at('/v1/tenants', ['tenants/ten_*'], { name: 'new', plan: 'pro' })],
  },
  'GET /v1/tenants/self': { may: 'any token', asks: [() => at('/v1/tenants/self', [])] },
  'PATCH /v1/tenants/self': {
    may: ADMIN,
    asks: [
      () => at('/v1/tenants/self', ['tenant'], { log_retention_days: 400 }),
      ({ account }) =>
        at('/v1/tenants/self', ['tenant', `pki/acme/accounts/${account}`], { default_acme_account_id: account }),
    ],
    foreign: { 'body.default_acme_account_id': 400 },
  },
  'GET /v1/tenants/{id}': {
    may: OPERATOR,
    asks: [({ tenantId }) => at(`/v1/tenants/${tenantId}`, [`tenants/${tenantId}`])],
  },
  'PATCH /v1/tenants/{id}': {
    may: OPERATOR,
    asks: [
      async (own) => {
        const id = await own.newTenant()
        return at(`/v1/tenants/${id}`, [`tenants/${id}`], { status: 'suspended', reason: 'unpaid' })
      },
    ],
  },
  'DELETE /v1/tenants/{id}': {
    may: OPERATOR,
    asks: [
      async (own) => {
        const id = await own.newTenant()
        return at(`/v1/tenants/${id}`, [`tenants/${id}`])
      },
    ],
  },

  'GET /v1/tokens': {
    may: TOKENS,
    asks: [
      () => at('/v1/tokens', ['tokens/tok_*']),
      ({ tenantId }) => at(`/v1/tokens?tenant_id=${tenantId}`, ['tokens/tok_*']),
    ],
  },
  'POST /v1/tokens': {
    may: TOKENS,
    asks: [
      (_own, by) => at('/v1/tokens', ['tokens/tok_*'], { name: 'new', scopes: [by] }),
      ({ tenantId }, by) => at('/v1/tokens', ['tokens/tok_*'], { name: 'new', scopes: [by], tenant_id: tenantId }),
    ],
  },
  'GET /v1/tokens/self': { may: 'any token', asks: [() => at('/v1/tokens/self', [])] },
  'GET /v1/tokens/{id}': {
    may: TOKENS,
    asks: [
      ({ storedToken, tenantId }) => at(`/v1/tokens/${storedToken}?tenant_id=${tenantId}`, [`tokens/${storedToken}`]),
    ],
  },
  'DELETE /v1/tokens/{id}': {
    may: TOKENS,
    asks: [
      async (own) => {
        const id = await own.newToken()
        return at(`/v1/tokens/${id}?tenant_id=${own.tenantId}`, [`tokens/${id}`])
      },
    ],
  },

  'GET /v1/sign-in/issuers': {
    may: TENANT_TOKENS,
    asks: [() => at('/v1/sign-in/issuers', ['sign-in/issuers/idp_*'])],
  },
  'POST /v1/sign-in/issuers': {
    may: TENANT_TOKENS,
    asks: [
      ({ freshName }) => {
        const name = freshName()
        return at('/v1/sign-in/issuers', ['sign-in/issuers/idp_*'], { name, issuer: `https://${name}.example.com` })
      },
    ],
  },
  'GET /v1/sign-in/issuers/{id}': {
    may: TENANT_TOKENS,
    asks: [({ issuer }) => at(`/v1/sign-in/issuers/${issuer}`, [`sign-in/issuers/${issuer}`])],
  },
  'PATCH /v1/sign-in/issuers/{id}': {
    may: TENANT_TOKENS,
    asks: [
      ({ issuer, freshName }) =>
        at(`/v1/sign-in/issuers/${issuer}`, [`sign-in/issuers/${issuer}`], { name: freshName() }),
    ],
  },
  'DELETE /v1/sign-in/issuers/{id}': {
    may: TENANT_TOKENS,
    asks: [
      async (own) => {
        const id = await own.newIssuer()
        return at(`/v1/sign-in/issuers/${id}`, [`sign-in/issuers/${id}`])
      },
    ],
  },

  'GET /v1/secrets': {
    may: SECRETS_READ,
    asks: [() => at('/v1/secrets', ['secrets/*']), () => at('/v1/secrets?prefix=infra/', ['secrets/infra/*'])],
  },
  'PUT /v1/secrets/{path}': {
    may: SECRETS_WRITE,
    asks: [({ secret }) => at(`/v1/secrets/${secret}`, [`secrets/${secret}`], { data: { api_token: 'changed' } })],
  },
  'GET /v1/secrets/{path}': {
    may: SECRETS_READ,
    asks: [({ secret }) => at(`/v1/secrets/${secret}`, [`secrets/${secret}`])],
  },
  'DELETE /v1/secrets/{path}': {
    may: SECRETS_WRITE,
    asks: [
      async (own) => {
        const path = await own.newSecret()
        return at(`/v1/secrets/${path}`, [`secrets/${path}`])
      },
    ],
  },

  'GET /v1/audit': {
    may: AUDIT,
    asks: [
      () => at('/v1/audit', ['audit']),
      ({ certificate }) => at(`/v1/audit?certificate_id=${certificate}`, ['audit']),
    ],
    foreign: { 'query.certificate_id': 200 },
  },
  'GET /v1/audit/export': { may: AUDIT, asks: [() => at('/v1/audit/export', ['audit'])] },
  'GET /v1/audit/verify': { may: AUDIT, asks: [() => at('/v1/audit/verify', ['audit'])] },

  'GET /v1/metrics': { may: OPERATOR, asks: [() => at('/v1/metrics', ['metrics'])] },
  'GET /v1/keyring': { may: OPERATOR, asks: [() => at('/v1/keyring', ['keyring'])] },
  'POST /v1/keyring/reseal': { may: OPERATOR, asks: [() => at('/v1/keyring/reseal', ['keyring'], {})] },
}
