import { describe, expect, it } from 'vitest'
import {
  fromBase64,
  fromBase64Url,
  fromHex,
  timingSafeEqual,
  toBase64Url,
  toHex,
  utf8,
} from '../../../src/core/bytes.ts'

describe('bytes', () => {
  it('ok: base64url has no padding and takes none (RFC 7515 §2)', () => {
    expect(toBase64Url(Uint8Array.of(0xff, 0xef))).toBe('_-8')
    expect(fromBase64Url('_-8')).toEqual(Uint8Array.of(0xff, 0xef))
    expect(fromBase64Url('_-8=')).toBeNull()
    expect(fromBase64Url('a')).toBeNull()
    expect(fromBase64Url('a+b/')).toBeNull()
  })

  it('fail: base64 without its padding, hex with an odd digit', () => {
    expect(fromBase64('_w==')).toBeNull()
    expect(fromBase64('/w')).toBeNull()
    expect(fromHex('abc')).toBeNull()
    expect(fromHex('0xab')).toBeNull()
  })

  it('ok: hex round trip in any case', () => {
    expect(fromHex('00fFaB')).toEqual(Uint8Array.of(0, 255, 171))
    expect(toHex(Uint8Array.of(0, 255, 171))).toBe('00ffab')
  })

  it('ok: timingSafeEqual agrees with equality', () => {
    expect(timingSafeEqual(utf8('secret'), utf8('secret'))).toBe(true)
    expect(timingSafeEqual(utf8('secret'), utf8('secreT'))).toBe(false)
    expect(timingSafeEqual(utf8('secret'), utf8('secre'))).toBe(false)
  })
})
