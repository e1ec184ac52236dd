import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isUriAllowed, uriPatternError } from '../../../../src/authority/roles/uri-pattern.ts'

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

  it.each([
    ['the start as the end too', '/ns*ns', '/ns'],
    ['what stands before the place', '/a/*a*/z', '/a/z'],
    ['one text twice', '/*ab*b', '/ab'],
  ])('fail: a star takes %s', (_, pattern, path) => {
    expect(isUriAllowed([`spiffe://example.org${pattern}`], `spiffe://example.org${path}`)).toBe(false)
  })
  it('ok: stars are what `.*` is in a regular expression', () => {
    const text = (characters: string, maxLength: number): fc.Arbitrary<string> =>
      fc.array(fc.constantFrom(...characters), { minLength: 1, maxLength }).map((parts) => `/x${parts.join('')}`)
    const tally = { true: 0, false: 0 }
    fc.assert(
      fc.property(text('aab***/', 9), text('aab/', 7), (pattern, path) => {
        fc.pre(!/\/(\/|$)/.test(pattern) && !/\/(\/|$)/.test(path))
        const isAllowed = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(path)
        tally[`${isAllowed}`] += 1
        expect(isUriAllowed([`spiffe://example.org${pattern}`], `spiffe://example.org${path}`)).toBe(isAllowed)
      }),
      { numRuns: 5_000, maxSkipsPerRun: 20 },
    )
    expect(tally.true).toBeGreaterThan(200)
  })

  it.each([
    ['a host in capitals', 'https://EXAMPLE.org/app', true],
    ['a scheme in capitals', 'HTTPS://example.org/app', false],
    ['a SPIFFE scheme in capitals', 'SPIFFE://example.org/ns/a/sa/web', false],
    ['a trailing slash', 'https://example.org/app/', false],
    ['a trailing dot', 'https://example.org./app', false],
    ['a backslash', 'https://example.org\\@evil.test/app', false],
    ['a space', 'https://example.org/app ', false],
    ['a NUL', 'https://example.org/app\0', false],
    ['a line behind it', 'https://example.org/app\n', false],
    ['a URN of the pattern', 'urn:uuid:9a0f', true],
    ['a URN of another kind', 'urn:oid:1.2.3', false],
    ['a URN in capitals', 'URN:UUID:9a0f', false],
    ['an empty URN', 'urn:uuid:', false],
    ['dots in a URN', 'urn:uuid:a/../b', false],
  ])('ok: %s', (_, uri, isAllowed) => {
    expect(isUriAllowed([...patterns, 'urn:uuid:*'], uri)).toBe(isAllowed)
  })

  it('ok: many stars take no more than linear work', () => {
    const pattern = `spiffe://example.org/${'*a'.repeat(200)}`
    expect(isUriAllowed([pattern], `spiffe://example.org/${'a'.repeat(20_000)}b`)).toBe(false)
  })
})
