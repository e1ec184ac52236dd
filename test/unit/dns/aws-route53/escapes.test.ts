import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  fromRoute53Name,
  quoteRoute53Txt,
  toRoute53Name,
  unquoteRoute53Txt,
} from '../../../../src/dns/aws-route53/escapes.ts'
import { parseName } from '../../../../src/dns/wire/name.ts'

describe('names as Route 53 spells them', () => {
  it.each([
    ['ok: plain', '_acme-challenge.www.example.com', '_acme-challenge.www.example.com.'],
    ['ok: a wildcard', '*.example.com', '\\052.example.com.'],
    ['ok: an octet', '\\252.example.com', '\\374.example.com.'],
    ['ok: a dot within a label', 'a\\.b.example.com', 'a\\056b.example.com.'],
  ])('%s', (_, name, spelled) => {
    expect(toRoute53Name(name)).toBe(spelled)
    expect(fromRoute53Name(spelled)).toBe(name)
  })

  it('ok: every name there and back', () => {
    const label = fc.uint8Array({ minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 4 }), (labels) => {
        const text = labels
          .map((octets) => [...octets].map((octet) => `\\${String(octet).padStart(3, '0')}`).join(''))
          .join('.')
        const name = parseName(text)
        if (!name.ok) throw new Error(name.error)
        expect(toRoute53Name(name.value)).toMatch(/^(?:[a-z0-9._-]|\\[0-3][0-7]{2})+\.$/)
        expect(fromRoute53Name(toRoute53Name(name.value))).toBe(name.value)
      }),
    )
  })

  it('fail: what is no name', () => {
    expect(fromRoute53Name('')).toBeNull()
    expect(fromRoute53Name('.')).toBeNull()
    expect(fromRoute53Name('a..b.')).toBeNull()
  })
})

describe('TXT values as Route 53 spells them', () => {
  it.each([
    ['ok: plain', 'gfj9Xq-Rg85nM', '"gfj9Xq-Rg85nM"'],
    ['ok: empty', '', '""'],
    ['ok: quotes and backslashes', 'a"b\\c', '"a\\"b\\\\c"'],
    ['ok: octets beyond ASCII, in octal', 'é\u007f', '"\\303\\251\\177"'],
    ['ok: 256 characters, in two strings', 'x'.repeat(256), `"${'x'.repeat(255)}" "x"`],
  ])('%s', (_, value, spelled) => {
    expect(quoteRoute53Txt(value)).toBe(spelled)
    expect(unquoteRoute53Txt(spelled)).toBe(value)
  })

  it('ok: every text there and back, in strings of 255 octets', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 700 }), (value) => {
        const text = value.toWellFormed()
        expect(quoteRoute53Txt(text)).toMatch(
          /^"(?:[^"\\]|\\["\\]|\\[0-7]{3}){0,255}"(?: "(?:[^"\\]|\\["\\]|\\[0-7]{3}){1,255}")*$/,
        )
        expect(unquoteRoute53Txt(quoteRoute53Txt(text))).toBe(text)
      }),
    )
  })

  it('ok: what is not quoted, or no UTF-8, stands for itself', () => {
    expect(unquoteRoute53Txt('bare')).toBe('bare')
    expect(unquoteRoute53Txt('"open')).toBe('"open')
    expect(unquoteRoute53Txt('"\\377"')).toBe('"\\377"')
  })
})
