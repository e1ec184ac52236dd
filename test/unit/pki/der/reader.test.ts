import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, fromHex } from '../../../../src/core/bytes.ts'
import { catchDer, DerError } from '../../../../src/pki/der/errors.ts'
import { MAX_DER_DEPTH } from '../../../../src/pki/der/limits.ts'
import { DerReader } from '../../../../src/pki/der/reader.ts'
import { TAG } from '../../../../src/pki/der/tags.ts'
import { derSequence } from '../../../../src/pki/der/writer.ts'

const bytes = (hex: string): Bytes => fromHex(hex.replaceAll(' ', '')) as Bytes
const read = <T>(hex: string, how: (reader: DerReader) => T) => catchDer(() => how(DerReader.over(bytes(hex))))
const faultOf = <T>(hex: string, how: (reader: DerReader) => T): string => {
  const result = read(hex, how)
  return result.ok ? `read ${JSON.stringify(result.value)}` : result.error.fault
}

const readOneNull = (reader: DerReader): void => {
  reader.null()
  reader.finish()
}

describe('DerReader', () => {
  it('ok: reads values without copying them', () => {
    const input = bytes('30 06 02 01 05 04 01 AA')
    const sequence = DerReader.over(input).sequence()
    expect(sequence.smallInteger()).toBe(5)
    const octets = sequence.octetString()
    expect([...octets]).toEqual([0xaa])
    expect(octets.buffer).toBe(input.buffer)
    expect(sequence.atEnd).toBe(true)
  })

  it('ok: keeps the bytes of what was entered', () => {
    const reader = DerReader.over(bytes('30 03 02 01 05 05 00'))
    reader.sequence()
    expect([...reader.since(0)]).toEqual([0x30, 3, 2, 1, 5])
  })

  const bad: readonly [string, string, (reader: DerReader) => unknown, string][] = [
    ['nothing at all', '', (r) => r.element(), 'truncated'],
    ['a tag without length', '30', (r) => r.element(), 'truncated'],
    ['a length that goes past the end', '04 03 AA', (r) => r.element(), 'truncated'],
    ['a long length that is cut short', '04 82 01', (r) => r.element(), 'truncated'],
    ['a child longer than its parent', '30 03 04 02 AA BB', (r) => r.sequence().element(), 'truncated'],
    ['an indefinite length', '30 80 00 00', (r) => r.element(), 'length'],
    ['a long form where the short one fits', '04 81 01 AA', (r) => r.element(), 'length'],
    ['a length with a zero in front', `04 82 00 81 ${'AA'.repeat(0x81)}`, (r) => r.element(), 'length'],
    ['a length of five octets', '04 85 01 00 00 00 00', (r) => r.element(), 'length'],
    ['a high tag number', '1F 81 01 00', (r) => r.element(), 'unexpected_tag'],
    ['another tag', '04 00', (r) => r.sequence(), 'unexpected_tag'],
    ['bytes at the end', '05 00 00', readOneNull, 'trailing'],
    ['an empty integer', '02 00', (r) => r.integerOctets(), 'value'],
    ['an integer with a zero too many', '02 02 00 7F', (r) => r.integerOctets(), 'value'],
    ['a negative integer with an FF too many', '02 02 FF 80', (r) => r.integerOctets(), 'value'],
    ['a negative integer where none belongs', '02 01 80', (r) => r.unsigned(), 'value'],
    ['an integer of 2^31', '02 05 00 80 00 00 00', (r) => r.smallInteger(), 'value'],
    ['an integer of five octets', '02 05 01 00 00 00 00', (r) => r.smallInteger(), 'value'],
    ['a boolean of 01', '01 01 01', (r) => r.boolean(), 'value'],
    ['a boolean of two octets', '01 02 FF FF', (r) => r.boolean(), 'value'],
    ['a default that is written out', '01 01 00', (r) => r.defaultFalse(), 'value'],
    ['a bit string without its first octet', '03 00', (r) => r.bitString(), 'value'],
    ['eight unused bits', '03 02 08 00', (r) => r.bitString(), 'value'],
    ['unused bits of nothing', '03 01 01', (r) => r.bitString(), 'value'],
    ['unused bits that are set', '03 02 03 07', (r) => r.bitString(), 'value'],
    ['bits where octets belong', '03 02 01 02', (r) => r.bitStringOctets(), 'value'],
    ['a null with content', '05 01 00', (r) => r.null(), 'value'],
    ['an empty object identifier', '06 00', (r) => r.oid(), 'value'],
    ['an object identifier that is cut short', '06 02 2A 86', (r) => r.oid(), 'value'],
    ['an object identifier with a padded arc', '06 03 2A 80 01', (r) => r.oid(), 'value'],
    ['an endless object identifier', `06 41 2A ${'01'.repeat(64)}`, (r) => r.oid(), 'value'],
  ]
  it.each(bad)('fail: %s', (_, hex, how, fault) => {
    expect(faultOf(hex, how)).toBe(fault)
  })

  it('ok: says where the fault is', () => {
    const result = read('30 05 05 00 02 01 80', (reader) => {
      const sequence = reader.sequence()
      sequence.null()
      return sequence.unsigned()
    })
    expect(result).toMatchObject({ ok: false, error: { offset: 6 } })
  })

  it('fail: more levels than the budget of depth', () => {
    let nested = derSequence()
    for (let level = 0; level < MAX_DER_DEPTH + 1; level += 1) nested = derSequence(nested)
    const result = catchDer(() => {
      let reader = DerReader.over(nested)
      while (!reader.atEnd) reader = reader.sequence()
    })
    expect(result).toMatchObject({ ok: false, error: { fault: 'too_deep' } })
  })

  it('fail: more elements than the budget', () => {
    const many = derSequence(...Array.from({ length: 20 }, () => bytes('05 00')))
    const result = catchDer(() => {
      const reader = DerReader.over(many, { budget: { elements: 10 } }).sequence()
      while (!reader.atEnd) reader.null()
    })
    expect(result).toMatchObject({ ok: false, error: { fault: 'too_many_elements' } })
  })

  it('ok: any bytes at all end in a value or a DerError, in no more elements than half the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
        const budget = { elements: 10_000 }
        const walk = (reader: DerReader): void => {
          while (!reader.atEnd) {
            const tag = reader.peekTag() as number
            if ((tag & 0x20) !== 0) walk(reader.enter(tag))
            else reader.element()
          }
        }
        const result = catchDer(() => walk(DerReader.over(input as Bytes, { budget })))
        expect(result.ok || result.error instanceof DerError).toBe(true)
        // Every header takes at least two bytes, and the one that fails is counted too.
        expect(10_000 - budget.elements).toBeLessThanOrEqual(input.length / 2 + 1)
      }),
    )
  })
})

describe('times', () => {
  const timeOf = (tag: number, text: string) => {
    const content = new TextEncoder().encode(text)
    return catchDer(() => DerReader.over(new Uint8Array([tag, content.length, ...content])).time())
  }

  it.each([
    [TAG.utcTime, '491231235959Z', '2049-12-31T23:59:59.000Z', true],
    [TAG.utcTime, '500101000000Z', '1950-01-01T00:00:00.000Z', true],
    [TAG.utcTime, '240229120000Z', '2024-02-29T12:00:00.000Z', true],
    [TAG.generalizedTime, '20500101000000Z', '2050-01-01T00:00:00.000Z', true],
    [TAG.generalizedTime, '99991231235959Z', '9999-12-31T23:59:59.000Z', true],
    [TAG.generalizedTime, '20491231235959Z', '2049-12-31T23:59:59.000Z', false],
    [TAG.generalizedTime, '00010101000000Z', '0001-01-01T00:00:00.000Z', false],
  ])('ok: %i %s', (tag, text, iso, formConforms) => {
    expect(timeOf(tag, text)).toEqual({ ok: true, value: { epochMs: Date.parse(iso), formConforms } })
  })

  it.each([
    [TAG.utcTime, '2402291200Z'],
    [TAG.utcTime, '240229120000+0000'],
    [TAG.utcTime, '240229120000'],
    [TAG.utcTime, '240230120000Z'],
    [TAG.utcTime, '230229120000Z'],
    [TAG.utcTime, '240029120000Z'],
    [TAG.utcTime, '241329120000Z'],
    [TAG.utcTime, '240200120000Z'],
    [TAG.utcTime, '240229240000Z'],
    [TAG.utcTime, '240229126000Z'],
    [TAG.utcTime, '240229120060Z'],
    [TAG.utcTime, '24022912000AZ'],
    [TAG.generalizedTime, '20500101000000.5Z'],
    [TAG.generalizedTime, '500101000000Z'],
  ])('fail: %i %s', (tag, text) => {
    expect(timeOf(tag, text)).toMatchObject({ ok: false, error: { fault: 'value' } })
  })
})
