/** Reading and writing octets with bounds. Knows numbers and lengths, nothing of DNS. */
import type { Bytes } from '../../core/bytes.ts'

/** Thrown inside the decoder and caught by its entry points; never leaves `wire/`. */
export class WireError extends Error {
  override readonly name = 'WireError'
  readonly reason: WireReason
  readonly offset: number

  constructor(reason: WireReason, offset: number) {
    super(`${reason} at octet ${offset}`)
    this.reason = reason
    this.offset = offset
  }
}

export type WireReason =
  | 'too_long' // more than one message can hold
  | 'truncated' // ends before what it announces
  | 'trailing_octets' // goes on after what it announces
  | 'bad_label' // a label type that does not exist
  | 'bad_pointer' // a compression pointer that does not point backwards, or too many of them
  | 'name_too_long'
  | 'bad_rdata' // the data do not fit their type or their length

/** A cursor over octets, from `offset` to `end`. Every read is checked. */
export class OctetReader {
  readonly octets: Uint8Array
  readonly end: number
  offset: number

  constructor(octets: Uint8Array, offset = 0, end = octets.length) {
    this.octets = octets
    this.offset = offset
    this.end = end
  }

  get remaining(): number {
    return this.end - this.offset
  }

  uint8(): number {
    return this.#take(1)[0] as number
  }

  uint16(): number {
    const high = this.uint8()
    return (high << 8) | this.uint8()
  }

  uint32(): number {
    return this.uint16() * 0x1_0000 + this.uint16()
  }

  uint48(): number {
    return this.uint16() * 0x1_0000_0000 + this.uint32()
  }

  /** Another cursor over the same octets. */
  at(offset: number): OctetReader {
    return new OctetReader(this.octets, offset)
  }

  /** A copy of the next octets. */
  bytes(length: number): Bytes {
    return new Uint8Array(this.#take(length))
  }

  #take(length: number): Uint8Array {
    if (length > this.remaining) throw new WireError('truncated', this.offset)
    const taken = this.octets.subarray(this.offset, this.offset + length)
    this.offset += length
    return taken
  }
}

/** Big-endian octets of numbers. */
export const uint8 = (value: number): Uint8Array => Uint8Array.of(value & 0xff)
export const uint16 = (value: number): Uint8Array => Uint8Array.of((value >> 8) & 0xff, value & 0xff)
export const uint32 = (value: number): Uint8Array =>
  Uint8Array.of((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)

/** Six octets, for times in seconds (RFC 8945 §4.2). */
export function uint48(value: number): Uint8Array {
  const high = Math.floor(value / 0x1_0000_0000)
  const low = value % 0x1_0000_0000
  return Uint8Array.of(
    (high >> 8) & 0xff,
    high & 0xff,
    (low >>> 24) & 0xff,
    (low >>> 16) & 0xff,
    (low >>> 8) & 0xff,
    low & 0xff,
  )
}
