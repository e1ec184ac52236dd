import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, toHex } from '../../../../src/core/bytes.ts'
import { decodeOid, encodeOid } from '../../../../src/pki/der/oid.ts'
import { DerReader } from '../../../../src/pki/der/reader.ts'
import { decodeString } from '../../../../src/pki/der/strings.ts'
import { TAG } from '../../../../src/pki/der/tags.ts'
import {
  derBitString,
  derBoolean,
  derExplicit,
  derIa5String,
  derInteger,
  derNamedBits,
  derNull,
  derOctetString,
  derOid,
  derPrintableString,
  derSequence,
  derSetOf,
  derTime,
  derUnsigned,
  derUtf8String,
} from '../../../../src/pki/der/writer.ts'

const hex = (bytes: Uint8Array): string => toHex(bytes).toUpperCase()

describe('DER writer', () => {
  it.each([
    ['an integer of 0', derInteger(0), '020100'],
    ['an integer with a sign octet', derInteger(128), '02020080'],
    ['an integer of two octets', derInteger(256), '02020100'],
    ['the largest safe integer', derInteger(Number.MAX_SAFE_INTEGER), '02071FFFFFFFFFFFFF'],
    ['a magnitude with zeros in front', derUnsigned(new Uint8Array([0, 0, 0x80])), '02020080'],
    ['an empty magnitude', derUnsigned(new Uint8Array(0)), '020100'],
    ['TRUE', derBoolean(true), '0101FF'],
    ['FALSE', derBoolean(false), '010100'],
    ['NULL', derNull(), '0500'],
    ['octets', derOctetString(new Uint8Array([1, 2])), '04020102'],
    ['a bit string', derBitString(new Uint8Array([1, 2])), '0303000102'],
    ['keyCertSign and cRLSign, trimmed', derNamedBits([5, 6]), '03020106'],
    ['digitalSignature, trimmed', derNamedBits([0]), '03020780'],
    ['decipherOnly in a second octet', derNamedBits([4, 8]), '0303070880'],
    ['no bits', derNamedBits([]), '030100'],
    ['a set in order', derSetOf(derInteger(9), derInteger(3)), '3106020103020109'],
    [
      'a set whose shorter value is first',
      derSetOf(derOctetString(new Uint8Array([1, 1])), derNull()),
      '310604020101' + '0500',
    ],
    ['an explicit tag', derExplicit(3, derNull()), 'A3020500'],
    ['2.5.29.17', derOid('2.5.29.17'), '0603551D11'],
    [
      'a time of 2049',
      derTime(Date.UTC(2049, 11, 31, 23, 59, 59)),
      `170D${hex(new TextEncoder().encode('491231235959Z'))}`,
    ],
    ['a time of 2050', derTime(Date.UTC(2050, 0, 1)), `180F${hex(new TextEncoder().encode('20500101000000Z'))}`],
    ['a time of 1949', derTime(Date.UTC(1949, 11, 31)), `180F${hex(new TextEncoder().encode('19491231000000Z'))}`],
  ])('ok: %s', (_, der, expected) => {
    expect(hex(der)).toBe(expected)
  })

  it.each([0, 127, 128, 255, 256, 65_535, 65_536, 16_777_216])('ok: %i octets have a minimal length', (length) => {
    const value = DerReader.over(derOctetString(new Uint8Array(length))).octetString()
    expect(value.length).toBe(length)
  })

  it('ok: unsigned integers survive', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 600 }), (magnitude) => {
        const read = DerReader.over(derUnsigned(magnitude)).unsigned()
        expect(BigInt(`0x${toHex(read)}`)).toBe(BigInt(`0x${toHex(magnitude)}`))
      }),
    )
  })

  it('ok: object identifiers survive, whatever the size of their arcs', () => {
    const arc = fc.bigInt({ min: 0n, max: 2n ** 128n })
    const oids = fc
      .tuple(fc.constantFrom(0, 1, 2), fc.integer({ min: 0, max: 39 }), fc.array(arc, { maxLength: 3 }))
      .map(([root, second, rest]) => [root, second, ...rest].join('.'))
    fc.assert(
      fc.property(oids, (oid) => {
        expect(decodeOid(encodeOid(oid), 0)).toBe(oid)
      }),
    )
    expect(decodeOid(encodeOid('2.999.1'), 0)).toBe('2.999.1')
    expect(decodeOid(encodeOid('2.25.340282366920938463463374607431768211455'), 0)).toBe(
      '2.25.340282366920938463463374607431768211455',
    )
    expect(decodeOid(encodeOid(`2.${2n ** 100n}`), 0)).toBe(`2.${2n ** 100n}`)
  })

  it('ok: times survive to the second', () => {
    const max = Date.UTC(9999, 11, 31, 23, 59, 59) / 1000
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(1000, 0, 1) / 1000, max }), (seconds) => {
        const conforms = seconds * 1000 >= Date.UTC(1950, 0, 1)
        const read = DerReader.over(derTime(seconds * 1000)).time()
        expect(read.epochMs).toBe(seconds * 1000)
        expect(read.formConforms).toBe(conforms)
      }),
    )
  })

  it('ok: named bits survive and have no trailing zero bit', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 20 }), { minLength: 1 }), (bits) => {
        const { bytes, unusedBits } = DerReader.over(derNamedBits(bits)).bitString()
        const read = Array.from({ length: bytes.length * 8 }, (_, bit) => bit).filter(
          (bit) => (((bytes[bit >> 3] as number) << (bit & 7)) & 0x80) !== 0,
        )
        expect(read).toEqual([...bits].sort((a, b) => a - b))
        expect(bytes.length * 8 - unusedBits - 1).toBe(Math.max(...bits))
      }),
    )
  })

  it.each([
    ['a negative integer', () => derInteger(-1)],
    ['a fraction', () => derInteger(0.5)],
    ['an object identifier of one arc', () => encodeOid('2')],
    ['a second arc above 39', () => encodeOid('1.40')],
    ['text that is not ASCII', () => derIa5String('é')],
    ['text that is not printable', () => derPrintableString('a@b')],
    ['the year 10000', () => derTime(Date.UTC(10_000, 0, 1))],
  ])('fail: %s is a bug of the caller', (_, write) => {
    expect(write).toThrow(/not|PrintableString|years/)
  })
})

describe('strings', () => {
  const content = (der: Bytes): Bytes => der.subarray(2)
  it.each([
    ['UTF8String', TAG.utf8String, content(derUtf8String('zürich')), 'zürich'],
    ['PrintableString', TAG.printableString, content(derPrintableString('Example')), 'Example'],
    ['PrintableString with an @, as some wrote it', TAG.printableString, new TextEncoder().encode('a@b'), 'a@b'],
    ['TeletexString as Latin-1', TAG.teletexString, new Uint8Array([0xfc]), 'ü'],
    ['BMPString', TAG.bmpString, new Uint8Array([0x20, 0xac]), '€'],
    ['UniversalString', TAG.universalString, new Uint8Array([0, 1, 0xf6, 0]), '😀'],
  ])('ok: %s', (_, tag, octets, text) => {
    expect(decodeString(tag, octets)).toBe(text)
  })

  it.each([
    ['UTF-8 that is not', TAG.utf8String, new Uint8Array([0xff])],
    ['IA5String above 127', TAG.ia5String, new Uint8Array([0xe9])],
    ['BMPString of odd length', TAG.bmpString, new Uint8Array([0x20])],
    ['BMPString with half a surrogate pair', TAG.bmpString, new Uint8Array([0xd8, 0])],
    ['UniversalString above Unicode', TAG.universalString, new Uint8Array([0, 0x11, 0, 0])],
    ['what is no string', TAG.sequence, derSequence()],
  ])('fail: %s is no text', (_, tag, octets) => {
    expect(decodeString(tag, octets)).toBeNull()
  })
})
