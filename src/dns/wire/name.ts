/**
 * Domain names: text, labels, wire. A name is absolute, in lower case, without the trailing dot; the root is `''`.
 * Octets that text cannot show are escaped as in zone files. Knows no IDNA: give A-labels.
 */
import { type Bytes, concatBytes } from '../../core/bytes.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { MAX_LABEL_OCTETS, MAX_NAME_OCTETS, MAX_NAME_POINTERS } from '../limits.ts'
import { type OctetReader, uint8, WireError } from './octets.ts'

/** Reads a name in any case, with or without its trailing dot, into the form used here. The error is a sentence. */
export function parseName(text: string): Result<string, string> {
  const labels = labelsOf(text)
  if (labels === null) return err(`"${text.slice(0, 300)}" is not a domain name`)
  let octets = 1
  for (const label of labels) {
    if (label.length === 0) return err(`"${text.slice(0, 300)}" has an empty label`)
    if (label.length > MAX_LABEL_OCTETS) {
      return err(`"${text.slice(0, 300)}" has a label of more than ${MAX_LABEL_OCTETS} octets`)
    }
    octets += 1 + label.length
  }
  if (octets > MAX_NAME_OCTETS) return err(`"${text.slice(0, 300)}" is longer than ${MAX_NAME_OCTETS} octets`)
  return ok(textOf(labels))
}

/** Is `name` the zone itself or below it? Both in the form that `parseName` returns. */
export function isWithin(name: string, zone: string): boolean {
  return zone === '' || name === zone || name.endsWith(`.${zone}`)
}

/** The name one label up: of `www.example.com` it is `example.com`; of a single label the root; of the root null. */
export function parentOf(name: string): string | null {
  if (name === '') return null
  const labels = labelsOf(name)
  return labels === null ? null : textOf(labels.slice(1))
}

/**
 * The name on the wire, uncompressed and in lower case: the canonical form of RFC 8945 §4.3.3.
 * MUST be given what `parseName` returned; throws a WireError else.
 */
export function encodeName(name: string): Bytes {
  const labels = labelsOf(name)
  if (labels === null) throw new WireError('bad_label', 0)
  const parts: Uint8Array[] = []
  for (const label of labels) {
    if (label.length === 0 || label.length > MAX_LABEL_OCTETS) throw new WireError('bad_label', 0)
    parts.push(uint8(label.length), Uint8Array.from(label, lowerCase))
  }
  const wire = concatBytes(...parts, uint8(0))
  if (wire.length > MAX_NAME_OCTETS) throw new WireError('name_too_long', 0)
  return wire
}

/**
 * Reads a name and leaves the reader behind it. With `compressed`, pointers are followed as far as they point
 * backwards, which they must, so that reading ends; else a pointer is an error.
 */
export function readName(reader: OctetReader, compressed: boolean): string {
  const labels: number[][] = []
  let octets = 1
  let pointers = 0
  let cursor = reader
  /** Where the labels being read began: a pointer leads before that. */
  let floor = reader.offset
  for (;;) {
    const at = cursor.offset
    const length = cursor.uint8()
    if (length === 0) break
    if (length <= MAX_LABEL_OCTETS) {
      octets += 1 + length
      if (octets > MAX_NAME_OCTETS) throw new WireError('name_too_long', at)
      labels.push([...cursor.bytes(length)])
      continue
    }
    // RFC 1035 §4.1.4: the two high bits of a pointer are ones; 10 and 01 are reserved.
    if (length < 0xc0 || !compressed) throw new WireError('bad_label', at)
    const target = ((length & 0x3f) << 8) | cursor.uint8()
    pointers += 1
    // RFC 1035 §4.1.4: a pointer is to "a prior occurance of the same name".
    if (target >= floor || pointers > MAX_NAME_POINTERS) throw new WireError('bad_pointer', at)
    floor = target
    cursor = reader.at(target)
  }
  return textOf(labels)
}

/** The octets of every label, or null where an escape is wrong. `''` and `'.'` are the root. */
function labelsOf(text: string): number[][] | null {
  if (text === '' || text === '.') return []
  const labels: number[][] = []
  let label: number[] = []
  let open = true
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i)
    open = true
    if (code === DOT) {
      labels.push(label)
      label = []
      open = false
    } else if (code === BACKSLASH) {
      const escaping = /^\\(?:(\d{3})|([\x21-\x7e]))/.exec(text.slice(i, i + 4))
      if (escaping === null) return null
      const octet = escaping[1] === undefined ? (escaping[2] as string).charCodeAt(0) : Number(escaping[1])
      if (octet > 255) return null
      label.push(octet)
      i += escaping[0].length - 1
    } else if (code > 0x20 && code < 0x7f) {
      label.push(code)
    } else {
      return null
    }
  }
  if (open) labels.push(label)
  return labels
}

const DOT = 0x2e
const BACKSLASH = 0x5c

/** RFC 4343 §3: only ASCII letters have a case. */
const lowerCase = (octet: number): number => (octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet)

function textOf(labels: readonly (readonly number[])[]): string {
  return labels.map((label) => label.map(escaped).join('')).join('.')
}

function escaped(octet: number): string {
  const lower = lowerCase(octet)
  if (lower === DOT || lower === BACKSLASH) return `\\${String.fromCharCode(lower)}`
  if (lower > 0x20 && lower < 0x7f) return String.fromCharCode(lower)
  return `\\${String(lower).padStart(3, '0')}`
}
