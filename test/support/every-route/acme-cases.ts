/** Accounts, orders and challenges, and DNS providers. What stands here: route-case.ts. */
import { ADMIN, type Ask, at, ISSUE, READ, type RouteCases } from './route-case.ts'

const ALL_ACCOUNTS = 'pki/acme/accounts/acme_*'
const ALL_PROVIDERS = 'pki/dns-providers/dnsp_*'

const ofAccount =
  (rest: string, body?: unknown): Ask =>
  ({ account }) =>
    at(`/v1/pki/acme/accounts/${account}${rest}`, [`pki/acme/accounts/${account}`], body)

/** What issue and preflight take, for the account alone and with a DNS provider. */
const ordering = (path: string): [Ask, Ask] => [
  (own) => {
    const body = { account_id: own.account, domains: [`${own.freshName()}.acme.example`], challenge_type: 'http-01' }
    return at(path, [`pki/acme/accounts/${own.account}`], body)
  },
  (own) => {
    const domains = [`${own.freshName()}.${own.mark}.example.net`]
    const body = { account_id: own.account, domains, challenge_type: 'dns-01', dns_provider_id: own.provider }
    return at(path, [`pki/acme/accounts/${own.account}`, `pki/dns-providers/${own.provider}`], body)
  },
]

const providersAt = (base: string): RouteCases => ({
  [`GET ${base}`]: { may: READ, asks: [() => at(base, [ALL_PROVIDERS])] },
  [`POST ${base}`]: {
    may: ADMIN,
    asks: [
      (own) => {
        const credentials = { api_token: 'x'.repeat(40) }
        return at(base, [ALL_PROVIDERS], { name: own.freshName(), provider_type: 'cloudflare', credentials })
      },
      (own) => {
        const config = { api_token_path: `${own.secret}#api_token` }
        return at(base, [ALL_PROVIDERS, `secrets/${own.secret}`], { name: own.freshName(), type: 'cloudflare', config })
      },
    ],
  },
  [`GET ${base}/{id}`]: {
    may: READ,
    asks: [({ provider }) => at(`${base}/${provider}`, [`pki/dns-providers/${provider}`])],
  },
  [`PATCH ${base}/{id}`]: {
    may: ADMIN,
    asks: [
      async (own) => {
        const id = await own.newProvider()
        return at(`${base}/${id}`, [`pki/dns-providers/${id}`], { config: { ttl: 120 } })
      },
    ],
  },
  [`DELETE ${base}/{id}`]: {
    may: ADMIN,
    asks: [
      async (own) => {
        const id = await own.newProvider()
        return at(`${base}/${id}`, [`pki/dns-providers/${id}`])
      },
    ],
  },
  [`POST ${base}/{id}/verify`]: {
    may: ADMIN,
    asks: [({ provider }) => at(`${base}/${provider}/verify`, [`pki/dns-providers/${provider}`], {})],
  },
})

export const ACME_CASES: RouteCases = {
  'GET /v1/pki/acme/accounts': { may: READ, asks: [() => at('/v1/pki/acme/accounts', [ALL_ACCOUNTS])] },
  'POST /v1/pki/acme/accounts': {
    may: ADMIN,
    asks: [
      (own) => {
        const body = { name: own.freshName(), provider: 'custom', directory_url: own.directoryUrl }
        return at('/v1/pki/acme/accounts', [ALL_ACCOUNTS], body)
      },
    ],
  },
  'GET /v1/pki/acme/accounts/{id}': { may: READ, asks: [ofAccount('')] },
  'PATCH /v1/pki/acme/accounts/{id}': { may: ADMIN, asks: [ofAccount('', { preferred_chain: 'Some Root' })] },
  'DELETE /v1/pki/acme/accounts/{id}': {
    may: ADMIN,
    asks: [
      async (own) => {
        const id = await own.newAccount()
        return at(`/v1/pki/acme/accounts/${id}`, [`pki/acme/accounts/${id}`])
      },
    ],
  },
  'POST /v1/pki/acme/accounts/{id}/register': { may: ADMIN, asks: [ofAccount('/register', {})] },
  'POST /v1/pki/acme/accounts/{id}/rollover': { may: ADMIN, asks: [ofAccount('/rollover', {})] },
  'GET /v1/pki/acme/accounts/{id}/limits': { may: READ, asks: [ofAccount('/limits')] },

  'POST /v1/pki/acme/issue': {
    may: ISSUE,
    asks: ordering('/v1/pki/acme/issue'),
    foreign: { 'body.dns_provider_id': 400 },
  },
  'POST /v1/pki/acme/preflight': {
    may: ISSUE,
    asks: ordering('/v1/pki/acme/preflight'),
    // What is wrong with a name is what it answers.
    foreign: { 'body.dns_provider_id': 200 },
  },
  'GET /v1/pki/acme/orders': {
    may: READ,
    asks: [
      () => at('/v1/pki/acme/orders', ['pki/acme/orders/acme_order_*']),
      ({ account }) => at(`/v1/pki/acme/orders?account_id=${account}`, ['pki/acme/orders/acme_order_*']),
    ],
    foreign: { 'query.account_id': 200 },
  },
  'GET /v1/pki/acme/orders/{id}': {
    may: READ,
    asks: [({ order }) => at(`/v1/pki/acme/orders/${order}`, [`pki/acme/orders/${order}`])],
  },
  'POST /v1/pki/acme/orders/{id}/refresh': {
    may: ISSUE,
    asks: [({ order }) => at(`/v1/pki/acme/orders/${order}/refresh`, [`pki/acme/orders/${order}`], {})],
  },
  'POST /v1/pki/acme/orders/{id}/cancel': {
    may: ISSUE,
    asks: [
      async (own) => {
        const id = await own.newOrder()
        return at(`/v1/pki/acme/orders/${id}/cancel`, [`pki/acme/orders/${id}`], {})
      },
    ],
  },
  'POST /v1/pki/acme/challenges/{id}/complete': {
    may: ISSUE,
    asks: [
      async (own) => {
        const id = await own.newChallenge()
        return at(`/v1/pki/acme/challenges/${id}/complete`, [`pki/acme/orders/${orderOf(id)}`], {})
      },
    ],
  },
  'GET /v1/pki/acme/challenges/{id}/tls-alpn-01': {
    may: ISSUE,
    asks: [
      ({ challenge, order }) => at(`/v1/pki/acme/challenges/${challenge}/tls-alpn-01`, [`pki/acme/orders/${order}`]),
    ],
  },
  'GET /.well-known/acme-challenge/{token}': {
    may: 'anyone',
    asks: [({ httpToken }) => at(`/.well-known/acme-challenge/${httpToken}`, [])],
  },

  ...providersAt('/v1/pki/dns-providers'),
  ...providersAt('/v1/dns/providers'),
}

/** `acme_chal_<order>_<number>` */
const orderOf = (challenge: string): string => challenge.replace(/^acme_chal_(\w{26})_\d+$/, 'acme_order_$1')
