import { describe, expect, it } from 'vitest'
import {
  checkTarget,
  createHttpClient,
  excerpt,
  type Fetch,
  mediaTypeOf,
  parseJson,
} from '../../../src/core/http-client.ts'

const client = (fetch: Fetch, allowPrivateTargets = false) =>
  createHttpClient({ fetch, allowPrivateTargets, userAgent: 'test/1' })

/** A body that never ends, and how much of it was taken. */
function endless(): { body: ReadableStream<Uint8Array>; taken: () => number; cancelled: () => boolean } {
  let taken = 0
  let cancelled = false
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      taken += 1024
      controller.enqueue(new Uint8Array(1024))
    },
    cancel() {
      cancelled = true
    },
  })
  return { body, taken: () => taken, cancelled: () => cancelled }
}

describe('HTTP client', () => {
  it('ok: sends a User-Agent (RFC 8555 §6.1), and the address byte for byte', async () => {
    const seen: [string, RequestInit | undefined][] = []
    const http = client(async (input, init) => {
      seen.push([input, init])
      return new Response('hello')
    })
    const answer = await http({ method: 'GET', url: 'https://CA.example:443/a%2Fb' })
    expect(answer).toMatchObject({ ok: true, value: { status: 200, url: 'https://CA.example:443/a%2Fb' } })
    expect(seen[0]?.[0]).toBe('https://CA.example:443/a%2Fb')
    expect(seen[0]?.[1]).toMatchObject({ headers: { 'user-agent': 'test/1' }, redirect: 'manual' })
  })

  it.each([
    'http://10.0.0.1/dir',
    'https://127.0.0.1/dir',
    'https://[fd00::1]/',
    'http://ca.example/plain',
    '//nowhere',
  ])('fail: a redirect to %s is not followed', async (location) => {
    const asked: string[] = []
    const http = client(async (input) => {
      asked.push(input)
      return new Response(null, { status: 302, headers: { location } })
    })
    const answer = await http({ method: 'GET', url: 'https://ca.example/dir', maxRedirects: 1 })
    expect(answer.ok).toBe(false)
    expect(asked.filter((url) => !url.startsWith('https://ca.example/') && !url.startsWith('https://nowhere'))).toEqual(
      [],
    )
  })

  it('ok: redirects are followed as far as allowed, for GET alone', async () => {
    const http = client(async (input) => {
      const hop = Number(new URL(input).searchParams.get('hop'))
      return hop === 2
        ? new Response('there')
        : new Response(null, { status: 302, headers: { location: `/?hop=${hop + 1}` } })
    })
    const url = 'https://ca.example/?hop=0'
    expect(await http({ method: 'GET', url, maxRedirects: 2 })).toMatchObject({ ok: true, value: { status: 200 } })
    expect(await http({ method: 'GET', url, maxRedirects: 1 })).toMatchObject({
      ok: false,
      error: { reason: 'too_many_redirects' },
    })
    expect(await http({ method: 'GET', url })).toMatchObject({ ok: true, value: { status: 302 } })
    expect(await http({ method: 'POST', url, maxRedirects: 2 })).toMatchObject({ ok: true, value: { status: 302 } })
  })

  it('fail: a body over the limit is given up, not read to its end', async () => {
    const stream = endless()
    const http = client(async () => new Response(stream.body))
    const answer = await http({ method: 'GET', url: 'https://ca.example/', maxBytes: 10_000 })
    expect(answer).toMatchObject({ ok: false, error: { reason: 'too_large', maxBytes: 10_000 } })
    expect(stream.cancelled()).toBe(true)
    expect(stream.taken()).toBeLessThan(20_000)
  })

  it('fail: a body that says that it is too long is not read at all', async () => {
    const stream = endless()
    const http = client(async () => new Response(stream.body, { headers: { 'content-length': '99999' } }))
    const answer = await http({ method: 'GET', url: 'https://ca.example/', maxBytes: 10_000 })
    expect(answer).toMatchObject({ ok: false, error: { reason: 'too_large' } })
    expect(stream.cancelled()).toBe(true)
  })

  it('fail: nobody answers, and nobody answers in time', async () => {
    const refused = client(async () => {
      throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })
    })
    expect(await refused({ method: 'GET', url: 'https://ca.example/' })).toMatchObject({
      ok: false,
      error: { reason: 'unreachable', message: 'fetch failed: connect ECONNREFUSED' },
    })
    const silent = client(
      (_input, init) =>
        new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(new Error('aborted')))),
    )
    expect(await silent({ method: 'GET', url: 'https://ca.example/', timeoutMs: 20 })).toMatchObject({
      ok: false,
      error: { reason: 'timeout', timeoutMs: 20 },
    })
  })
})

describe('targets', () => {
  it.each([
    'https://127.0.0.1/',
    'https://10.1.2.3/',
    'https://172.20.0.1/',
    'https://192.168.1.1/',
    'https://169.254.169.254/latest',
    'https://100.64.0.1/',
    'https://0.0.0.0/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[64:ff9b::10.0.0.1]/',
    'https://[fe80::1]/',
    'https://[fd12::1]/',
    'https://localhost/',
    'https://a.localhost/',
    'https://printer.local/',
    'https://db.internal/',
    'https://localhost./',
    'http://ca.example/',
    'ftp://ca.example/',
    'https://user:pass@ca.example/',
    'no address',
  ])('fail: %s is refused', (url) => {
    expect(checkTarget(url, false).ok).toBe(false)
  })

  it.each(['https://acme-v02.api.letsencrypt.org/directory', 'https://8.8.8.8/', 'https://[2606:4700::1111]/'])(
    'ok: %s is let through',
    (url) => {
      expect(checkTarget(url, false).ok).toBe(true)
    },
  )

  it('ok: a deployment may allow private ones, and http to them', () => {
    expect(checkTarget('http://127.0.0.1:14000/dir', true).ok).toBe(true)
    expect(checkTarget('ftp://127.0.0.1/', true).ok).toBe(false)
  })

  it('ok: http to public hosts where the request says so; private ones stay refused', () => {
    expect(checkTarget('http://ca.example/', false, true).ok).toBe(true)
    for (const url of ['http://127.0.0.1/', 'http://a.localhost/', 'ftp://ca.example/']) {
      expect(checkTarget(url, false, true).ok).toBe(false)
    }
  })
})

describe('bodies', () => {
  it('ok: media types without parameters, in lower case (RFC 9110 §8.3.1)', () => {
    expect(mediaTypeOf(new Headers({ 'content-type': 'Application/JSON ; charset=utf-8' }))).toBe('application/json')
    expect(mediaTypeOf(new Headers())).toBe('')
  })

  it('fail: what is no JSON is quoted as one printable line', () => {
    const bytes = new TextEncoder().encode('<html>\u0000\n\u001b[31mred')
    expect(parseJson(bytes)).toEqual({ ok: false, error: expect.stringContaining('not JSON') })
    expect(excerpt(bytes)).toBe('"<html> [31mred"')
    expect(excerpt(new Uint8Array(0))).toBe('(empty)')
    expect(parseJson(Uint8Array.of(0xff))).toMatchObject({ ok: false })
  })

  it('ok: cuts a body off where that is asked for, and reads no more of it', async () => {
    const { body, taken, cancelled } = endless()
    const http = client(async () => new Response(body, { status: 500, headers: { 'content-length': '100000000' } }))
    const answer = await http({ method: 'POST', url: 'https://ops.example/', maxBytes: 4_096, cutsBody: true })
    expect(answer).toMatchObject({ ok: true, value: { status: 500 } })
    expect(answer.ok && answer.value.body.length).toBe(4_096)
    expect(taken()).toBeLessThan(10_000)
    expect(cancelled()).toBe(true)
  })

  it('ok: a body that hangs is cut off where the time is up: the status counts', async () => {
    const http = client(async (_url, init) => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new Uint8Array([1, 2, 3]))
          init?.signal?.addEventListener('abort', () => controller.error(init.signal?.reason))
        },
      })
      return new Response(body, { status: 200 })
    })
    const answer = await http({ method: 'POST', url: 'https://ops.example/', timeoutMs: 50, cutsBody: true })
    expect(answer).toMatchObject({ ok: true, value: { status: 200, body: new Uint8Array([1, 2, 3]) } })
    expect(await http({ method: 'POST', url: 'https://ops.example/', timeoutMs: 50 })).toMatchObject({ ok: false })
  })
})
