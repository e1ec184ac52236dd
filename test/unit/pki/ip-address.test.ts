import { isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIpAddress, parseIpAddress } from '../../../src/pki/ip-address.ts'

describe('IP addresses', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['fe80::0001', 'fe80::1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ])('ok: %s is written %s (RFC 5952)', (text, canonical) => {
    const octets = parseIpAddress(text)
    expect(octets === null ? null : formatIpAddress(octets)).toBe(canonical)
  })

  it('ok: octets survive', () => {
    const octets = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
        .map((array) => new Uint8Array(array)),
    )
    fc.assert(
      fc.property(octets, (address) => {
        const text = formatIpAddress(address)
        expect(isIPv6(text)).toBe(address.length === 16)
        expect(parseIpAddress(text)).toEqual(address)
      }),
    )
  })

  it.each([
    '',
    '192.0.2',
    '192.0.2.256',
    '192.0.2.01',
    '1:2:3',
    ':::',
    '2001:db8::1%eth0',
    '[::1]',
    '::1/128',
    'example.com',
  ])('fail: %j is no address', (text) => {
    expect(parseIpAddress(text)).toBeNull()
  })

  it('fail: octets of another length are a bug', () => {
    expect(() => formatIpAddress(new Uint8Array(5))).toThrow('4 or 16')
  })
})
