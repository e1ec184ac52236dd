/** Builds DER from the inside out: every function returns a finished value. Checks no X.509. */
import { type Bytes, concatBytes, utf8 } from '../../core/bytes.ts'
import { encodeOid } from './oid.ts'
import { contextConstructed, TAG } from './tags.ts'
import { encodeTime } from './time.ts'

/** Tag and length octets for a content of that many bytes. */
export function derHeader(tag: number, contentLength: number): Bytes {
  return writeHeader(new Uint8Array(headerLength(contentLength)), tag, contentLength)
}

/** One value with the given parts as its content. */
export function derValue(tag: number, ...parts: readonly Uint8Array[]): Bytes {
  let length = 0
  for (const part of parts) length += part.length
  let offset = headerLength(length)
  const out = writeHeader(new Uint8Array(offset + length), tag, length)
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

function headerLength(contentLength: number): number {
  if (contentLength < 0x80) return 2
  if (contentLength < 0x100) return 3
  if (contentLength < 0x1_0000) return 4
  return contentLength < 0x100_0000 ? 5 : 6
}

function writeHeader(out: Bytes, tag: number, contentLength: number): Bytes {
  const octets = headerLength(contentLength) - 2
  out[0] = tag
  out[1] = octets === 0 ? contentLength : 0x80 | octets
  for (let i = 0, rest = contentLength; i < octets; i += 1, rest = Math.floor(rest / 256)) out[1 + octets - i] = rest
  return out
}

export const derSequence = (...parts: readonly Uint8Array[]): Bytes => derValue(TAG.sequence, ...parts)

/** X.690 §11.6: the components of a SET OF appear in ascending order of their encodings. */
export function derSetOf(...parts: readonly Uint8Array[]): Bytes {
  return derValue(TAG.set, ...(parts.length < 2 ? parts : [...parts].sort(compareBytes)))
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i += 1) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** `[n] EXPLICIT`. */
export const derExplicit = (number: number, ...parts: readonly Uint8Array[]): Bytes =>
  derValue(contextConstructed(number), ...parts)

const TRUE = derValue(TAG.boolean, new Uint8Array([0xff]))
const FALSE = derValue(TAG.boolean, new Uint8Array([0]))

export const derBoolean = (value: boolean): Bytes => (value ? TRUE : FALSE)

/** TRUE under an IMPLICIT tag. FALSE is the default wherever that occurs, and so is never written. */
export const derTrue = (tag: number): Bytes => derValue(tag, new Uint8Array([0xff]))

export const derNull = (): Bytes => derValue(TAG.null)

/** An INTEGER of at most 2^53 - 1, not negative. */
export function derInteger(value: number): Bytes {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a whole number above zero`)
  const octets: number[] = []
  for (let rest = value; octets.length === 0 || rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return derUnsigned(new Uint8Array(octets))
}

/** An INTEGER of a magnitude: leading zero octets go, a sign octet comes where the top bit is set. */
export function derUnsigned(magnitude: Uint8Array): Bytes {
  return derValue(TAG.integer, unsignedContent(magnitude))
}

/** Content octets of an INTEGER of that magnitude. */
export function unsignedContent(magnitude: Uint8Array): Bytes {
  let start = 0
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1
  const significant = magnitude.subarray(start)
  if (significant.length === 0) return new Uint8Array(1)
  const needsSign = (significant[0] as number) >= 0x80
  return needsSign ? concatBytes(new Uint8Array(1), significant) : concatBytes(significant)
}

/** A BIT STRING of whole octets. */
export const derBitString = (octets: Uint8Array): Bytes => derValue(TAG.bitString, new Uint8Array(1), octets)

/** A named bit list by the numbers of its set bits. X.690 §11.2.2: trailing zero bits are removed. */
export function derNamedBits(bits: readonly number[], tag: number = TAG.bitString): Bytes {
  const last = Math.max(-1, ...bits)
  const octets = new Uint8Array(1 + Math.ceil((last + 1) / 8))
  octets[0] = last < 0 ? 0 : 7 - (last % 8)
  for (const bit of bits) {
    const index = 1 + Math.floor(bit / 8)
    octets[index] = (octets[index] as number) | (0x80 >> (bit % 8))
  }
  return derValue(tag, octets)
}

export const derOctetString = (octets: Uint8Array): Bytes => derValue(TAG.octetString, octets)

/** An OBJECT IDENTIFIER from dotted text of a caller; the encoding is not kept. MUST be given text of that form. */
export const derOidOnce = (dotted: string): Bytes => derValue(TAG.oid, encodeOid(dotted))

const knownOids = new Map<string, Bytes>()

/** An OBJECT IDENTIFIER from dotted text. MUST be given constants: each one is encoded once and kept. */
export function derOid(dotted: string): Bytes {
  const known = knownOids.get(dotted)
  if (known !== undefined) return known
  const value = derOidOnce(dotted)
  knownOids.set(dotted, value)
  return value
}

/** A Time: UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5). */
export function derTime(epochMs: number): Bytes {
  const { tag, content } = encodeTime(epochMs)
  return derValue(tag, content)
}

export const derUtf8String = (text: string): Bytes => derValue(TAG.utf8String, utf8(text))

/** ASCII text under IA5String or an IMPLICIT tag on it. MUST be ASCII. */
export function derIa5String(text: string, tag: number = TAG.ia5String): Bytes {
  const octets = utf8(text)
  if (octets.length !== text.length) throw new RangeError('the text is not ASCII')
  return derValue(tag, octets)
}

/** X.680 §41.4: letters, digits, space and these. */
export const isPrintableText = (text: string): boolean => /^[A-Za-z0-9 '()+,./:=?-]*$/.test(text)

export function derPrintableString(text: string): Bytes {
  if (!isPrintableText(text)) throw new RangeError('the text does not fit a PrintableString')
  return derValue(TAG.printableString, utf8(text))
}
