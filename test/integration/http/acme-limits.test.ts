import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { accountBudget } from '../../../src/accounts/account-budget.ts'
import type { AccountObjects } from '../../../src/accounts/account-object.ts'
import type { BudgetLedger, BudgetVerdict } from '../../../src/accounts/budget.ts'
import { rateLimitsOf } from '../../../src/acme/rate-limits.ts'
import { err, ok } from '../../../src/core/result.ts'
import type { AppDependencies } from '../../../src/http/dependencies.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { addAccount } from '../support/acme-rows.ts'
import { bindings } from '../support/bindings.ts'
import { newTenant, newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const ACCOUNT_ID = 'acme_00000000000000000000000001'
const ACCOUNT_URL = 'https://acme-v02.api.letsencrypt.org/acme/acct/1'

let app: TestApp
let ledger: BudgetLedger | undefined

/** The account's object, without the object. */
function accountObjects(): AccountObjects<'reserveOrder' | 'checkBudget' | 'reportBudget' | 'identity'> {
  const directoryUrl = 'https://acme-v02.api.letsencrypt.org/directory'
  const budget = accountBudget({
    storage: {
      load: () => ledger,
      keep: (kept) => {
        ledger = kept
      },
      save: (saved) => {
        ledger = saved
      },
    },
    limits: rateLimitsOf({ provider: 'letsencrypt', environment: 'production', directoryUrl }),
    now: () => app.nowMs,
    dueRenewals: async () => [],
  })
  return () => ({
    reserveOrder: (orderId, domains) => budget.reserve(orderId, domains),
    checkBudget: (domains) => budget.outlook(domains),
    reportBudget: async (domain) => budget.report(domain),
    identity: async () =>
      err({ reason: 'transport', failure: 'unreachable', url: directoryUrl, message: 'nobody there' }),
  })
}

beforeAll(async () => {
  app = await testApp()
  const deps = app.deps as { -readonly [Name in keyof AppDependencies]: AppDependencies[Name] }
  deps.accounts = accountObjects() as AccountObjects
  deps.http = async ({ url }) =>
    url.startsWith('http://')
      ? ok({ status: 404, headers: new Headers(), body: new Uint8Array(0), url })
      : err({ reason: 'unreachable', url, message: 'no resolver here' })
  await addAccount(app.store, {
    id: ACCOUNT_ID,
    name: 'le',
    provider: 'letsencrypt',
    directoryUrl: 'https://acme-v02.api.letsencrypt.org/directory',
    accountUrl: ACCOUNT_URL,
  })
})
beforeEach(() => {
  ledger = undefined
})

const LIMITS = `/v1/pki/acme/accounts/${ACCOUNT_ID}/limits`
const body = (...domains: readonly string[]) => ({ account_id: ACCOUNT_ID, domains, challenge_type: 'http-01' })

/** Keeps a token of the budget for each of so many orders. */
async function hold(count: number, domains: readonly string[]): Promise<readonly BudgetVerdict[]> {
  const verdicts: BudgetVerdict[] = []
  for (let index = 0; index < count; index += 1) {
    verdicts.push(await app.deps.accounts(DEFAULT_TENANT_ID, ACCOUNT_ID).reserveOrder(`order-${index}`, domains))
  }
  return verdicts
}

describe('GET /v1/pki/acme/accounts/{id}/limits', () => {
  it('ok: what is left, in the form of the API', async () => {
    expect((await app.request('GET', LIMITS)).json).toEqual({
      account_id: ACCOUNT_ID,
      limits: [
        {
          name: 'new_orders',
          scope: 'account',
          scope_key: 'account',
          limit: 300,
          used: 0,
          remaining: 300,
          window_seconds: 10_800,
          next_available_at: null,
        },
      ],
      refusals: [],
      has_more: false,
    })
    await hold(5, ['www.acme.com'])
    const answer = await app.request('GET', `${LIMITS}?domain=WWW.Acme.com`)
    expect(answer.json.limits[0]).toEqual({
      name: 'certificates_per_identifier_set',
      scope: 'identifier_set',
      scope_key: 'www.acme.com',
      limit: 5,
      used: 5,
      remaining: 0,
      window_seconds: 604_800,
      // 33.6 hours after the test's noon.
      next_available_at: '2026-11-21T21:36:00Z',
    })
  })

  it('fail: a domain that is none, an account that is none or of another tenant, a token without the scope', async () => {
    const refused = await app.request('GET', `${LIMITS}?domain=a..b`)
    expect([refused.status, refused.json.error.details[0].path]).toEqual([400, 'domain'])
    expect((await app.request('GET', '/v1/pki/acme/accounts/acme_none/limits')).status).toBe(404)
    const foreign = await newTestToken(app, ['pki:read'], { tenantId: await newTenant() })
    expect((await app.request('GET', LIMITS, { token: foreign })).status).toBe(404)
    const other = await newTestToken(app, ['secrets:read'])
    expect((await app.request('GET', LIMITS, { token: other })).status).toBe(403)
    const reader = await newTestToken(app, ['pki:read'])
    expect((await app.request('GET', LIMITS, { token: reader })).status).toBe(200)
  })
})

describe('POST /v1/pki/acme/issue', () => {
  it('fail: refused by the budget with the time to come again, and nothing is written', async () => {
    expect((await hold(5, ['www.acme.com'])).map(({ allowed }) => allowed)).toEqual([true, true, true, true, true])
    const before = await bindings.DB.prepare('SELECT count(*) AS n FROM journal').first()
    const answer = await app.request('POST', '/v1/pki/acme/issue', { body: body('www.acme.com') })
    expect(answer.status).toBe(429)
    expect(answer.json.error).toMatchObject({ code: 'backend_rate_limited', retry_after: 33.6 * 3_600 })
    expect(answer.headers.get('retry-after')).toBe(String(33.6 * 3_600))
    expect(await bindings.DB.prepare('SELECT count(*) AS n FROM journal').first()).toEqual(before)
    expect(await bindings.DB.prepare('SELECT count(*) AS n FROM acme_orders').first()).toEqual({ n: 0 })
  })
})

describe('POST /v1/pki/acme/preflight', () => {
  it('ok: http-01, with the checks that cannot be made told as such', async () => {
    await hold(5, ['www.acme.com'])
    const before = await bindings.DB.prepare('SELECT count(*) AS n FROM journal').first()
    const answer = await app.request('POST', '/v1/pki/acme/preflight', { body: body('www.acme.com') })
    expect(answer.status).toBe(200)
    expect(answer.json).toMatchObject({
      status: 'error',
      directory: { status: 'error', message: expect.stringContaining('nobody there') },
      budget: {
        status: 'error',
        allowed: false,
        limit: 'certificates_per_identifier_set',
        next_available_at: '2026-11-21T21:36:00Z',
      },
      names: [
        {
          name: 'www.acme.com',
          status: 'unknown',
          checks: {
            dns_provider: null,
            cname: null,
            // The directory says nothing: what the CA has published counts.
            caa: { status: 'unknown', issuer_domains: ['letsencrypt.org'] },
            persistent_record: { status: 'unknown' },
            http_01: { status: 'ok', http_status: 404 },
          },
        },
      ],
    })
    expect(await bindings.DB.prepare('SELECT count(*) AS n FROM journal').first()).toEqual(before)
  })

  it('fail: reading is not enough, and neither are paths beside the account', async () => {
    const ask = async (scopes: readonly string[], paths?: readonly string[]) => {
      const token = await newTestToken(app, scopes, paths === undefined ? {} : { paths })
      return (await app.request('POST', '/v1/pki/acme/preflight', { token, body: body('www.acme.com') })).status
    }
    expect(await ask(['pki:read'])).toBe(403)
    expect(await ask(['pki:issue'], ['pki/acme/accounts/acme_other'])).toBe(404)
    expect(await ask(['pki:issue'], [`pki/acme/accounts/${ACCOUNT_ID}`])).toBe(200)
    const foreign = await newTestToken(app, ['pki:issue'], { tenantId: await newTenant() })
    const options = { token: foreign, body: body('www.acme.com') }
    expect((await app.request('POST', '/v1/pki/acme/preflight', options)).status).toBe(404)
  })
})
