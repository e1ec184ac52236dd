/** UTCTime and GeneralizedTime, as RFC 5280 §4.1.2.5 narrows them: UTC, seconds present, no fractions. */
import type { Bytes } from '../../core/bytes.ts'
import { DerError } from './errors.ts'
import { TAG } from './tags.ts'

/** RFC 5280 §4.1.2.5: "certificate validity dates through the year 2049 as UTCTime", from 2050 as GeneralizedTime. */
export const FIRST_GENERALIZED_TIME_MS = Date.UTC(2050, 0, 1)
const FIRST_UTC_TIME_MS = Date.UTC(1950, 0, 1)

/** Epoch milliseconds of YYMMDDHHMMSSZ. */
export function decodeUtcTime(content: Uint8Array, offset: number): number {
  const digits = digitsOf(content, 12, offset)
  const year = two(digits, 0)
  // RFC 5280 §4.1.2.5.1: "Where YY is greater than or equal to 50, the year SHALL be interpreted as 19YY".
  return instant(year >= 50 ? 1900 + year : 2000 + year, digits.subarray(2), offset)
}

/** Epoch milliseconds of YYYYMMDDHHMMSSZ. */
export function decodeGeneralizedTime(content: Uint8Array, offset: number): number {
  const digits = digitsOf(content, 14, offset)
  return instant(two(digits, 0) * 100 + two(digits, 2), digits.subarray(4), offset)
}

function digitsOf(content: Uint8Array, count: number, offset: number): Uint8Array {
  if (content.length !== count + 1 || content[count] !== 0x5a) {
    throw new DerError('value', offset, 'a time must be in UTC with seconds and without fractions')
  }
  const digits = new Uint8Array(count)
  for (let i = 0; i < count; i += 1) {
    const digit = (content[i] as number) - 0x30
    if (digit < 0 || digit > 9) throw new DerError('value', offset, 'a time has a character that is no digit')
    digits[i] = digit
  }
  return digits
}

const two = (digits: Uint8Array, at: number): number => (digits[at] as number) * 10 + (digits[at + 1] as number)

function instant(year: number, digits: Uint8Array, offset: number): number {
  const [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map((at) => two(digits, at)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  if (!exists || month === 0 || hour > 23 || minute > 59 || second > 59) {
    throw new DerError('value', offset, 'a time names a day or an hour that does not exist')
  }
  return date.setUTCHours(hour, minute, second)
}

/** Tag and content of a time by the rule of 2050. MUST be whole seconds from the years 0 to 9999; fractions are cut. */
export function encodeTime(epochMs: number): { tag: number; content: Bytes } {
  if (epochMs >= FIRST_UTC_TIME_MS && epochMs < FIRST_GENERALIZED_TIME_MS) {
    return { tag: TAG.utcTime, content: asciiTime(epochMs, 2) }
  }
  return { tag: TAG.generalizedTime, content: encodeGeneralizedTime(epochMs) }
}

/** YYYYMMDDHHMMSSZ in every year: for fields that are always GeneralizedTime. */
export function encodeGeneralizedTime(epochMs: number): Bytes {
  return asciiTime(epochMs, 0)
}

function asciiTime(epochMs: number, skipDigits: number): Bytes {
  const iso = new Date(epochMs).toISOString()
  if (iso.length !== 24) throw new RangeError('a time in a certificate lies between the years 0 and 9999')
  const text = `${iso.slice(0, 19).replace(/[-:T]/g, '').slice(skipDigits)}Z`
  const out = new Uint8Array(text.length)
  for (let i = 0; i < out.length; i += 1) out[i] = text.charCodeAt(i)
  return out
}
