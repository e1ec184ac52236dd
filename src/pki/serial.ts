/** Serial numbers: random ones, and their text `1A:2B:3C`. */
import { type Bytes, fromHex, randomBytes, toHex } from '../core/bytes.ts'
import { unsignedContent } from './der/writer.ts'
import { MAX_SERIAL_OCTETS } from './limits.ts'

/** Content octets of a new serial number: 159 random bits, never zero. */
export function newSerial(): Bytes {
  const octets = randomBytes(MAX_SERIAL_OCTETS)
  // RFC 5280 §4.1.2.2: positive, and at most 20 octets, so the top bit stays clear. A bit below it is set, so that
  // all serials are of one length and none is zero.
  octets[0] = ((octets[0] as number) & 0x7f) | 0x40
  return octets
}

/** Upper-case hex pairs of the number, without a sign octet. */
export function formatSerial(contentOctets: Uint8Array): string {
  const signed = contentOctets.length > 1 && contentOctets[0] === 0
  const hex = toHex(signed ? contentOctets.subarray(1) : contentOctets).toUpperCase()
  return (hex.match(/../g) ?? []).join(':')
}

/** The same, of content octets that are given as hex. MUST be given hex. */
export function formatSerialHex(contentOctetsHex: string): string {
  const octets = fromHex(contentOctetsHex)
  if (octets === null) throw new TypeError('a serial number is not hex')
  return formatSerial(octets)
}

/** Content octets of a positive serial number in any case, with or without colons, or null. */
export function parseSerial(text: string): Bytes | null {
  const separated = /^[0-9a-f]{1,2}(:[0-9a-f]{2})+$/i.test(text)
  const hex = separated ? text.replaceAll(':', '') : text
  const magnitude = fromHex(hex.length % 2 === 1 ? `0${hex}` : hex)
  if (magnitude === null || magnitude.length === 0) return null
  const octets = unsignedContent(magnitude)
  return octets.length > MAX_SERIAL_OCTETS + 1 ? null : octets
}
