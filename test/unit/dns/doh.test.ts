import { describe, expect, it } from 'vitest'
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import { exchangeOverHttps } from '../../../src/dns/doh.ts'
import { type DnsMessage, decodeMessage, emptyMessage, encodeMessage } from '../../../src/dns/wire/message.ts'

const QUERY: DnsMessage = { ...emptyMessage(0x1234, 0), questions: [{ name: 'example.test', type: 16, class: 1 }] }
const URL_OF_RESOLVER = 'https://resolver.example/dns-query'

const ask = (fetch: Fetch, signal?: AbortSignal) => {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  return exchangeOverHttps(http, URL_OF_RESOLVER, QUERY, signal)
}

/** The answer to the query as it is sent, which has id 0. */
function answered(change: Partial<DnsMessage> = {}, init: ResponseInit = {}): Response {
  const octets = encodeMessage({ ...QUERY, id: 0, response: true, ...change })
  if (!octets.ok) throw new Error(octets.error)
  return new Response(octets.value, { headers: { 'content-type': 'application/dns-message' }, ...init })
}

describe('one question over HTTPS (RFC 8484)', () => {
  it('ok: a POST of the message with id 0, and its answer', async () => {
    const seen: { url: string; init: RequestInit | undefined }[] = []
    const answer = await ask(async (url, init) => {
      seen.push({ url, init })
      return answered({ rcode: 3 })
    })
    expect(answer).toMatchObject({ ok: true, value: { rcode: 3, questions: QUERY.questions } })
    expect(seen).toMatchObject([{ url: URL_OF_RESOLVER, init: { method: 'POST' } }])
    expect(seen[0]?.init?.headers).toMatchObject({
      accept: 'application/dns-message',
      'content-type': 'application/dns-message',
    })
    expect(decodeMessage(seen[0]?.init?.body as Uint8Array)).toMatchObject({ value: { message: { ...QUERY, id: 0 } } })
  })

  it.each([
    ['another status', () => answered({}, { status: 400 }), 'answered HTTP 400'],
    ['another media type', () => answered({}, { headers: { 'content-type': 'text/html' } }), 'answered text/html'],
    ['no media type', () => answered({}, { headers: {} }), 'without a media type'],
    ['another id', () => answered({ id: 0x1234 }), 'belongs to another question'],
    ['another question', () => answered({ questions: [{ name: 'b.test', type: 16, class: 1 }] }), 'another question'],
    ['a message cut short', () => answered({ truncated: true }), 'cut short'],
    [
      'a body that is no message',
      () => new Response('hello', { headers: { 'content-type': 'application/dns-message' } }),
      'not a DNS message',
    ],
  ])('fail: %s', async (_, response, message) => {
    expect(await ask(async () => response())).toEqual({ ok: false, error: expect.stringContaining(message) })
  })

  it('fail: no connection, and an aborted signal', async () => {
    const failing = await ask(async () => {
      throw new TypeError('fetch failed')
    })
    expect(failing).toEqual({ ok: false, error: 'fetch failed' })
    const silent: Fetch = (_, init) =>
      new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
    expect(await ask(silent, AbortSignal.timeout(30))).toMatchObject({ ok: false })
  })
})
