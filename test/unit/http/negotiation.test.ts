import { describe, expect, it } from 'vitest'
import {
  isNotModified,
  type OfferedForm,
  parseHttpDate,
  preferredForm,
  takesGzip,
} from '../../../src/http/negotiation.ts'

const OFFERED: readonly [OfferedForm<'json' | 'pem' | 'der'>, ...OfferedForm<'json' | 'pem' | 'der'>[]] = [
  { form: 'json', mediaType: 'application/json' },
  { form: 'pem', mediaType: 'application/x-pem-file' },
  { form: 'der', mediaType: 'application/pkix-cert' },
]

describe('preferredForm', () => {
  it.each([
    [null, 'json'],
    ['', 'json'],
    ['*/*', 'json'],
    ['application/*', 'json'],
    ['application/x-pem-file', 'pem'],
    ['Application/X-PEM-File', 'pem'],
    ['application/x-pem-file, */*', 'pem'],
    ['*/*, application/pkix-cert', 'der'],
    ['application/x-pem-file;q=0.1, application/pkix-cert', 'der'],
    ['application/pkix-cert ; Q=0.2 , application/x-pem-file;q=0.3', 'pem'],
    ['application/json;q=0.5, application/*', 'pem'],
    ['application/x-pem-file;q=0, */*;q=0.1', 'json'],
    ['application/json;q=0, application/x-pem-file;q=0.000, */*;q=0.1', 'der'],
    ['application/pkix-cert;profile="a,b;q=0";q=0.9, application/json;q=0.8', 'der'],
    ['text/html;x="application/pkix-cert", application/x-pem-file', 'pem'],
    // None of them is there to be had: the first.
    ['text/html', 'json'],
    ['application/x-pem-file;q=0', 'json'],
    // No media ranges.
    ['application/x-pem-file-2', 'json'],
    ['xapplication/pkix-cert', 'json'],
    ['application/pkix-cert;q=2', 'json'],
    ['pem', 'json'],
  ] as const)('ok: %j asks for %s (RFC 9110 §12.5.1)', (accept, form) => {
    expect(preferredForm(accept, OFFERED)).toBe(form)
  })
})

describe('isNotModified', () => {
  const lastModifiedMs = Date.UTC(1994, 10, 6, 8, 49, 37)
  const current = { etag: '"a,b"', lastModifiedMs }
  const SAME = 'Sun, 06 Nov 1994 08:49:37 GMT'
  const EARLIER = 'Sun, 06 Nov 1994 08:49:36 GMT'

  it.each([
    [{ 'if-none-match': '"a,b"' }, true],
    [{ 'if-none-match': 'W/"a,b"' }, true],
    [{ 'if-none-match': '"x", W/"y" ,"a,b"' }, true],
    [{ 'if-none-match': ' * ' }, true],
    [{ 'if-none-match': '"x,*"' }, false],
    [{ 'if-none-match': 'a,b' }, false],
    [{ 'if-none-match': '"a' }, false],
    [{ 'if-modified-since': SAME }, true],
    [{ 'if-modified-since': EARLIER }, false],
    // RFC 9110 §13.1.3: If-None-Match decides alone.
    [{ 'if-none-match': '"x"', 'if-modified-since': SAME }, false],
    [{ 'if-none-match': '"a,b"', 'if-modified-since': EARLIER }, true],
    [{ 'if-modified-since': '2026-11-21T00:00:00Z' }, false],
    [{ 'if-modified-since': 'tomorrow' }, false],
    [{}, false],
  ] as const)('ok: %j: %s', (headers, expected) => {
    expect(isNotModified(new Headers(headers), current)).toBe(expected)
  })

  it('ok: what was made later in the second that is named is newer (RFC 9110 §8.8.2.2)', () => {
    const later = { ...current, lastModifiedMs: lastModifiedMs + 1 }
    expect(isNotModified(new Headers({ 'if-modified-since': SAME }), later)).toBe(false)
  })
})

describe('parseHttpDate', () => {
  it.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    'ok: %s (RFC 9110 §5.6.7)',
    (text) => {
      expect(parseHttpDate(text)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37))
    },
  )

  it.each(['', 'Sun, 06 Nov 1994 08:49:37', 'Sun, 6 Nov 1994 08:49:37 GMT', 'Sun, 06 Xxx 1994 08:49:37 GMT', '0'])(
    'fail: %j is none',
    (text) => {
      expect(parseHttpDate(text)).toBe(null)
    },
  )
})

describe('takesGzip', () => {
  it.each([
    [null, false],
    ['', false],
    ['gzip', true],
    ['br, GZIP ; Q=0.5', true],
    ['gzip;q=0', false],
    ['gzip; q=0.000, br', false],
    ['gzip;q=high', false],
    ['x-gzip-like', false],
    ['*', false],
    ['identity', false],
  ])('ok: %s: %s (RFC 9110 §12.5.3)', (header, takes) => {
    expect(takesGzip(header)).toBe(takes)
  })
})
