import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchesDnsName, parseDnsName } from '../../../src/pki/dns-name.ts'

const label63 = 'a'.repeat(63)

describe('parseDnsName', () => {
  it.each([
    ['example.com', 'example.com', false, false],
    ['WWW.Example.COM', 'www.example.com', false, false],
    ['*.example.com', '*.example.com', true, false],
    ['localhost', 'localhost', false, false],
    ['1password.com', '1password.com', false, false],
    ['a-b.c', 'a-b.c', false, false],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example', false, false],
    ['bücher.example', 'xn--bcher-kva.example', false, true],
    ['BÜCHER.example', 'xn--bcher-kva.example', false, true],
    ['*.bücher.example', '*.xn--bcher-kva.example', true, true],
    ['faß.de', 'xn--fa-hia.de', false, true],
    ['例え。jp', 'xn--r8jz45g.jp', false, true],
    // The sign of Kelvin, whose lower case is the letter.
    ['\u212a.example', 'k.example', false, true],
    [
      `${label63}.${label63}.${label63}.${'b'.repeat(61)}`,
      `${label63}.${label63}.${label63}.${'b'.repeat(61)}`,
      false,
      false,
    ],
  ])('ok: %s', (input, name, isWildcard, wasConverted) => {
    expect(parseDnsName(input)).toEqual({ ok: true, value: { name, isWildcard, wasConverted } })
  })

  it.each([
    ['nothing', '', 'empty'],
    ['a trailing dot', 'example.com.', 'empty label'],
    ['a leading dot', '.example.com', 'empty label'],
    ['two dots', 'a..b', 'empty label'],
    ['a wildcard alone', '*', 'left-most'],
    ['a wildcard of nothing', '*.', 'empty label'],
    ['two wildcards', '*.*.example.com', 'left-most'],
    ['a wildcard inside', 'a.*.example.com', 'left-most'],
    ['a partial wildcard', 'w*.example.com', 'left-most'],
    ['an underscore', '_acme-challenge.example.com', 'underscore'],
    ['a hyphen in front', '-a.example', 'letters'],
    ['a hyphen at the end', 'a-.example', 'letters'],
    ['hyphens in the third and fourth place', 'ab--c.example', 'third and fourth'],
    ['a label of 64', `${label63}a.example`, '63'],
    ['254 characters', `${label63}.${label63}.${label63}.${'b'.repeat(62)}`, '253'],
    ['an IP address', '192.0.2.1', 'IP address'],
    ['a name that ends in a number', 'example.1', 'IP address'],
    ['a name that ends in a hexadecimal number', '0x7f.0.0.0x1', 'IP address'],
    ['a port', 'example.com:443', 'letters'],
    ['a path', 'example.com/x', 'letters'],
    ['a user', 'user@example.com', 'letters'],
    ['a space', 'exa mple.com', 'letters'],
    ['a percent sign beside a U-label', 'b%75cher.ü', 'character'],
    ['a port beside a U-label', 'bücher.example:80', 'character'],
    ['a NUL', 'example.com\0.evil.example', 'character'],
    ['a line feed', 'example.com\n', 'character'],
    ['an A-label of nothing', 'xn--.example', 'letters'],
    ['an A-label that is no punycode', 'xn--99999999.example', 'internationalized'],
    ['an A-label of an upper-case letter', 'xn--wca.example', 'internationalized'],
    ['an A-label of a joiner alone', 'a.xn--1ug', 'internationalized'],
    ['an A-label of plain letters', 'xn--abc-.example', 'letters'],
    ['a full-width percent sign', 'ü％2e.example', 'internationalized'],
    ['a U-label that maps to an underscore', 'ü＿.example', 'underscore'],
  ])('fail: %s', (_, input, word) => {
    expect(parseDnsName(input)).toMatchObject({ ok: false, error: expect.stringContaining(word) })
  })

  it('ok: whatever is taken is LDH in lower case, and taken again unchanged', () => {
    const piece = fc.constantFrom(
      'a',
      'B',
      '-',
      '.',
      '*',
      '_',
      'ü',
      'ß',
      '。',
      '1',
      'xn--',
      '\u00ad',
      'א',
      '%',
      '\0',
      '/',
      '😀',
    )
    const seen = { taken: 0, refused: 0 }
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), (pieces) => {
        const parsed = parseDnsName(pieces.join(''))
        const name = parsed.ok ? parsed.value.name : 'refused.example'
        seen[parsed.ok ? 'taken' : 'refused'] += 1
        expect(name).toMatch(/^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/)
        expect(parseDnsName(name)).toMatchObject({ ok: true, value: { name, wasConverted: false } })
      }),
      { numRuns: 2_000 },
    )
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(20)
  })
})

describe('matchesDnsName (RFC 9525 §6.3)', () => {
  it.each([
    ['example.com', 'example.com', true],
    ['EXAMPLE.com', 'example.com', true],
    ['*.example.com', 'www.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'a.b.example.com', false],
    ['*.example.com', '.example.com', false],
    ['w*.example.com', 'www.example.com', false],
    ['*', 'localhost', false],
    ['*.*.com', 'a.b.com', false],
    ['example.com.', 'example.com', false],
    ['bücher.example', 'xn--bcher-kva.example', false],
    ['\u212a.example', 'k.example', false],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example', true],
    ['www.example.com', 'example.com', false],
  ])('ok: %s stands for %s: %s', (presented, reference, expected) => {
    expect(matchesDnsName(presented, reference)).toBe(expected)
  })
})
