import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../../../src/core/bytes.ts'
import { encodeName, isWithin, parentOf, parseName, readName } from '../../../../src/dns/wire/name.ts'
import { OctetReader } from '../../../../src/dns/wire/octets.ts'

const read = (octets: readonly number[], offset = 0, compressed = true): string =>
  readName(new OctetReader(Uint8Array.from(octets), offset), compressed)

describe('names as text', () => {
  it('ok: lower case, no trailing dot; the root is empty', () => {
    expect(parseName('WWW.Example.COM.')).toEqual({ ok: true, value: 'www.example.com' })
    expect(parseName('_acme-challenge.example.com')).toEqual({ ok: true, value: '_acme-challenge.example.com' })
    expect(parseName('.')).toEqual({ ok: true, value: '' })
    expect(parseName('')).toEqual({ ok: true, value: '' })
  })

  it('ok: escapes are read and written in one way (RFC 1035 §5.1)', () => {
    expect(parseName('a\\.b.\\032c\\065')).toEqual({ ok: true, value: 'a\\.b.\\032ca' })
  })

  it.each(['a..b', '.a', 'a..', `${'a'.repeat(64)}.b`, 'a b', 'ü.example', 'a\\', 'a\\256.b', '\u0000'])(
    'fail: %j is not a name',
    (text) => {
      expect(parseName(text)).toMatchObject({ ok: false, error: expect.any(String) })
    },
  )

  it('ok: 255 octets are a name, 256 are not (RFC 1035 §2.3.4)', () => {
    const label = 'a'.repeat(63)
    const longest = `${label}.${label}.${label}.${'a'.repeat(61)}`
    expect(parseName(longest)).toMatchObject({ ok: true })
    expect(encodeName(longest)).toHaveLength(255)
    expect(parseName(`${longest}a`)).toMatchObject({ ok: false })
  })

  it('ok: inside a zone, and one label up', () => {
    expect(isWithin('a.example.com', 'example.com')).toBe(true)
    expect(isWithin('example.com', 'example.com')).toBe(true)
    expect(isWithin('anexample.com', 'example.com')).toBe(false)
    expect(isWithin('example.com', 'a.example.com')).toBe(false)
    expect(isWithin('example.com', '')).toBe(true)
    expect(parentOf('a\\.b.example.com')).toBe('example.com')
    expect(parentOf('com')).toBe('')
    expect(parentOf('')).toBeNull()
  })
})

describe('names on the wire', () => {
  it('ok: labels with their lengths, lower case', () => {
    expect(toHex(encodeName('a.bc'))).toBe('016102626300')
    expect(read([1, 0x41, 0])).toBe('a')
    expect(read([0])).toBe('')
  })

  it('ok: any labels survive the way there and back', () => {
    const label = fc.uint8Array({ minLength: 1, maxLength: 20 })
    const labels = fc.array(label, { minLength: 0, maxLength: 8 })
    fc.assert(
      fc.property(labels, (parts) => {
        const wire = [...parts.flatMap((part) => [part.length, ...part]), 0]
        const text = read(wire)
        expect(parseName(text)).toEqual({ ok: true, value: text })
        const lower = wire.map((octet) => (octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet))
        expect(read([...encodeName(text)])).toBe(text)
        expect([...encodeName(text)].slice(-1)).toEqual([0])
        expect(encodeName(text)).toHaveLength(lower.length)
      }),
    )
  })

  it('ok: a pointer leads back to labels and reading goes on behind it (RFC 1035 §4.1.4)', () => {
    const octets = Uint8Array.of(3, 0x63, 0x6f, 0x6d, 0, 1, 0x61, 0xc0, 0, 9)
    const reader = new OctetReader(octets, 5)
    expect(readName(reader, true)).toBe('a.com')
    expect(reader.uint8()).toBe(9)
  })

  it.each([
    ['at itself', [0xc0, 0], 0, 'bad_pointer'],
    ['forwards', [0xc0, 2, 0], 0, 'bad_pointer'],
    ['in a circle', [1, 0x61, 0xc0, 4, 1, 0x62, 0xc0, 0], 4, 'bad_pointer'],
    ['at its own first label', [1, 0x61, 0xc0, 0], 0, 'bad_pointer'],
    ['behind the end', [0xc3, 0xff], 0, 'bad_pointer'],
    ['with one octet missing', [0, 0xc0], 1, 'truncated'],
  ] as const)('fail: a pointer %s', (_, octets, offset, reason) => {
    expect(() => read(octets, offset)).toThrow(expect.objectContaining({ reason }))
  })

  it('fail: more pointers than a name can have labels', () => {
    const offsets = Array.from({ length: 200 }, (_, i) => Math.max(0, i * 2 - 1))
    const chain = [0, ...offsets.flatMap((to) => [0xc0 | (to >> 8), to & 255])]
    expect(() => read(chain, chain.length - 2)).toThrow(expect.objectContaining({ reason: 'bad_pointer' }))
    expect(read(chain, 2 * 100 - 1)).toBe('')
  })

  it('fail: a pointer where none is allowed, reserved label types, an end without a root', () => {
    expect(() => read([0, 0xc0, 0], 1, false)).toThrow(expect.objectContaining({ reason: 'bad_label' }))
    expect(() => read([0x41, 0])).toThrow(expect.objectContaining({ reason: 'bad_label' }))
    expect(() => read([0x80, 0])).toThrow(expect.objectContaining({ reason: 'bad_label' }))
    expect(() => read([1, 0x61])).toThrow(expect.objectContaining({ reason: 'truncated' }))
  })

  it('fail: pointers that add up to more than 255 octets', () => {
    const label = [63, ...new Array<number>(63).fill(0x61)]
    const octets = [...label, ...label, ...label, 0, ...label, 0xc0, 0]
    expect(() => read(octets, 193)).toThrow(expect.objectContaining({ reason: 'name_too_long' }))
  })
})
