import { describe, expect, it } from 'vitest'
import { createHttpClient } from '../../../src/core/http-client.ts'
import { ok } from '../../../src/core/result.ts'
import { type AccessTokenSource, createAccessTokenSource } from '../../../src/dns/access-token.ts'

interface Endpoint {
  readonly tokens: AccessTokenSource
  readonly bodies: unknown[]
  nowMs: number
}

/** Answers in turn; the last answer again and again. */
function endpointWith(answers: readonly { readonly status: number; readonly body: unknown }[]): Endpoint {
  const bodies: unknown[] = []
  const http = createHttpClient({
    allowPrivateTargets: false,
    userAgent: 'test',
    fetch: async (_, init) => {
      init?.signal?.throwIfAborted()
      bodies.push(init?.body)
      const { status, body } = answers[Math.min(bodies.length, answers.length) - 1] ?? { status: 500, body: null }
      return Response.json(body, { status })
    },
  })
  const endpoint = { bodies, nowMs: 0 }
  const tokens = createAccessTokenSource({
    api: { http, now: () => endpoint.nowMs, code: 'some', secrets: ['s&cret-value'] },
    tokenUrl: 'https://login.example/token',
    buildForm: async (nowMs) => ok({ secret: 's&cret-value', at: String(nowMs) }),
  })
  return Object.assign(endpoint, { tokens })
}

const given = (token: string, expiresIn?: number) => ({
  status: 200,
  body: { access_token: token, token_type: 'bearer', ...(expiresIn === undefined ? {} : { expires_in: expiresIn }) },
})
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

describe('access tokens', () => {
  it('ok: kept until a minute before they expire, then asked for anew with a new form', async () => {
    const endpoint = endpointWith([given('one', 100), given('two', 100)])
    expect(await endpoint.tokens(soon())).toEqual({ ok: true, value: 'one' })
    endpoint.nowMs = 39_999
    expect(await endpoint.tokens(soon())).toEqual({ ok: true, value: 'one' })
    endpoint.nowMs = 40_000
    expect(await endpoint.tokens(soon())).toEqual({ ok: true, value: 'two' })
    expect(endpoint.bodies).toEqual(['secret=s%26cret-value&at=0', 'secret=s%26cret-value&at=40000'])
  })

  it('ok: one without a lifetime, or with less than a minute, is used once', async () => {
    const endpoint = endpointWith([given('one'), given('two', 59), given('three', 3600)])
    expect(await endpoint.tokens(soon())).toEqual({ ok: true, value: 'one' })
    expect(await endpoint.tokens(soon())).toEqual({ ok: true, value: 'two' })
    expect(await endpoint.tokens(soon())).toEqual({ ok: true, value: 'three' })
  })

  it('ok: a failure is not kept', async () => {
    const endpoint = endpointWith([{ status: 503, body: {} }, given('one', 3600)])
    const signal = soon()
    expect(await endpoint.tokens(signal)).toMatchObject({ ok: false, error: { kind: 'unavailable' } })
    expect(await endpoint.tokens(signal)).toEqual({ ok: true, value: 'one' })
  })

  it('ok: calls with one signal share the request, others do not', async () => {
    const endpoint = endpointWith([given('one', 3600), given('two', 3600)])
    const signal = soon()
    const shared = await Promise.all([endpoint.tokens(signal), endpoint.tokens(signal), endpoint.tokens(soon())])
    expect(shared.map((each) => each.ok && each.value)).toEqual(['one', 'one', 'two'])
    expect(endpoint.bodies).toHaveLength(2)
  })

  it.each([
    ['invalid_client', 'unauthorized', 401],
    ['invalid_grant', 'unauthorized', 400],
    ['temporarily_unavailable', 'unavailable', 503],
  ])('fail: %s is %s, without the secret', async (error, kind, status) => {
    const body = { error, error_description: 'not s&cret-value enough\r\nTrace ID: 0000' }
    expect(await endpointWith([{ status, body }]).tokens(soon())).toEqual({
      ok: false,
      error: {
        kind,
        message: `some: get an access token: ${status} ${error}: not (secret) enough`,
        retryAfterSeconds: null,
      },
    })
  })
})
