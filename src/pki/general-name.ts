/** GeneralName and Name (RFC 5280 §4.2.1.6, §4.1.2.4), read. Decodes the forms in use and keeps the others as bytes. */
import type { Bytes } from '../core/bytes.ts'
import type { DerReader } from './der/reader.ts'
import { decodeAscii, decodeString } from './der/strings.ts'
import { contextConstructed, contextPrimitive } from './der/tags.ts'
import { ATTRIBUTE } from './oids.ts'

export interface NameAttribute {
  readonly oid: string
  /** Tag of the value: mostly a string type, which is not required. */
  readonly valueTag: number
  readonly valueDer: Bytes
  /** Null where it is not text. */
  readonly text: string | null
}

/** A distinguished name. `der` is what two names are compared by. */
export interface DistinguishedName {
  readonly der: Bytes
  /** Outermost first (RFC 5280 §4.1.2.4); most sets have one attribute. */
  readonly rdns: readonly (readonly NameAttribute[])[]
}

export type GeneralName =
  /** As it stands in the certificate: any case, possibly not a DNS name at all. */
  | { readonly type: 'dns'; readonly value: string }
  /** 4 or 16 octets; in name constraints 8 or 32, address and mask. */
  | { readonly type: 'ip'; readonly value: Bytes }
  | { readonly type: 'email'; readonly value: string }
  | { readonly type: 'uri'; readonly value: string }
  | { readonly type: 'directory'; readonly value: DistinguishedName }
  | { readonly type: 'other'; readonly oid: string; readonly valueDer: Bytes }
  | { readonly type: 'registered-id'; readonly oid: string }
  /** x400Address and ediPartyName. */
  | { readonly type: 'unsupported'; readonly tag: number; readonly der: Bytes }

/** Reads a Name, which is a CHOICE of one: a SEQUENCE of SETs. */
export function readName(reader: DerReader): DistinguishedName {
  const rdns: NameAttribute[][] = []
  const start = reader.offset
  const sequence = reader.sequence()
  while (!sequence.atEnd) {
    const set = sequence.set()
    const attributes: NameAttribute[] = []
    // RFC 5280 §4.1.2.4: a RelativeDistinguishedName is SET SIZE (1..MAX).
    do attributes.push(readAttribute(set))
    while (!set.atEnd)
    rdns.push(attributes)
  }
  return { der: reader.since(start), rdns }
}

function readAttribute(set: DerReader): NameAttribute {
  const attribute = set.sequence()
  const oid = attribute.oid()
  const { tag, raw, content } = attribute.element()
  attribute.finish()
  return { oid, valueTag: tag, valueDer: raw, text: decodeString(tag, content) }
}

/** The last common name as text, or null: of several, the most specific one. */
export function commonNameOf(name: DistinguishedName): string | null {
  for (const rdn of name.rdns.toReversed()) {
    for (const attribute of rdn) if (attribute.oid === ATTRIBUTE.commonName) return attribute.text
  }
  return null
}

/** Where the octets of an iPAddress are counted: an address in a certificate, an address with a mask in a constraint. */
export type IpLengths = 'address' | 'range'

/** Reads a SEQUENCE OF GeneralName, of at least one, whose header is behind the reader. */
export function readGeneralNames(reader: DerReader, ipLengths: IpLengths): GeneralName[] {
  if (reader.atEnd) reader.fail('a list of names is empty')
  const names: GeneralName[] = []
  do names.push(readGeneralName(reader, ipLengths))
  while (!reader.atEnd)
  return names
}

export function readGeneralName(reader: DerReader, ipLengths: IpLengths): GeneralName {
  switch (reader.peekTag()) {
    case contextConstructed(0): {
      const other = reader.enter(contextConstructed(0))
      const oid = other.oid()
      const explicit = other.enter(contextConstructed(0))
      other.finish()
      const valueDer = explicit.raw()
      explicit.finish()
      return { type: 'other', oid, valueDer }
    }
    case contextPrimitive(1):
      return { type: 'email', value: readIa5(reader, contextPrimitive(1)) }
    case contextPrimitive(2):
      return { type: 'dns', value: readIa5(reader, contextPrimitive(2)) }
    case contextConstructed(4): {
      // A CHOICE cannot be tagged implicitly (X.680 §31.2.7): [4] is explicit.
      const explicit = reader.enter(contextConstructed(4))
      const value = readName(explicit)
      explicit.finish()
      return { type: 'directory', value }
    }
    case contextPrimitive(6):
      return { type: 'uri', value: readIa5(reader, contextPrimitive(6)) }
    case contextPrimitive(7): {
      const value = reader.content(contextPrimitive(7))
      const factor = ipLengths === 'range' ? 2 : 1
      // RFC 5280 §4.2.1.6: "MUST contain exactly four octets" or sixteen; §4.2.1.10: eight or 32 in constraints.
      if (value.length !== 4 * factor && value.length !== 16 * factor) {
        const what = ipLengths === 'range' ? 'an IP address with its mask' : 'an IP address'
        reader.fail(`${what} has ${4 * factor} or ${16 * factor} octets, and this one ${value.length}`)
      }
      return { type: 'ip', value }
    }
    case contextPrimitive(8):
      return { type: 'registered-id', oid: reader.oid(contextPrimitive(8)) }
    case contextConstructed(3):
    case contextConstructed(5): {
      const { tag, raw } = reader.element()
      return { type: 'unsupported', tag, der: raw }
    }
    default:
      return reader.fail('there is no general name of that kind', 'unexpected_tag')
  }
}

function readIa5(reader: DerReader, tag: number): string {
  const text = decodeAscii(reader.content(tag))
  return text ?? reader.fail('a name is not ASCII')
}
