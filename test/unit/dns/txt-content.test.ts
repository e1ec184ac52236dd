import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quoteTxt, unquoteTxt } from '../../../src/dns/txt-content.ts'

describe('TXT values in quotes', () => {
  it('ok: any text survives the way there and back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 700 }), (text) => {
        expect(unquoteTxt(quoteTxt(text))).toBe(text)
      }),
    )
  })

  it('ok: quotes, backslashes, other octets and long texts (RFC 1035 §5.1)', () => {
    expect(quoteTxt('a"b\\c')).toBe('"a\\"b\\\\c"')
    expect(quoteTxt('ü')).toBe('"\\195\\188"')
    expect(quoteTxt('')).toBe('""')
    expect(quoteTxt('x'.repeat(256))).toBe(`"${'x'.repeat(255)}" "x"`)
    expect(unquoteTxt('"ab" "cd"')).toBe('abcd')
    expect(unquoteTxt('"a\\065\\"\\\\"')).toBe('aA"\\')
  })

  it('ok: text without whole quotes stands for itself', () => {
    for (const text of ['v=spf1 -all', '"open', 'a "b" c', '"a" b']) expect(unquoteTxt(text)).toBe(text)
  })
})
