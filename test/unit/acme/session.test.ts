/** What lies under every request: nonces, directories, and servers that do wrong. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeAcmeError, isRateLimited, isTransient, retryAfterOf } from '../../../src/acme/acme-error.ts'
import { type AcmeClient, type AcmeClientOptions, createAcmeClient } from '../../../src/acme/client.ts'
import { dnsIdentifier } from '../../../src/acme/identifier.ts'
import type { SigningKey } from '../../../src/acme/signing-key.ts'
import { createHttpClient } from '../../../src/core/http-client.ts'
import { createSigningKey } from '../../support/signing-key.ts'
import { json, NOW_MS, ORIGIN, problem, type ScriptedCa, startScriptedCa, USER_AGENT } from './scripted-ca.ts'

let ca: ScriptedCa
let key: SigningKey
let nowMs: number
beforeEach(async () => {
  ca = startScriptedCa()
  key = (await createSigningKey()).key
  nowMs = NOW_MS
})
afterEach(() => {
  expect(ca.violations).toEqual([])
})

function clientOf(more: Partial<AcmeClientOptions> = {}): AcmeClient {
  const { http, directoryUrl } = ca
  const now = () => nowMs
  return createAcmeClient({
    http,
    directoryUrl,
    accountKey: key,
    accountUrl: null,
    now,
    allowPrivateTargets: false,
    ...more,
  })
}

async function registered(): Promise<AcmeClient> {
  const client = clientOf()
  await client.newAccount({})
  return client
}

const seenAt = (path: string) => ca.seen.filter((request) => request.path === path)
const IDENTIFIERS = [dnsIdentifier('acme.example')]

describe('nonces (RFC 8555 §6.5)', () => {
  it('ok: one HEAD, then every answer brings the next', async () => {
    const client = await registered()
    await client.newOrder({ identifiers: IDENTIFIERS })
    await client.order(`${ORIGIN}/order/1`)
    expect(seenAt('/new-nonce').map(({ method }) => method)).toEqual(['HEAD'])
    const used = ca.seen.flatMap(({ header }) => (header === null ? [] : [header.nonce]))
    expect(used).toEqual(['nonce-1', 'nonce-2', 'nonce-3'])
  })

  it('ok: badNonce is answered with the nonce of that very response, signed anew, without a HEAD', async () => {
    const client = await registered()
    let given = ''
    ca.fault({
      path: /new-order/,
      answer: () => {
        given = ca.freshNonce()
        return problem(400, 'badNonce', { 'replay-nonce': given })
      },
    })
    expect(await client.newOrder({ identifiers: IDENTIFIERS })).toMatchObject({ ok: true })
    expect(seenAt('/new-order').map(({ header }) => header?.nonce)).toEqual(['nonce-2', given])
    expect(seenAt('/new-nonce').length).toBe(1)
  })

  it('ok: five badNonces in a row are survived', async () => {
    const client = await registered()
    const answer = () => problem(400, 'badNonce', { 'replay-nonce': ca.freshNonce() })
    ca.fault({ path: /new-order/, times: 5, answer })
    expect(await client.newOrder({ identifiers: IDENTIFIERS })).toMatchObject({ ok: true })
    expect(seenAt('/new-order').length).toBe(6)
  })

  it('fail: a storm of badNonce ends after five tries with new nonces, and is worth another try later', async () => {
    const client = await registered()
    const answer = () => problem(400, 'badNonce', { 'replay-nonce': ca.freshNonce() })
    ca.fault({ path: /new-order/, times: 100, answer })
    const refused = await client.newOrder({ identifiers: IDENTIFIERS })
    expect(refused).toEqual({
      ok: false,
      error: { reason: 'bad_nonce', url: `${ORIGIN}/new-order`, attempts: 6, detail: 'refused with badNonce' },
    })
    expect(seenAt('/new-order').length).toBe(6)
    expect(!refused.ok && isTransient(refused.error)).toBe(true)
  })

  it('ok: a badNonce without a nonce in it costs a HEAD', async () => {
    const client = await registered()
    ca.fault({ path: /new-order/, answer: () => problem(400, 'badNonce') })
    expect(await client.newOrder({ identifiers: IDENTIFIERS })).toMatchObject({ ok: true })
    expect(seenAt('/new-nonce').length).toBe(2)
  })

  it('ok: parallel requests never share a nonce', async () => {
    const client = await registered()
    const all = await Promise.all(Array.from({ length: 8 }, () => client.newOrder({ identifiers: IDENTIFIERS })))
    expect(all.map(({ ok }) => ok)).toEqual(new Array(8).fill(true))
    expect(new Set(seenAt('/new-order').map(({ header }) => header?.nonce)).size).toBe(8)
  })

  it('ok: errors bring nonces too', async () => {
    const client = await registered()
    await client.finalize(`${ORIGIN}/finalize/9`, Uint8Array.of(1))
    await client.newOrder({ identifiers: IDENTIFIERS })
    expect(seenAt('/new-nonce').length).toBe(1)
  })

  it('ok: a nonce outside base64url is ignored (RFC 8555 §6.5.1)', async () => {
    const client = await registered()
    const headers = { 'replay-nonce': 'not base64url!', location: `${ORIGIN}/order/5` }
    ca.fault({ path: /account/, answer: () => json(200, { status: 'valid' }, headers) })
    await client.account()
    expect(await client.newOrder({ identifiers: IDENTIFIERS })).toMatchObject({ ok: true })
    expect(seenAt('/new-nonce').length).toBe(2)
  })

  it('fail: a server that gives no nonce', async () => {
    ca.fault({ path: /new-nonce/, answer: () => new Response(null, { status: 204 }) })
    expect(await clientOf().newAccount({})).toMatchObject({
      ok: false,
      error: { reason: 'bad_answer', message: 'gave no usable Replay-Nonce' },
    })
  })
})

describe('the directory (RFC 8555 §7.1.1)', () => {
  it('ok: is typed; unknown members and the CA’s random key are ignored', async () => {
    ca.directory.meta = {
      termsOfService: 'https://ca.example/terms',
      website: 7,
      caaIdentities: ['ca.example'],
      externalAccountRequired: true,
      profiles: { classic: 'Ninety days', odd: { a: 1 } },
      accountHashPrefix: 'https://ca.example/hash/',
      issuerDomainNames: ['ca.example'],
    }
    delete ca.directory.keyChange
    const directory = await clientOf().directory()
    expect(directory).toEqual({
      ok: true,
      value: {
        newNonce: `${ORIGIN}/new-nonce`,
        newAccount: `${ORIGIN}/new-account`,
        newOrder: `${ORIGIN}/new-order`,
        revokeCert: `${ORIGIN}/revoke-cert`,
        newAuthz: `${ORIGIN}/new-authz`,
        renewalInfo: `${ORIGIN}/renewal-info`,
        keyChange: null,
        meta: {
          termsOfServiceUrl: 'https://ca.example/terms',
          websiteUrl: null,
          caaIdentities: ['ca.example'],
          externalAccountRequired: true,
          profiles: { classic: 'Ninety days', odd: '' },
          accountHashPrefix: 'https://ca.example/hash/',
          issuerDomainNames: ['ca.example'],
        },
      },
    })
  })

  it('fail: names that are not printable are left out, and the directory is read', async () => {
    ca.directory.meta = {
      caaIdentities: ['ca.example', 'ca\u202e.example', 7, 'c'.repeat(300)],
      issuerDomainNames: ['ca\nexample', 'ca.example'],
      accountHashPrefix: 'https://ca.example/\u0000',
    }
    expect(await clientOf().directory()).toMatchObject({
      ok: true,
      value: { meta: { caaIdentities: ['ca.example'], issuerDomainNames: ['ca.example'], accountHashPrefix: null } },
    })
  })

  it('ok: is read once a day, and a kept one is used by the next client', async () => {
    const client = await registered()
    nowMs += 23 * 3_600_000
    await client.newOrder({ identifiers: IDENTIFIERS })
    expect(seenAt('/directory').length).toBe(1)
    const next = clientOf({ accountUrl: client.accountUrl(), cachedDirectory: client.cachedDirectory() })
    await next.newOrder({ identifiers: IDENTIFIERS })
    expect(seenAt('/directory').length).toBe(1)
    nowMs += 3_600_000
    await next.newOrder({ identifiers: IDENTIFIERS })
    expect(seenAt('/directory').length).toBe(2)
  })

  it('ok: an old directory serves while the new one cannot be read', async () => {
    const client = await registered()
    nowMs += 25 * 3_600_000
    ca.fault({ path: /directory/, answer: () => new Response('<html>', { status: 503 }) })
    expect(await client.newOrder({ identifiers: IDENTIFIERS })).toMatchObject({ ok: true })
    expect(await client.directory({ refresh: true })).toMatchObject({ ok: true })
  })

  it('ok: after a 404 it is read again once, and the request goes to the new address', async () => {
    const client = await registered()
    nowMs += 3_600_000
    ca.directory.renewalInfo = `${ORIGIN}/renewal-info/v2`
    ca.fault({ path: /renewal-info\/AA/, answer: () => problem(404, 'malformed') })
    expect(await client.renewalInfo('AA.AA')).toMatchObject({ ok: true })
    expect(ca.seen.slice(-3).map(({ path }) => path)).toEqual([
      '/renewal-info/AA.AA',
      '/directory',
      '/renewal-info/v2/AA.AA',
    ])
  })

  it('fail: a 404 from an address that did not move is a 404, and the directory is left alone for a minute', async () => {
    const client = await registered()
    nowMs += 3_600_000
    ca.fault({ path: /renewal-info/, times: 9, answer: () => problem(404, 'malformed') })
    for (let i = 0; i < 3; i += 1) {
      expect(await client.renewalInfo('AA.AA')).toMatchObject({ ok: false, error: { status: 404 } })
    }
    expect(seenAt('/directory').length).toBe(2)
  })

  it('ok: three redirects are followed', async () => {
    for (const hop of [1, 2, 3]) {
      const path = new RegExp(hop === 1 ? '^/directory' : `moved-${hop - 1}$`)
      const location = hop === 3 ? '/directory' : `/moved-${hop}`
      ca.fault({ path, answer: () => new Response(null, { status: 301, headers: { location } }) })
    }
    expect(await clientOf().directory()).toMatchObject({ ok: true })
    expect(ca.seen.map(({ path }) => path)).toEqual(['/directory', '/moved-1', '/moved-2', '/directory'])
  })

  it('fail: a redirect to a private address', async () => {
    const headers = { location: 'https://169.254.169.254/latest/meta-data' }
    ca.fault({ path: /directory/, answer: () => new Response(null, { status: 302, headers }) })
    const directory = await clientOf().directory()
    expect(directory).toMatchObject({ ok: false, error: { reason: 'transport', failure: 'blocked_target' } })
    expect(!directory.ok && isTransient(directory.error)).toBe(false)
    expect(ca.seen.length).toBe(1)
  })

  it('fail: an HTML page', async () => {
    const headers = { 'content-type': 'text/html; charset=utf-8' }
    ca.fault({ path: /directory/, answer: () => new Response('<!doctype html><title>Hi</title>', { headers }) })
    const directory = await clientOf().directory()
    expect(directory).toMatchObject({ ok: false, error: { wrong: 'not_acme', excerpt: expect.stringContaining('Hi') } })
    expect(!directory.ok && describeAcmeError(directory.error)).toBe(
      'https://ca.example/directory answered HTML, not an ACME directory (application/json)',
    )
  })

  for (const [what, answer, error] of [
    ['a 404', () => new Response('nothing', { status: 404 }), { wrong: 'status', status: 404 }],
    ['no media type', () => new Response(new Uint8Array([123, 125])), { wrong: 'not_acme' }],
    ['no JSON', () => new Response('{', { headers: { 'content-type': 'application/json' } }), { wrong: 'not_acme' }],
    ['a list', () => json(200, []), { wrong: 'shape' }],
    ['null', () => json(200, null), { wrong: 'shape' }],
    ['no newOrder', () => json(200, { ...ca.directory, newOrder: undefined }), { wrong: 'shape' }],
    ['plain http', () => json(200, { ...ca.directory, newOrder: 'http://ca.example/' }), { wrong: 'shape' }],
    ['a private host', () => json(200, { ...ca.directory, keyChange: 'https://127.0.0.1/' }), { wrong: 'shape' }],
    ['a longer body than any', () => json(200, 'x'.repeat(70_000)), { reason: 'transport', failure: 'too_large' }],
  ] as const) {
    it(`fail: a directory with ${what}`, async () => {
      ca.fault({ path: /directory/, answer })
      expect(await clientOf().directory()).toMatchObject({ ok: false, error })
      expect(clientOf().cachedDirectory()).toBeNull()
    })
  }

  it('ok: private hosts and plain http where the deployment allows them', async () => {
    const open = startScriptedCa({ allowPrivateTargets: true })
    open.directory.newOrder = 'http://127.0.0.1:14000/order-plz'
    const client = clientOf({ http: open.http, allowPrivateTargets: true })
    expect(await client.directory()).toMatchObject({
      ok: true,
      value: { newOrder: 'http://127.0.0.1:14000/order-plz' },
    })
  })
})

describe('answers that are none', () => {
  const order = async (answer: () => Response | 'drop') => {
    const client = await registered()
    ca.fault({ path: /new-order/, times: 9, answer })
    const result = await client.newOrder({ identifiers: IDENTIFIERS })
    if (result.ok) throw new Error('an order came of it')
    return result.error
  }

  it('fail: 429 with Retry-After in seconds is honoured beyond the polling cap (RFC 8555 §6.6)', async () => {
    const error = await order(() => problem(429, 'rateLimited', { 'retry-after': '86400' }))
    expect(retryAfterOf(error)).toBe(NOW_MS + 86_400_000)
    expect([isRateLimited(error), isTransient(error)]).toEqual([true, true])
  })

  it('fail: 429 with Retry-After as a date, measured by the server’s own clock', async () => {
    const headers = { 'retry-after': 'Fri, 20 Nov 2026 13:30:00 GMT', date: 'Fri, 20 Nov 2026 13:00:00 GMT' }
    expect(retryAfterOf(await order(() => problem(429, 'rateLimited', headers)))).toBe(NOW_MS + 30 * 60_000)
  })

  it('fail: a load balancer’s 503 without a problem document', async () => {
    const headers = { 'content-type': 'text/html', 'retry-after': '30' }
    const error = await order(() => new Response('<h1>503</h1>', { status: 503, headers }))
    expect(error).toMatchObject({
      reason: 'bad_answer',
      wrong: 'status',
      status: 503,
      message: 'answered 503, without a problem document',
      excerpt: '"<h1>503</h1>"',
      retryAfterMs: NOW_MS + 30_000,
    })
    expect([isRateLimited(error), isTransient(error)]).toEqual([false, true])
  })

  it.each([
    ['in a problem document', () => problem(501, 'serverInternal')],
    ['in none', () => new Response('no', { status: 501, headers: { 'content-type': 'text/plain' } })],
  ])('fail: 501, %s, says that it is never done (RFC 9110 §15.6.2): not worth another try', async (_how, answer) => {
    const error = await order(answer)
    expect([retryAfterOf(error), isTransient(error)]).toEqual([null, false])
  })

  it('fail: JSON that is an error but does not say so is not read as one', async () => {
    const error = await order(() => json(400, { type: 'urn:ietf:params:acme:error:rateLimited' }))
    expect(error).toMatchObject({ reason: 'bad_answer', wrong: 'status', status: 400 })
    expect(isTransient(error)).toBe(false)
  })

  it('fail: a problem document that is none', async () => {
    const headers = { 'content-type': 'application/problem+json' }
    expect(await order(() => new Response('[]', { status: 500, headers }))).toMatchObject({ wrong: 'status' })
    expect(await order(() => new Response('{', { status: 500, headers }))).toMatchObject({ wrong: 'status' })
  })

  it('fail: a redirect is not followed with a signed request', async () => {
    const headers = { location: 'https://evil.example/' }
    const error = await order(() => new Response(null, { status: 307, headers }))
    expect(error).toMatchObject({ wrong: 'status', status: 307 })
    expect(ca.seen.some(({ url }) => url.includes('evil'))).toBe(false)
  })

  it('fail: malformed JSON in a success', async () => {
    const headers = { 'content-type': 'application/json', location: `${ORIGIN}/order/1` }
    const error = await order(() => new Response('{"status":', { status: 201, headers }))
    expect(error).toMatchObject({ wrong: 'not_acme' })
    expect(isTransient(error)).toBe(true)
  })

  it('fail: a maintenance page with status 200 in the middle of an order is worth another try', async () => {
    const headers = { 'content-type': 'text/html', location: `${ORIGIN}/order/1` }
    const error = await order(() => new Response('<html>', { status: 200, headers }))
    expect(error).toMatchObject({ wrong: 'not_acme' })
    expect(isTransient(error)).toBe(true)
  })

  it('fail: an order without a Location', async () => {
    expect(await order(() => json(201, {}))).toMatchObject({
      wrong: 'shape',
      message: 'made an order without a Location',
    })
  })

  it('fail: a dropped connection, after which the nonce is not used again', async () => {
    const error = await order(() => 'drop')
    expect(error).toMatchObject({ reason: 'transport', failure: 'unreachable' })
    expect(isTransient(error)).toBe(true)
  })

  it('fail: a hundred megabytes are not read', async () => {
    let pulled = 0
    const endless = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            pulled += 65_536
            controller.enqueue(new Uint8Array(65_536))
            if (pulled >= 100_000_000) controller.close()
          },
        }),
        { headers: { 'content-type': 'application/json' } },
      )
    expect(await order(endless)).toMatchObject({ reason: 'transport', failure: 'too_large' })
    expect(pulled).toBeLessThan(1_000_000)
  })

  it('fail: a directory on a private address is not asked', async () => {
    const fetch = () => Promise.reject(new Error('must not be called'))
    const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: USER_AGENT })
    const client = clientOf({ http, directoryUrl: 'https://[::ffff:10.0.0.1]/directory' })
    expect(await client.directory()).toMatchObject({ ok: false, error: { failure: 'blocked_target' } })
  })

  it('ok: every error crosses RPC: it is the same after structured cloning and JSON', async () => {
    const errors = [
      await order(() => problem(429, 'rateLimited', { 'retry-after': '5' })),
      await order(() => new Response('no', { status: 500 })),
      await order(() => 'drop'),
    ]
    expect(JSON.parse(JSON.stringify(errors))).toEqual(errors)
    expect(structuredClone(errors)).toEqual(errors)
  })
})
