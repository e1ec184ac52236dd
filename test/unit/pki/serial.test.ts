import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatSerial, newSerial, parseSerial } from '../../../src/pki/serial.ts'

describe('serial numbers', () => {
  it('ok: new ones are positive, of 20 octets and different (RFC 5280 §4.1.2.2)', () => {
    const serials = Array.from({ length: 200 }, newSerial)
    expect(new Set(serials.map(formatSerial)).size).toBe(200)
    expect(serials.every((serial) => serial.length === 20 && (serial[0] as number) < 0x80)).toBe(true)
    expect(serials.some((serial) => serial[1] !== serials[0]?.[1])).toBe(true)
  })

  it.each([
    ['1A:2B:3C', [0x1a, 0x2b, 0x3c]],
    ['1a2b3c', [0x1a, 0x2b, 0x3c]],
    ['1a:2B:3c', [0x1a, 0x2b, 0x3c]],
    ['1', [1]],
    ['A2B', [0x0a, 0x2b]],
    ['00:1A', [0x1a]],
    ['FF', [0, 0xff]],
    ['0:FF', [0, 0xff]],
    ['00', [0]],
  ])('ok: reads %s', (text, octets) => {
    expect([...(parseSerial(text) ?? [])]).toEqual(octets)
  })

  it.each(['', ':', '1A:', ':1A', '1A::2B', '1A:2B3C', '1A 2B', '0x1A', '-1', 'G1', '1A:2', 'F'.repeat(44)])(
    'fail: %j is no serial number',
    (text) => {
      expect(parseSerial(text)).toBeNull()
    },
  )

  it('ok: text survives, without the sign octet', () => {
    expect(formatSerial(new Uint8Array([0, 0xff, 1]))).toBe('FF:01')
    expect(formatSerial(new Uint8Array([0]))).toBe('00')
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (magnitude) => {
        const octets = parseSerial(formatSerial(magnitude))
        expect(octets).not.toBeNull()
        expect(parseSerial(formatSerial(octets as Uint8Array))).toEqual(octets)
      }),
    )
  })
})
