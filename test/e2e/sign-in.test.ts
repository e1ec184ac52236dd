/** Signing in with tokens of a real OpenID provider, which changes its keys and fails while the service runs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OpenIdIssuer, startOpenIdIssuer } from '../support/openid-issuer.ts'
import { eventually, type Service, startService } from '../support/service.ts'

let service: Service
let issuer: OpenIdIssuer
let issuerId: string
let audience: string

beforeAll(async () => {
  ;[service, issuer] = await Promise.all([startService(), startOpenIdIssuer()])
  const made = await service.api('POST', '/v1/sign-in/issuers', {
    name: 'ci',
    issuer: issuer.issuer,
    mappings: [{ match: { sub: 'ci-job' }, scopes: ['pki:read'] }],
  })
  expect(made.status).toBe(201)
  issuerId = made.body.id
  audience = made.body.audience
}, 90_000)

afterAll(async () => {
  await Promise.all([service?.stop(), issuer?.stop()])
})

const ask = async (token: string) => (await service.api('GET', '/v1/tokens/self', undefined, { token })).status
/** A changed issuer has keys of its own again: what was fetched before counts no longer. */
const forgetKeys = (index: number) => service.api('PATCH', `/v1/sign-in/issuers/${issuerId}`, { name: `ci-${index}` })

describe('a token of a real OpenID provider', () => {
  it('ok: signs in, on the keys that discovery leads to', async () => {
    const token = await issuer.token(audience)
    const { status, body } = await service.api('GET', '/v1/tokens/self', undefined, { token })
    expect([status, body.id, body.scopes]).toEqual([200, `oidc:${issuerId}:ci-job`, ['pki:read']])
    expect(await ask(token)).toBe(200)
    expect(issuer.keysAsked).toBe(1)
  })

  it('fail: for another audience', async () => {
    expect(await ask(await issuer.token('https://other.example'))).toBe(401)
  })

  it('ok: keys that change while it runs are found, and a flood of unknown ones makes no flood of fetches', async () => {
    await issuer.rotate()
    const token = await issuer.token(audience)
    const before = issuer.keysAsked
    await Promise.all(Array.from({ length: 20 }, () => ask(token)))
    expect(issuer.keysAsked - before).toBeLessThanOrEqual(1)
    // At the latest after the half minute in which no one fetches again.
    await eventually(async () => ((await ask(token)) === 200 ? true : null), 40_000, 'signing in with the new key')
    expect(issuer.keysAsked - before).toBe(1)
  }, 60_000)

  it('ok: keys that are known serve while their document cannot be fetched', async () => {
    const token = await issuer.token(audience)
    issuer.keysAnswer = 'down'
    expect(await ask(token)).toBe(200)
  })

  it.each(['down', 'silent', 'huge', 'redirect'] as const)(
    'fail: keys are not known, and their document is %s',
    async (how) => {
      issuer.keysAnswer = how
      const token = await issuer.token(audience)
      await forgetKeys(issuer.keysAsked)
      const before = issuer.keysAsked
      expect(await Promise.all([ask(token), ask(token), ask(token)])).toEqual([401, 401, 401])
      expect(issuer.keysAsked - before).toBe(1)
      issuer.keysAnswer = 'keys'
      await forgetKeys(-issuer.keysAsked)
      expect(await ask(token)).toBe(200)
    },
    30_000,
  )
})
