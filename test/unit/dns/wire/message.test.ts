import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, concatBytes, fromHex, toHex, utf8 } from '../../../../src/core/bytes.ts'
import { type DnsMessage, decodeMessage, emptyMessage, encodeMessage } from '../../../../src/dns/wire/message.ts'
import type { DnsRecord } from '../../../../src/dns/wire/record.ts'
import { txtData } from '../../../../src/dns/wire/record.ts'
import { buildAddition, buildProbe, buildRemoval } from '../../../../src/dns/wire/update.ts'

function hex(text: string): Bytes {
  const octets = fromHex(text.replaceAll(/\s/g, ''))
  if (octets === null) throw new Error('not hex')
  return octets
}

function encoded(message: DnsMessage): Bytes {
  const result = encodeMessage(message)
  if (!result.ok) throw new Error(result.error)
  return result.value
}

const RECORDS: readonly DnsRecord[] = [
  { name: 'example.com', class: 1, ttlSeconds: 60, data: { type: 1, address: '192.0.2.1' } },
  { name: 'example.com', class: 1, ttlSeconds: 60, data: { type: 28, address: '2001:db8::1' } },
  { name: 'example.com', class: 1, ttlSeconds: 60, data: { type: 2, target: 'ns1.example.com' } },
  { name: 'a.example.com', class: 1, ttlSeconds: 60, data: { type: 5, target: 'example.net' } },
  { name: 'a.example.com', class: 1, ttlSeconds: 4_294_967_295, data: txtData('v=spf1 -all') },
  { name: 'a.example.com', class: 1, ttlSeconds: 0, data: { type: 257, flags: 128, tag: 'issue', value: 'ca.test' } },
  { name: 'a.example.com', class: 1, ttlSeconds: 0, data: { type: 'other', typeCode: 99, octets: utf8('?') } },
  { name: 'a.example.com', class: 254, ttlSeconds: 0, data: { type: 'empty', typeCode: 5 } },
  {
    name: 'example.com',
    class: 1,
    ttlSeconds: 60,
    data: {
      type: 6,
      primary: 'ns1.example.com',
      mailbox: 'hostmaster.example.com',
      serial: 4_000_000_000,
      refreshSeconds: 1,
      retrySeconds: 2,
      expireSeconds: 3,
      minimumSeconds: 4,
    },
  },
]

const MESSAGE: DnsMessage = {
  ...emptyMessage(0xbeef, 0),
  response: true,
  authoritative: true,
  recursionDesired: true,
  rcode: 3,
  questions: [{ name: 'example.com', type: 16, class: 1 }],
  answers: RECORDS,
  authorities: RECORDS.slice(0, 2),
  additionals: RECORDS.slice(2, 3),
}

describe('messages', () => {
  it('ok: every section and every type survives the way there and back', () => {
    const wire = encoded(MESSAGE)
    expect(decodeMessage(wire)).toMatchObject({ ok: true, value: { message: MESSAGE } })
  })

  it('ok: the octets of a query (RFC 1035 §4.1)', () => {
    const query = { ...emptyMessage(0x1234, 0), recursionDesired: true, questions: MESSAGE.questions }
    expect(toHex(encoded(query))).toBe('123401000001000000000000076578616d706c6503636f6d0000100001')
  })

  it('ok: a compressed answer of BIND, with two character-strings in one TXT (RFC 1035 §3.3.14)', () => {
    const wire = hex(`0001 8500 0001 0002 0000 0000  01 78 04 74657374 00 0010 0001
      c00c 0005 0001 0000003c 0004 01 79 c00e
      c024 0010 0001 0000003c 0006 02 6162 02 6364`)
    expect(decodeMessage(wire)).toMatchObject({
      value: {
        message: {
          authoritative: true,
          questions: [{ name: 'x.test' }],
          answers: [
            { name: 'x.test', data: { type: 5, target: 'y.test' } },
            { name: 'y.test', data: { type: 16, strings: [utf8('ab'), utf8('cd')] } },
          ],
        },
      },
    })
  })

  it('ok: a text of more than 255 octets takes several character-strings', () => {
    const text = `${'a'.repeat(255)}${'b'.repeat(255)}c`
    expect(txtData(text)).toMatchObject({
      strings: [utf8('a'.repeat(255)), utf8('b'.repeat(255)), utf8('c')],
    })
    expect(txtData('')).toMatchObject({ strings: [new Uint8Array(0)] })
    expect(txtData('a'.repeat(255))).toMatchObject({ strings: [utf8('a'.repeat(255))] })
  })

  it('ok: IPv6 addresses as RFC 5952 §4 writes them', () => {
    const texts = ['::', '::1', '1::', '2001:db8:0:1:1:1:1:1', '2001:0:0:1::1', '2001:db8::1:0:0:1', '1:0:2:3:4:5:6:7']
    const answers = texts.map((address) => ({
      name: 'a',
      class: 1,
      ttlSeconds: 0,
      data: { type: 28, address } as const,
    }))
    expect(decodeMessage(encoded({ ...MESSAGE, answers }))).toMatchObject({ value: { message: { answers } } })
  })

  it.each([
    ['a header cut short', '0001 8500 0001', 'truncated'],
    ['fewer records than announced', '0001 8500 0000 0001 0000 0000', 'truncated'],
    ['octets behind the last record', '0001 8500 0000 0000 0000 0000 00', 'trailing_octets'],
    ['data longer than announced', '0001 8500 0000 0001 0000 0000 00 0001 0001 00000000 0003 7f0000', 'bad_rdata'],
    ['data that end before their length', '0001 8500 0000 0001 0000 0000 00 0002 0001 00000000 0002 0000', 'bad_rdata'],
    ['a length behind the end', '0001 8500 0000 0001 0000 0000 00 0010 0001 00000000 0009 0161', 'truncated'],
    [
      'a character-string behind its data',
      '0001 8500 0000 0001 0000 0000 00 0010 0001 00000000 0002 0261',
      'truncated',
    ],
    ['TXT without any string', '0001 8500 0000 0001 0000 0000 00 0010 0001 00000000 0000', 'truncated'],
    ['a CAA tag that is empty', '0001 8500 0000 0001 0000 0000 00 0101 0001 00000000 0002 0000', 'bad_rdata'],
    ['a CAA tag with a space', '0001 8500 0000 0001 0000 0000 00 0101 0001 00000000 0003 000120', 'bad_rdata'],
    [
      'a TSIG algorithm that is a pointer',
      '0001 8500 0000 0001 0000 0000 00 00fa 00ff 00000000 0002 c000',
      'bad_label',
    ],
  ])('fail: %s', (_, text, reason) => {
    expect(decodeMessage(hex(text))).toMatchObject({ ok: false, error: { reason, offset: expect.any(Number) } })
  })

  it('fail: more than 65,535 octets, read or written (RFC 1035 §4.2.2)', () => {
    expect(decodeMessage(new Uint8Array(65_536))).toMatchObject({ error: { reason: 'too_long' } })
    const answers = Array.from({ length: 300 }, () => ({
      name: 'a',
      class: 1,
      ttlSeconds: 0,
      data: txtData('x'.repeat(250)),
    }))
    expect(encodeMessage({ ...MESSAGE, answers })).toMatchObject({ ok: false, error: expect.stringContaining('65535') })
  })
})

describe('any octets', () => {
  it('ok: end in a message or a typed error, never in an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (octets) => {
        const result = decodeMessage(octets)
        expect(result.ok || typeof result.error.reason === 'string').toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  it('ok: a valid message with some octets changed ends so too, and what is read can be written and read again', () => {
    const wire = encoded(MESSAGE)
    const change = fc.tuple(fc.nat(wire.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(wire.length), (changes, length) => {
        const mutated = wire.slice(0, Math.max(length, 12))
        for (const [at, octet] of changes) if (at < mutated.length) mutated[at] = octet
        const result = decodeMessage(mutated)
        const again = result.ok ? encodeMessage(result.value.message) : null
        const second = again?.ok ? decodeMessage(again.value) : null
        expect(second === null || (result.ok && second.ok)).toBe(true)
        expect(second?.ok === true && result.ok ? second.value.message : null).toEqual(
          second !== null && result.ok ? result.value.message : null,
        )
      }),
      { numRuns: 2_000 },
    )
  })

  it('ok: 64 KiB of records whose names are the longest chain of pointers are read', () => {
    const dataOffset = 12 + 11
    const pointer = (to: number): Uint8Array => Uint8Array.of(0xc0 | (to >> 8), to & 0xff)
    // In the data of a first record: a root, and 126 pointers, each at the one before it.
    const pointers = Array.from({ length: 126 }, (_, i) => pointer(dataOffset + Math.max(0, i * 2 - 1)))
    const chain = concatBytes(Uint8Array.of(0), ...pointers)
    const first = concatBytes(hex('00 0063 0001 00000000 00fd'), chain)
    const other = concatBytes(pointer(dataOffset + chain.length - 2), hex('0063 0001 00000000 0000'))
    const count = Math.floor((65_535 - 12 - first.length) / other.length)
    const header = concatBytes(
      hex('0001 8500 0000'),
      Uint8Array.of((count + 1) >> 8, (count + 1) & 255),
      hex('0000 0000'),
    )
    const wire = concatBytes(header, first, ...new Array<Uint8Array>(count).fill(other))
    const result = decodeMessage(wire)
    expect(result).toMatchObject({ ok: true })
    expect(result.ok ? result.value.message.answers.filter((each) => each.name === '').length : 0).toBe(count + 1)
  })
})

describe('UPDATE messages', () => {
  const value = { name: '_acme-challenge.example.com', value: 'v', ttlSeconds: 60 }

  it('ok: additions are of class IN and demand that no CNAME is there (RFC 2136 §2.4.3, §2.5.1)', () => {
    const message = buildAddition(7, 'example.com', [value, { ...value, value: 'w' }])
    expect(message).toMatchObject({ id: 7, opcode: 5, questions: [{ name: 'example.com', type: 6, class: 1 }] })
    expect(message.answers).toEqual([
      { name: value.name, class: 254, ttlSeconds: 0, data: { type: 'empty', typeCode: 5 } },
    ])
    expect(message.authorities).toEqual([
      { name: value.name, class: 1, ttlSeconds: 60, data: txtData('v') },
      { name: value.name, class: 1, ttlSeconds: 60, data: txtData('w') },
    ])
  })

  it('ok: removals name the data, are of class NONE and have no TTL (RFC 2136 §2.5.4)', () => {
    expect(buildRemoval(7, 'example.com', [value])).toMatchObject({
      answers: [],
      authorities: [{ name: value.name, class: 254, ttlSeconds: 0, data: txtData('v') }],
    })
  })

  it('ok: a probe has a prerequisite and no change (RFC 2136 §2.4.1)', () => {
    expect(buildProbe(7, 'example.com')).toMatchObject({
      answers: [{ name: 'example.com', class: 255, ttlSeconds: 0, data: { type: 'empty', typeCode: 6 } }],
      authorities: [],
    })
  })
})
