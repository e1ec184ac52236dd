/**
 * A strict DER reader (X.690 §8, §10, §11): a cursor over bytes that copies nothing. Definite, minimal lengths and low
 * tag numbers only. Every header costs one element of a budget, and every level one of depth, so no input makes it slow.
 * Checks what is read, not what is skipped. Knows no X.509.
 */
import type { Bytes } from '../../core/bytes.ts'
import { DerError, type DerFault } from './errors.ts'
import { MAX_DER_DEPTH, MAX_DER_ELEMENTS } from './limits.ts'
import { decodeOid } from './oid.ts'
import { TAG } from './tags.ts'
import { decodeGeneralizedTime, decodeUtcTime, FIRST_GENERALIZED_TIME_MS } from './time.ts'

/** Shared by all readers over one input. */
export interface DerBudget {
  elements: number
}

/** One value: its tag, the bytes from tag to end, and the bytes inside. */
export interface DerElement {
  readonly tag: number
  readonly raw: Bytes
  readonly content: Bytes
}

export interface BitString {
  readonly unusedBits: number
  readonly bytes: Bytes
}

export interface DerTime {
  readonly epochMs: number
  /** False for a GeneralizedTime before 2050. A root that the browsers trust has one, so reading it is not refused. */
  readonly formConforms: boolean
}

export interface DerReaderOptions {
  /** Elements that may be read; shared by everything that is read from here. */
  readonly budget?: DerBudget
}

export class DerReader {
  readonly #bytes: Bytes
  #position: number
  readonly #end: number
  readonly #depth: number
  readonly #budget: DerBudget
  // Of the header read last.
  #contentStart = 0
  #contentEnd = 0

  private constructor(bytes: Bytes, start: number, end: number, depth: number, budget: DerBudget) {
    this.#bytes = bytes
    this.#position = start
    this.#end = end
    this.#depth = depth
    this.#budget = budget
  }

  /** A reader over whole bytes. Call `finish` after the last value: trailing bytes are an error. */
  static over(bytes: Bytes, options: DerReaderOptions = {}): DerReader {
    return new DerReader(bytes, 0, bytes.length, MAX_DER_DEPTH, options.budget ?? { elements: MAX_DER_ELEMENTS })
  }

  get atEnd(): boolean {
    return this.#position >= this.#end
  }

  /** Where the next value starts, counted from the first byte of the input. */
  get offset(): number {
    return this.#position
  }

  /** Tag of the next value, or null at the end. */
  peekTag(): number | null {
    return this.atEnd ? null : (this.#bytes[this.#position] as number)
  }

  /** Throws at the position of the next value. */
  fail(message: string, fault: DerFault = 'value'): never {
    throw new DerError(fault, this.#position, message)
  }

  finish(): void {
    if (!this.atEnd) this.fail('there are bytes after the last value', 'trailing')
  }

  /** The next value, of any type. */
  element(): DerElement {
    const start = this.#position
    const tag = this.#header(null)
    return {
      tag,
      raw: this.#bytes.subarray(start, this.#contentEnd),
      content: this.#bytes.subarray(this.#contentStart, this.#contentEnd),
    }
  }

  /** The bytes from an earlier `offset` to here: a value that was entered, as it was written. */
  since(offset: number): Bytes {
    return this.#bytes.subarray(offset, this.#position)
  }

  /** The next value from tag to end, without looking inside. */
  raw(tag: number | null = null): Bytes {
    const start = this.#position
    this.#header(tag)
    return this.#bytes.subarray(start, this.#contentEnd)
  }

  /** The bytes inside the next value. */
  content(tag: number): Bytes {
    this.#header(tag)
    return this.#bytes.subarray(this.#contentStart, this.#contentEnd)
  }

  /** A reader inside the next value: a SEQUENCE, a SET, an explicit tag, or an OCTET STRING that holds DER. */
  enter(tag: number): DerReader {
    this.#header(tag)
    return this.#inside(this.#contentStart)
  }

  /** As `enter`, or null where something else or nothing comes next. */
  enterOptional(tag: number): DerReader | null {
    return this.peekTag() === tag ? this.enter(tag) : null
  }

  sequence(): DerReader {
    return this.enter(TAG.sequence)
  }

  set(): DerReader {
    return this.enter(TAG.set)
  }

  /** X.690 §11.1: "If the encoding represents the boolean value TRUE, its single contents octet shall have all eight bits set". */
  boolean(tag: number = TAG.boolean): boolean {
    const content = this.content(tag)
    const value = content[0]
    if (content.length !== 1 || (value !== 0 && value !== 0xff)) this.#refuse('a boolean is 00 or FF')
    return value === 0xff
  }

  /** BOOLEAN DEFAULT FALSE. X.690 §11.5: a default value "shall not be encoded". */
  defaultFalse(tag: number = TAG.boolean): boolean {
    if (this.peekTag() !== tag) return false
    if (!this.boolean(tag)) this.#refuse('a default value is written out')
    return true
  }

  /** Content octets of an INTEGER: two's complement, at least one octet, minimal (X.690 §8.3.2). */
  integerOctets(tag: number = TAG.integer): Bytes {
    const content = this.content(tag)
    const [first, second] = content
    if (first === undefined) this.#refuse('an integer is empty')
    const padded = second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))
    if (padded) this.#refuse('an integer is longer than it needs to be')
    return content
  }

  /** Magnitude of an INTEGER that is not negative, without the sign octet. */
  unsigned(tag: number = TAG.integer): Bytes {
    const content = this.integerOctets(tag)
    if ((content[0] as number) >= 0x80) this.#refuse('an integer is negative')
    return content.length > 1 && content[0] === 0 ? content.subarray(1) : content
  }

  /** An INTEGER from 0 to 2^31 - 1: versions, path lengths, reasons. */
  smallInteger(tag: number = TAG.integer): number {
    const content = this.unsigned(tag)
    if (content.length > 4) this.#refuse('an integer is too large')
    let value = 0
    for (const octet of content) value = value * 256 + octet
    if (value > 0x7fff_ffff) this.#refuse('an integer is too large')
    return value
  }

  /** X.690 §11.2.1: "Each unused bit in the final octet of the encoding of a bit string value shall be set to zero". */
  bitString(tag: number = TAG.bitString): BitString {
    const content = this.content(tag)
    const unusedBits = content[0]
    const bytes = content.subarray(1)
    if (unusedBits === undefined || unusedBits > 7 || (bytes.length === 0 && unusedBits > 0)) {
      this.#refuse('a bit string is malformed')
    }
    if (bytes.length > 0 && ((bytes.at(-1) as number) & ((1 << unusedBits) - 1)) !== 0) {
      this.#refuse('a bit string has unused bits that are set')
    }
    return { unusedBits, bytes }
  }

  /** A BIT STRING of whole octets: keys and signatures. */
  bitStringOctets(tag: number = TAG.bitString): Bytes {
    const { unusedBits, bytes } = this.bitString(tag)
    if (unusedBits !== 0) this.#refuse('a bit string is not made of whole octets')
    return bytes
  }

  octetString(): Bytes {
    return this.content(TAG.octetString)
  }

  /** Dotted text. */
  oid(tag: number = TAG.oid): string {
    return decodeOid(this.content(tag), this.#contentStart)
  }

  null(): void {
    if (this.content(TAG.null).length !== 0) this.#refuse('a null has content')
  }

  /** A Time (RFC 5280 §4.1.2.5), and whether its form follows the rule of 2050. */
  time(): DerTime {
    if (this.peekTag() === TAG.utcTime) {
      return { epochMs: decodeUtcTime(this.content(TAG.utcTime), this.#contentStart), formConforms: true }
    }
    const epochMs = this.generalizedTime()
    return { epochMs, formConforms: epochMs >= FIRST_GENERALIZED_TIME_MS }
  }

  generalizedTime(tag: number = TAG.generalizedTime): number {
    return decodeGeneralizedTime(this.content(tag), this.#contentStart)
  }

  #inside(start: number): DerReader {
    if (this.#depth === 0) throw new DerError('too_deep', start, `more than ${MAX_DER_DEPTH} levels`)
    return new DerReader(this.#bytes, start, this.#contentEnd, this.#depth - 1, this.#budget)
  }

  /** Throws at the value that was read last. */
  #refuse(message: string): never {
    throw new DerError('value', this.#contentStart, message)
  }

  /** Reads tag and length, notes where the content lies, and moves past it. */
  #header(expected: number | null): number {
    const bytes = this.#bytes
    const start = this.#position
    if (this.#budget.elements <= 0) throw new DerError('too_many_elements', start, 'there are too many values')
    this.#budget.elements -= 1
    if (start >= this.#end) throw new DerError('truncated', start, 'a value is missing')
    const tag = bytes[start] as number
    if (expected !== null && tag !== expected) {
      throw new DerError('unexpected_tag', start, `found tag ${hex(tag)} where ${hex(expected)} belongs`)
    }
    if ((tag & 0x1f) === 0x1f) throw new DerError('unexpected_tag', start, 'a tag number above 30')
    let position = start + 2
    if (position > this.#end) throw new DerError('truncated', start, 'a length is missing')
    let length = bytes[start + 1] as number
    if (length >= 0x80) {
      const count = length & 0x7f
      // X.690 §10.1: "The definite form of length encoding shall be used, encoded in the minimum number of octets."
      if (count === 0) throw new DerError('length', start, 'a length is indefinite')
      if (count > 4) throw new DerError('length', start, 'a length has more than four octets')
      if (position + count > this.#end) throw new DerError('truncated', start, 'a length is cut short')
      length = 0
      for (let i = 0; i < count; i += 1) length = length * 256 + (bytes[position + i] as number)
      if (length < 0x80 || length < 256 ** (count - 1)) {
        throw new DerError('length', start, 'a length is longer than it needs to be')
      }
      position += count
    }
    if (length > this.#end - position) throw new DerError('truncated', start, 'a value is longer than what holds it')
    this.#contentStart = position
    this.#contentEnd = position + length
    this.#position = this.#contentEnd
    return tag
  }
}

const hex = (tag: number): string => tag.toString(16).padStart(2, '0').toUpperCase()
