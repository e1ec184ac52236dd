import { describe, expect, it } from 'vitest'
import { requestZeroSslCredentials } from '../../../src/acme/zerossl-credentials.ts'
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'

const NOW = Date.UTC(2026, 10, 21)
const MAC_KEY = 'MjXU3MH-marked-secret'

/** ZeroSSL, as strict about the request as its API. */
const zeroSsl =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Fetch =>
  async (url, init) => {
    expect(url).toBe('https://api.zerossl.com/acme/eab-credentials-email')
    expect(init).toMatchObject({ method: 'POST', body: 'email=certs%2Btest%40example.com' })
    expect(new Headers(init?.headers).get('content-type')).toBe('application/x-www-form-urlencoded')
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return new Response(text, { status, headers: { 'content-type': 'application/json; charset=utf-8', ...headers } })
  }

const ask = (fetch: Fetch) =>
  requestZeroSslCredentials(
    createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' }),
    'certs+test@example.com',
    NOW,
  )

describe("ZeroSSL's credentials for an e-mail address", () => {
  it.each([true, 1])('ok: success as %s', async (success) => {
    const answer = await ask(zeroSsl(200, { success, eab_kid: 'kid-1', eab_hmac_key: MAC_KEY }))
    expect(answer).toEqual({ ok: true, value: { keyId: 'kid-1', macKey: MAC_KEY } })
  })

  it('fail: what ZeroSSL answered is told', async () => {
    const error = { code: 2902, type: 'failed_creating_eab_account' }
    expect(await ask(zeroSsl(200, { success: false, error }))).toEqual({
      ok: false,
      error: {
        kind: 'failed',
        message: 'ZeroSSL gave no credentials for the e-mail address: failed_creating_eab_account (2902)',
        retryAtMs: null,
      },
    })
  })

  it('fail: its limits are limits', async () => {
    const error = { code: 2904, type: 'too_many_eab_credentials_created_today' }
    expect(await ask(zeroSsl(200, { success: false, error }))).toMatchObject({ error: { kind: 'rate_limited' } })
    const slow = await ask(zeroSsl(429, {}, { 'retry-after': '60' }))
    expect(slow).toMatchObject({ error: { kind: 'rate_limited', retryAtMs: NOW + 60_000 } })
  })

  it.each([
    ['a page', 503, '<html>', { 'content-type': 'text/html' }, '503 without JSON'],
    ['no JSON', 200, '{"success":', {}, 'answered 200'],
    ['no key', 200, { success: true, eab_kid: 'kid-1' }, {}, 'answered 200'],
    ['a key without success', 200, { success: 0, eab_kid: 'kid-1', eab_hmac_key: MAC_KEY }, {}, 'answered 200'],
    ['a key with another status', 500, { success: true, eab_kid: 'k', eab_hmac_key: MAC_KEY }, {}, 'answered 500'],
    ['a redirect', 302, '', { location: 'https://elsewhere.example' }, 'answered 302'],
  ])('fail: %s', async (_what, status, body, headers, said) => {
    const answer = await ask(zeroSsl(status, body, headers as Readonly<Record<string, string>>))
    expect(answer).toMatchObject({ error: { kind: 'failed', message: expect.stringContaining(said) } })
    expect(JSON.stringify(answer)).not.toContain(MAC_KEY)
  })

  it('fail: no connection', async () => {
    const answer = await ask(async () => {
      throw new TypeError('connection refused')
    })
    expect(answer).toMatchObject({ error: { kind: 'failed', message: expect.stringContaining('connection refused') } })
  })
})
