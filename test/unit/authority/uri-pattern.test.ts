import { describe, expect, it } from 'vitest'
import { isUriAllowed, uriPatternError } from '../../../src/authority/uri-pattern.ts'

describe('uriPatternError', () => {
  const GOOD = ['spiffe://example.org/*', 'spiffe://example.org/ns/*/sa/*', 'https://example.org', 'urn:uuid:*']
  for (const pattern of GOOD) it(`ok: ${pattern}`, () => expect(uriPatternError(pattern)).toBeNull())

  const BAD = ['*', 'spiffe://*/x', 'spiffe://*.example.org/x', 'spiffe://example.org/', 'spiffe://example.org/a//b']
  for (const pattern of [...BAD, 'spiffe://example.org/../x', 'example.org/*', 'spiffe://user@example.org/*']) {
    it(`fail: ${pattern}`, () => expect(uriPatternError(pattern)).toMatch(/\w/))
  }
})

describe('isUriAllowed', () => {
  const patterns = ['spiffe://example.org/ns/*/sa/web', 'https://example.org/app']
  const ALLOWED = [
    'spiffe://example.org/ns/prod/sa/web',
    'spiffe://example.org/ns/a/b/sa/web',
    'https://example.org/app',
  ]
  for (const uri of ALLOWED) it(`ok: ${uri}`, () => expect(isUriAllowed(patterns, uri)).toBe(true))

  const REFUSED = [
    'spiffe://example.org/ns/prod/sa/db',
    'spiffe://other.org/ns/prod/sa/web',
    'spiffe://example.org.evil.org/ns/prod/sa/web',
    'spiffe://EXAMPLE.org/ns/prod/sa/web',
    'spiffe://example.org/ns/../sa/web',
    'spiffe://example.org/ns//sa/web',
    'spiffe://example.org/ns/%2e%2e/sa/web',
    'spiffe://user@example.org/ns/prod/sa/web',
    'spiffe://example.org:443/ns/prod/sa/web',
    'spiffe://example.org/ns/prod/sa/web?x=1',
    'spiffe://example.org/ns/prod/sa/web#x',
    'https://example.org/app/more',
    'https://example.org',
  ]
  for (const uri of REFUSED) it(`fail: ${uri}`, () => expect(isUriAllowed(patterns, uri)).toBe(false))

  it('ok: many stars take no more than linear work', () => {
    const pattern = `spiffe://example.org/${'*a'.repeat(200)}`
    expect(isUriAllowed([pattern], `spiffe://example.org/${'a'.repeat(20_000)}b`)).toBe(false)
  })
})
