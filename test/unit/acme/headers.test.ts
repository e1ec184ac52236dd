/** Headers that CAs write in more ways than one: Retry-After, Link, Replay-Nonce. */
import { describe, expect, it } from 'vitest'
import { linksOf, parseLinkHeader } from '../../../src/acme/link-header.ts'
import { createNoncePool, parseReplayNonce } from '../../../src/acme/nonce.ts'
import { parseRetryAfter } from '../../../src/core/retry-after.ts'

const NOW_MS = Date.UTC(2026, 10, 20, 12)
const DAY_MS = 86_400_000

describe('Retry-After (RFC 9110 §10.2.3)', () => {
  const waitMs = (headers: Record<string, string>, bounds = { maxMs: DAY_MS }) => {
    const at = parseRetryAfter(new Headers(headers), NOW_MS, bounds)
    return at === null ? null : at - NOW_MS
  }

  it('ok: seconds', () => {
    expect(waitMs({ 'retry-after': ' 120 ' })).toBe(120_000)
    expect(waitMs({ 'retry-after': '0' })).toBe(0)
  })

  it('ok: a date, by our clock or by the server’s own', () => {
    expect(waitMs({ 'retry-after': 'Fri, 20 Nov 2026 12:01:30 GMT' })).toBe(90_000)
    const date = 'Fri, 20 Nov 2026 12:01:00 GMT'
    expect(waitMs({ 'retry-after': 'Fri, 20 Nov 2026 12:01:30 GMT', date })).toBe(30_000)
  })

  it('ok: a date in the past means now', () => {
    expect(waitMs({ 'retry-after': 'Thu, 01 Jan 2026 00:00:00 GMT' })).toBe(0)
  })

  it('ok: bounds hold for both forms', () => {
    expect(waitMs({ 'retry-after': '9999999999' })).toBe(DAY_MS)
    expect(waitMs({ 'retry-after': '9'.repeat(400) })).toBe(DAY_MS)
    expect(waitMs({ 'retry-after': 'Fri, 20 Nov 2099 12:00:00 GMT' })).toBe(DAY_MS)
    expect(parseRetryAfter(new Headers({ 'retry-after': '1' }), NOW_MS, { minMs: 60_000, maxMs: DAY_MS })).toBe(
      NOW_MS + 60_000,
    )
  })

  for (const value of ['', 'soon', '-5', '1.5', '2026-11-20T12:00:00Z', 'Fri, 20 Foo 2026 12:00:00 GMT']) {
    it(`fail: ${JSON.stringify(value)}`, () => {
      expect(waitMs({ 'retry-after': value })).toBeNull()
    })
  }

  it('fail: no header', () => {
    expect(waitMs({})).toBeNull()
  })
})

describe('Link (RFC 8288 §3)', () => {
  const BASE = 'https://ca.example/certificate/1'
  const parse = (header: string) => parseLinkHeader(header, BASE)

  it('ok: several in one header, with commas in addresses, with and without white space and quotes', () => {
    const header =
      '<https://ca.example/a,b>;rel="alternate",<https://ca.example/c> ; title="x, y; \\"z\\"" ; rel=alternate , </d>; REL="up help"'
    expect(parse(header)).toEqual([
      { url: 'https://ca.example/a,b', relations: ['alternate'] },
      { url: 'https://ca.example/c', relations: ['alternate'] },
      { url: 'https://ca.example/d', relations: ['up', 'help'] },
    ])
  })

  it('ok: an absolute address stays as it was written', () => {
    expect(parse('<https://CA.example:443/%7e>;rel=alternate')[0]?.url).toBe('https://CA.example:443/%7e')
  })

  it('ok: headers that were sent apart arrive together', () => {
    const headers = new Headers()
    headers.append('link', '<https://ca.example/1>;rel="alternate"')
    headers.append('link', '<https://ca.example/directory>;rel="index"')
    headers.append('link', '<https://ca.example/2>;rel="Alternate"')
    expect(linksOf(headers, 'alternate', BASE)).toEqual(['https://ca.example/1', 'https://ca.example/2'])
    expect(linksOf(new Headers(), 'alternate', BASE)).toEqual([])
  })

  it('ok: the first rel counts', () => {
    expect(parse('</a>;rel=index;rel=alternate')[0]?.relations).toEqual(['index'])
  })

  it('fail: what cannot be read ends the reading and keeps what was before', () => {
    expect(parse('</a>;rel=alternate, nonsense, </b>;rel=alternate').map(({ url }) => url)).toEqual([
      'https://ca.example/a',
    ])
    expect(parse('rel=alternate')).toEqual([])
    expect(parse('</a')).toEqual([])
    expect(parse('</a> garbage')).toEqual([{ url: 'https://ca.example/a', relations: [] }])
  })

  it('fail: an address that is too long, or holds other than printable ASCII, is left out', () => {
    const long = `https://ca.example/${'a'.repeat(2_100)}`
    expect(parse(`<${long}>;rel=help, </b>;rel=help`)).toEqual([{ url: 'https://ca.example/b', relations: ['help'] }])
    expect(parse(`<${'../b'.repeat(500)}>;rel=help`)).toHaveLength(1)
    expect(parse('<https://ca.example/\u202e>;rel=help, <https://ca.example/a b>;rel=help')).toEqual([])
    expect(parse('<https://ca.example/\u0085>;rel=help')).toEqual([])
  })

  it('ok: a hostile header of a hundred thousand characters is read in no time', () => {
    expect(parse(`</a>${'; '.repeat(50_000)}`).length).toBe(1)
    expect(parse(`</a>;x="${'\\'.repeat(100_000)}`).length).toBe(1)
    expect(parse(',</a>'.repeat(20_000)).length).toBe(0)
  })
})

describe('Replay-Nonce (RFC 8555 §6.5.1)', () => {
  const parse = (value: string) => parseReplayNonce(new Headers({ 'replay-nonce': value }))

  it('ok: base64url', () => {
    expect(parse('oFvnlFP1wIhRlYS2jTaXbA')).toBe('oFvnlFP1wIhRlYS2jTaXbA')
  })

  for (const value of ['', 'a=', 'a b', 'a, b', 'a+b', 'a'.repeat(513)]) {
    it(`fail: ${JSON.stringify(value.slice(0, 10))} is ignored`, () => {
      expect(parse(value)).toBeNull()
    })
  }

  it('ok: the pool gives the newest first, each once, and forgets the oldest', () => {
    const pool = createNoncePool()
    for (let i = 0; i < 20; i += 1) pool.add(`n${i}`)
    const taken: string[] = []
    for (let nonce = pool.take(); nonce !== null; nonce = pool.take()) taken.push(nonce)
    expect(taken).toEqual(Array.from({ length: 16 }, (_, index) => `n${19 - index}`))
  })
})
