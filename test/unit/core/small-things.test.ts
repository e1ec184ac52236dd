import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../../src/core/canonical-json.ts'
import { formatTime, parseTime } from '../../../src/core/clock.ts'
import { parseDurationSeconds } from '../../../src/core/duration.ts'
import { AppError, ERRORS, type ErrorCode } from '../../../src/core/errors.ts'
import { ID_PREFIXES, type IdKind, isId, newId } from '../../../src/core/ids.ts'
import { parseIpv4, parseIpv6 } from '../../../src/core/targets.ts'

describe('ids', () => {
  it('ok: sort by creation, and are told from each other by their prefix', () => {
    const early = newId('certificate', 1_000)
    const late = newId('certificate', 1_001)
    expect(early < late).toBe(true)
    expect(isId('certificate', early)).toBe(true)
    expect(isId('ca', early)).toBe(false)
    expect(isId('certificate', `${early}x`)).toBe(false)
    expect(isId('certificate', early.toUpperCase())).toBe(false)
  })

  it('ok: an account is not taken for one of its orders', () => {
    const order = newId('acmeOrder', 1)
    expect(isId('acmeOrder', order)).toBe(true)
    expect(isId('acmeAccount', order)).toBe(false)
  })

  it('ok: every kind has a prefix of its own', () => {
    const prefixes = Object.values(ID_PREFIXES)
    expect(new Set(prefixes).size).toBe(prefixes.length)
    expect((Object.keys(ID_PREFIXES) as IdKind[]).every((kind) => isId(kind, newId(kind, 0)))).toBe(true)
  })
})

describe('durations', () => {
  it.each([
    ['720h', 2_592_000],
    ['30d', 2_592_000],
    ['90m', 5_400],
    ['3600s', 3_600],
    ['60', 60],
    [5, 5],
  ])('ok: %s', (input, seconds) => {
    expect(parseDurationSeconds(input)).toEqual({ ok: true, value: seconds })
  })

  it.each(['', '0s', '-5m', '1.5h', '5 m', '5w', '999999999999d', 'h', 0, -1, 1.5, Number.NaN])('fail: %s', (input) => {
    expect(parseDurationSeconds(input).ok).toBe(false)
  })
})

describe('times', () => {
  it('ok: UTC with whole seconds', () => {
    expect(formatTime(Date.UTC(2026, 3, 23, 14, 0, 0, 999))).toBe('2026-04-23T14:00:00Z')
    expect(parseTime('2026-04-23T14:00:00Z')).toBe(Date.UTC(2026, 3, 23, 14))
    expect(parseTime('2026-04-23T16:00:00+02:00')).toBe(Date.UTC(2026, 3, 23, 14))
    expect(parseTime('2026-04-23T14:00:00.5-00:30')).toBe(Date.UTC(2026, 3, 23, 14, 30, 0, 500))
    expect(parseTime('2026-04-23t14:00:00z')).toBe(Date.UTC(2026, 3, 23, 14))
  })

  // RFC 3339 §5.7 and appendix C: a year of a whole century is a leap year every fourth time.
  it.each(['2028-02-29T00:00:00Z', '2000-02-29T00:00:00Z', '2027-12-31T23:59:59Z', '2027-04-30T23:59:59+23:59'])(
    'ok: %s exists',
    (text) => {
      expect(parseTime(text)).toBe(Date.parse(text))
    },
  )

  it.each([
    '2027-02-29T00:00:00Z',
    '2027-02-30T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2028-02-30T00:00:00Z',
    '2027-04-31T00:00:00Z',
    '2027-04-31T00:00:00+02:00',
    '2027-02-30t00:00:00z',
    '2027-01-00T00:00:00Z',
    '2027-01-32T00:00:00Z',
    '2027-00-10T00:00:00Z',
    '2027-01-01T24:00:00Z',
    '2027-01-01T12:60:00Z',
    '2027-01-01T12:00:60Z',
    '2016-12-31T23:59:60Z',
    '2027-01-01T12:00:00+24:00',
    '2027-01-01T12:00:00+02:60',
  ])('fail: %s does not exist, and is not moved to a time that does', (text) => {
    expect(parseTime(text)).toBeNull()
  })

  it.each(['2026-04-23', '2026-04-23 14:00:00Z', '2026-13-01T00:00:00Z', 'tomorrow', '2026-04-23T14:00:00'])(
    'fail: %s',
    (text) => {
      expect(parseTime(text)).toBeNull()
    },
  )
})

describe('canonical JSON', () => {
  it('ok: one spelling, whatever the order of members', () => {
    expect(canonicalJson({ b: [1, null, 'x'], a: { d: true, c: undefined } })).toBe('{"a":{"d":true},"b":[1,null,"x"]}')
  })

  it('ok: reads back as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = canonicalJson(value as never)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(canonicalJson(JSON.parse(text))).toBe(text)
      }),
    )
  })
})

describe('addresses', () => {
  it.each(['1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.x', ''])('fail: %s is no IPv4 address', (text) => {
    expect(parseIpv4(text)).toBeNull()
  })

  it.each(['::', '::1', '2001:db8::1', '1:2:3:4:5:6:7:8', '::ffff:192.0.2.1', '1::'])('ok: %s', (text) => {
    expect(parseIpv6(text)).toHaveLength(16)
  })

  it.each([
    '',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '12345::',
    '::1.2.3',
    '1:2:3:4:5:6:7::8',
    'fe80::1%eth0',
  ])('fail: %s is no IPv6 address', (text) => {
    expect(parseIpv6(text)).toBeNull()
  })
})

describe('the table of errors', () => {
  it.each(Object.entries(ERRORS))('ok: %s has a status of its kind and a title', (code, row) => {
    expect(row.status).toBeGreaterThanOrEqual(400)
    expect(row.title.length).toBeGreaterThan(10)
    expect(new AppError(code as ErrorCode, 'x')).toMatchObject({ code, details: [], retryAfterSeconds: null })
  })

  it('ok: internal errors and refused tokens keep their message to themselves', () => {
    const hidden = Object.entries(ERRORS).filter(([, row]) => !row.expose)
    expect(hidden.map(([code]) => code).sort()).toEqual(['internal', 'unauthorized'])
  })
})
