/**
 * Who may call what, as a table: every route of the OpenAPI document × every scope by itself and none × tokens that are expired, deleted,
 * malformed, signed by an issuer, have paths, or are of a tenant that is suspended or being deleted. What is expected stands in
 * test/support/every-route, by hand. Other tenants' things: tenancy.test.ts.
 */
import { getTableColumns, getTableName } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { SCOPE_NAMES, type Scope } from '../../../src/core/principal.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { gaps, WALK, type Walked } from '../../support/every-route/all-cases.ts'
import type { FilledTenant } from '../../support/every-route/filled-tenant.ts'
import type { Asked } from '../../support/every-route/route-case.ts'
import { bindings } from '../support/bindings.ts'
import { filledApp, newFilledTenant } from '../support/filled-app.ts'
import { changesSince, changesUntilNow, WATCHED, watchChanges } from '../support/stored-changes.ts'
import { storedRows } from '../support/stored-rows.ts'
import { ISSUER, NOW_MS, newKey, sign, type TestKey } from '../support/token-issuer.ts'
import { newTenant, newTestToken, type TestApp } from '../support/worker-app.ts'

let app: TestApp
let own: FilledTenant
/** A token with one scope and nothing else. */
let withScope: Readonly<Record<Scope, string>>
/** Tokens that are refused before it is asked what they may do. */
let invalid: Readonly<Record<string, string | null>>
let withoutScope: string
/** Of an issuer that the tenant trusts, with a mapping for each scope. */
let signingKey: TestKey
/** Its tokens, with one scope each. */
let signed: Readonly<Record<Scope, string>>
const GIVEN = SCOPE_NAMES.filter((scope) => scope !== 'operator')

const signedIn = (key: TestKey, [scope]: readonly Scope[], claims: Readonly<Record<string, unknown>> = {}) =>
  sign(key, {
    claims: { sub: `holder-of-${scope}`, aud: `https://certwright.example/${DEFAULT_TENANT_ID}`, ...claims },
  })

beforeAll(async () => {
  app = await filledApp()
  signingKey = await newKey('k1')
  const mappings = GIVEN.map((scope) => ({ match: { sub: `holder-of-${scope}` }, scopes: [scope] }))
  const trusted = { name: 'issuer', issuer: ISSUER, jwks: { keys: [signingKey.jwk] }, mappings }
  expect((await app.request('POST', '/v1/sign-in/issuers', { body: trusted })).status).toBe(201)
  const signedTokens = GIVEN.map(async (scope) => [scope, await signedIn(signingKey, [scope])] as const)
  signed = Object.fromEntries(await Promise.all(signedTokens)) as Record<Scope, string>
  own = await newFilledTenant(app, DEFAULT_TENANT_ID, 'mark-own')
  const tokens = SCOPE_NAMES.map(async (scope) => [scope, await newTestToken(app, [scope])] as const)
  withScope = Object.fromEntries(await Promise.all(tokens)) as Record<Scope, string>
  const expired = await newTestToken(app, SCOPE_NAMES, { ttl: '60s' })
  app.nowMs += 60_000
  const deleted = await newTestToken(app, SCOPE_NAMES)
  const { id } = (await app.request('GET', '/v1/tokens/self', { token: deleted })).json
  expect((await app.request('DELETE', `/v1/tokens/${id}`)).status).toBe(204)
  const valid = await newTestToken(app, SCOPE_NAMES)
  const malformed = `${valid.slice(0, -1)} ${valid.slice(-1)}`
  invalid = { none: null, expired, deleted, malformed, cut: valid.slice(0, -1), unknown: `cw_${'A'.repeat(43)}` }
  const forged = await signedIn(await newKey('k1'), SCOPE_NAMES)
  const over = await signedIn(signingKey, SCOPE_NAMES, { exp: NOW_MS / 1_000 - 120 })
  Object.assign(invalid, { 'signed by a stranger': forged, 'signed and over': over })
  withoutScope = await newTestToken(app, ['pki:read'])
  const { id: bare } = (await app.request('GET', '/v1/tokens/self', { token: withoutScope })).json
  await bindings.DB.prepare("UPDATE tokens SET scopes = '[]' WHERE id = ?").bind(bare).run()
  await watchChanges()
})

async function send({ method }: Walked, asked: Asked, token: string | null): Promise<[status: number, code?: string]> {
  const answer = await app.request(method, asked.path, { token, ...('body' in asked ? { body: asked.body } : {}) })
  const code = answer.json?.error?.code
  return code === undefined ? [answer.status] : [answer.status, code]
}

const isSuccess = ([status]: readonly [number, string?]): boolean => status >= 200 && status < 300

const mayCall = ({ case: { may } }: Walked, scope: Scope): boolean =>
  may === 'anyone' || may === 'any token' || (may as readonly Scope[]).includes(scope)

/** A scope that is enough; of the routes that take any, some. */
const enough = ({ case: { may } }: Walked): Scope => (typeof may === 'string' ? 'secrets:read' : (may[0] ?? 'operator'))

const PROTECTED = WALK.filter(({ case: { may } }) => may !== 'anyone')

describe('who may do what', () => {
  it('ok: every route of the OpenAPI document is in the table, and nothing else', async () => {
    expect(gaps((await app.request('GET', '/v1/openapi.json', { token: null })).json)).toEqual([])
  })

  it.each(WALK)('ok: $route takes the scopes of the table, each by itself', async (walked) => {
    const outcomes: Record<string, unknown> = {}
    const expected: Record<string, unknown> = {}
    for (const scope of SCOPE_NAMES.filter((each) => mayCall(walked, each))) {
      for (const [index, ask] of walked.case.asks.entries()) {
        const outcome = await send(walked, await ask(own, scope), withScope[scope])
        outcomes[`${scope} ${index}`] = isSuccess(outcome) ? 'taken' : outcome
        expected[`${scope} ${index}`] = 'taken'
      }
    }
    expect(outcomes).toEqual(expected)
  })

  it.each(PROTECTED)(
    'fail: $route takes no other scope and no token that is not valid, and nothing changes',
    async (walked) => {
      const others = SCOPE_NAMES.filter((scope) => !mayCall(walked, scope))
      const asked = await walked.case.asks[0](own, enough(walked))
      const before = await changesUntilNow()
      const outcomes: Record<string, unknown> = {}
      for (const [state, token] of Object.entries(invalid)) outcomes[state] = await send(walked, asked, token)
      for (const scope of others) outcomes[scope] = await send(walked, asked, withScope[scope])
      if (walked.case.may !== 'any token') outcomes['no scope'] = await send(walked, asked, withoutScope)
      const expected = {
        ...Object.fromEntries(Object.keys(invalid).map((state) => [state, [401, 'unauthorized']])),
        ...Object.fromEntries(others.map((scope) => [scope, [403, 'forbidden']])),
        ...(walked.case.may === 'any token' ? {} : { 'no scope': [403, 'forbidden'] }),
      }
      expect(outcomes).toEqual(expected)
      expect(await changesSince(before)).toEqual([])
    },
  )

  it.each(PROTECTED)(
    'fail: $route takes a token with paths inside of them alone, and nothing changes outside',
    async (walked) => {
      const scope = enough(walked)
      for (const ask of walked.case.asks) {
        const asked = await ask(own, scope)
        for (const missing of asked.within) {
          const paths = [...asked.within.filter((each) => each !== missing), OUTSIDE]
          const token = await newTestToken(app, [scope], { paths })
          const before = await changesUntilNow()
          expect([missing, await send(walked, asked, token)]).toEqual([missing, refusalOf(missing)])
          expect(await changesSince(before)).toEqual([])
        }
        const token = await newTestToken(app, [scope], { paths: asked.within.length === 0 ? [OUTSIDE] : asked.within })
        const outcome = await send(walked, asked, token)
        expect([asked.within, isSuccess(outcome) ? 'taken' : outcome]).toEqual([asked.within, 'taken'])
      }
    },
  )
})

/** What a token of an issuer's that the tenant trusts may do with a scope is what one of ours may. */
describe('who has signed in', () => {
  it.each(PROTECTED)('ok: $route takes the same scopes of them, and nothing changes for others', async (walked) => {
    const outcomes: Record<string, unknown> = {}
    const expected: Record<string, unknown> = {}
    const refused = await walked.case.asks[0](own, enough(walked))
    const before = await changesUntilNow()
    for (const scope of GIVEN.filter((each) => !mayCall(walked, each))) {
      outcomes[scope] = await send(walked, refused, signed[scope])
      expected[scope] = [403, 'forbidden']
    }
    expect(await changesSince(before)).toEqual([])
    for (const scope of GIVEN.filter((each) => mayCall(walked, each))) {
      const outcome = await send(walked, await walked.case.asks[0](own, scope), signed[scope])
      outcomes[scope] = isSuccess(outcome) ? 'taken' : outcome
      expected[scope] = 'taken'
    }
    expect(outcomes).toEqual(expected)
  })
})

/** Operators are of the default tenant, which stays. */
const OF_TENANTS = PROTECTED.filter(({ case: { may } }) => `${may}` !== 'operator')

describe('a tenant that is suspended or being deleted', () => {
  const asked = new Map<Walked, Asked>()
  let theirs: FilledTenant
  let tenantId: string

  beforeAll(async () => {
    tenantId = await newTenant('to be closed')
    theirs = await newFilledTenant(app, tenantId, 'mark-closed')
    for (const walked of OF_TENANTS) asked.set(walked, await walked.case.asks[0](theirs, enough(walked)))
    const closed = { status: 'suspended', reason: 'unpaid' }
    expect((await app.request('PATCH', `/v1/tenants/${tenantId}`, { body: closed })).status).toBe(200)
  })

  it.each(OF_TENANTS)(
    'fail: $route is answered to a suspended tenant where it reads, and refused where it writes',
    async (walked) => {
      const before = await changesUntilNow()
      const outcome = await send(walked, asked.get(walked) as Asked, theirs.token)
      expect(isSuccess(outcome) ? 'taken' : outcome).toEqual(walked.method === 'GET' ? 'taken' : [403, 'forbidden'])
      expect(await changesSince(before)).toEqual([])
    },
  )

  it('fail: nothing is answered to a tenant that is being deleted', async () => {
    expect((await app.request('DELETE', `/v1/tenants/${tenantId}`)).status).toBe(202)
    const before = await changesUntilNow()
    const outcomes: Record<string, unknown> = {}
    for (const [walked, each] of asked) outcomes[walked.route] = await send(walked, each, theirs.token)
    expect(outcomes).toEqual(Object.fromEntries(OF_TENANTS.map(({ route }) => [route, [403, 'forbidden']])))
    expect(await changesSince(before)).toEqual([])
  })
})

/** Last: it leaves nothing. */
describe('the tables', () => {
  it('ok: whatever is written to one is noted', async () => {
    const rows = await storedRows()
    const filled = WATCHED.filter((table) => rows[getTableName(table)] !== '[]')
    const before = await changesUntilNow()
    for (const table of filled) {
      const name = getTableName(table)
      const [column] = Object.values(getTableColumns(table)).map((each) => each.name)
      await bindings.DB.prepare(`INSERT OR REPLACE INTO ${name} SELECT * FROM ${name}`).run()
      await bindings.DB.prepare(`UPDATE ${name} SET ${column} = ${column}`).run()
      await bindings.DB.prepare(`DELETE FROM ${name}`).run()
    }
    const expected = filled.flatMap((table) =>
      ['INSERT', 'UPDATE', 'DELETE'].map((change) => `${change} ${getTableName(table)}`),
    )
    expect([...new Set(await changesSince(before))]).toEqual(expected)
  })
})

const OUTSIDE = 'pki/roles/of-nobody'

/** An item is not there; an area, which everybody knows to be there, is forbidden. */
function refusalOf(resource: string): [number, string] {
  return /\*$|^[a-z/]+$/.test(resource) ? [403, 'forbidden'] : [404, 'not_found']
}
