import { BlockList } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIpAddress, parseIpAddress } from '../../../src/pki/ip-address.ts'
import { type IpRange, isInIpRange, parseIpRange } from '../../../src/pki/ip-range.ts'

function range(text: string): IpRange {
  const parsed = parseIpRange(text)
  if (!parsed.ok) throw new Error(parsed.error)
  return parsed.value
}

function octets(text: string): Uint8Array {
  const address = parseIpAddress(text)
  if (address === null) throw new Error(`${text} is no address`)
  return address
}

describe('parseIpRange', () => {
  it.each([
    ['10.0.0.0/8', 4, 8],
    ['0.0.0.0/0', 4, 0],
    ['192.0.2.1/32', 4, 32],
    ['10.128.0.0/9', 4, 9],
    ['fd00::/8', 16, 8],
    ['FD00::/8', 16, 8],
    ['::/0', 16, 0],
    ['2001:db8::1/128', 16, 128],
    ['::ffff:192.0.2.0/120', 16, 120],
  ])('ok: %s', (text, length, prefixBits) => {
    expect(parseIpRange(text)).toMatchObject({ ok: true, value: { octets: { length }, prefixBits } })
  })

  it.each([
    '',
    '/',
    '/8',
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/100',
    '10.0.0.0/-1',
    '10.0.0.0/+8',
    '10.0.0.0/8.0',
    '10.0.0.0/1e1',
    '10.0.0.0/0x8',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0.0/255.0.0.0',
    ' 10.0.0.0/8',
    '10.0.0.0/8 ',
    '10.0.0.0/8\n',
    '10.0.0.0 /8',
    '10.0.0/8',
    '10/8',
    '010.0.0.0/8',
    '10.0.0.0/\u0668',
    'fd00::/129',
    'fd00::/1000',
    'fd00::/008',
    'fe80::%1/64',
    '[fd00::]/8',
    'fd00:::/8',
    // RFC 4291 §2.2: a dotted quad is "the four low-order" octets: it stands at the end alone.
    '10.0.0.0::/8',
    'example.com/8',
    '*/0',
  ])('fail: %j', (text) => {
    expect(parseIpRange(text)).toEqual({ ok: false, error: 'give a range such as 10.0.0.0/8 or fd00::/8' })
  })

  it.each(['10.0.0.1/8', '10.64.0.0/9', '128.0.0.0/0', '192.0.2.1/31', '::1/0', 'fd01::/8', '2001:db8::1/127'])(
    'fail: %s has bits behind its prefix',
    (text) => {
      expect(parseIpRange(text)).toEqual({ ok: false, error: expect.stringContaining('behind the prefix') })
    },
  )
})

describe('isInIpRange', () => {
  it.each([
    ['10.0.0.0', '10.0.0.0/8'],
    ['10.255.255.255', '10.0.0.0/8'],
    ['10.191.0.1', '10.128.0.0/10'],
    ['255.255.255.255', '0.0.0.0/0'],
    ['192.0.2.1', '192.0.2.1/32'],
    ['192.0.2.1', '192.0.2.0/31'],
    ['fdff::1', 'fd00::/8'],
    ['::1', '::/0'],
    ['2001:db8::1', '2001:db8::/127'],
  ])('ok: %s is in %s', (address, text) => {
    expect(isInIpRange(octets(address), range(text))).toBe(true)
  })
  it.each([
    ['9.255.255.255', '10.0.0.0/8'],
    ['11.0.0.0', '10.0.0.0/8'],
    ['10.192.0.0', '10.128.0.0/10'],
    ['192.0.2.2', '192.0.2.0/31'],
    ['192.0.2.0', '192.0.2.1/32'],
    ['2001:db8::2', '2001:db8::/127'],
    ['fe00::', 'fd00::/8'],
    // Two kinds of address never match, whatever octets they share.
    ['10.0.0.1', '::/0'],
    ['::1', '0.0.0.0/0'],
    ['::ffff:10.0.0.1', '10.0.0.0/8'],
    ['a00::', '10.0.0.0/8'],
  ])('fail: %s is not in %s', (address, text) => {
    expect(isInIpRange(octets(address), range(text))).toBe(false)
  })
  it('fail: octets that are no address are in no range', () => {
    for (const length of [0, 3, 5, 15, 17]) {
      expect(isInIpRange(new Uint8Array(length), range('0.0.0.0/0'))).toBe(false)
      expect(isInIpRange(new Uint8Array(length), range('::/0'))).toBe(false)
    }
  })

  it('ok: as the list of the platform says', () => {
    const near = fc.constantFrom(0, 1, 127, 128, 254, 255)
    const cases = fc.constantFrom(4, 16).chain((length) =>
      fc.record({
        base: fc.array(near, { minLength: length, maxLength: length }),
        flipped: fc.option(fc.nat(8 * length - 1)),
        prefixBits: fc.nat(8 * length),
      }),
    )
    const tally = { inside: 0, outside: 0 }
    fc.assert(
      fc.property(cases, ({ base, flipped, prefixBits }) => {
        const address = new Uint8Array(base)
        const start = address.map(
          (octet, index) => octet & (0xff00 >> Math.min(8, Math.max(0, prefixBits - 8 * index))),
        )
        if (flipped !== null) address[flipped >> 3] = (base[flipped >> 3] as number) ^ (0x80 >> (flipped & 7))
        // The platform reads mapped addresses as IPv4; here the caller of isInIpRange does.
        fc.pre(!formatIpAddress(address).startsWith('::ffff:') && !formatIpAddress(start).startsWith('::ffff:'))
        const family = address.length === 4 ? 'ipv4' : 'ipv6'
        const list = new BlockList()
        list.addSubnet(formatIpAddress(start), prefixBits, family)
        const isInside = list.check(formatIpAddress(address), family)
        tally[isInside ? 'inside' : 'outside'] += 1
        expect(isInIpRange(address, range(`${formatIpAddress(start)}/${prefixBits}`))).toBe(isInside)
      }),
      { numRuns: 2_000 },
    )
    expect(Math.min(tally.inside, tally.outside)).toBeGreaterThan(300)
  })
})
