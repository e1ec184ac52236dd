/** Resource records: what is in them, to and from octets. Types that are not listed keep their octets. */
import { type Bytes, concatBytes, utf8 } from '../../core/bytes.ts'
import { MAX_CHARACTER_STRING_OCTETS } from '../limits.ts'
import { addressOctets, ipv4Text, ipv6Text } from './address.ts'
import { CLASS, TYPE } from './codes.ts'
import { encodeName, readName } from './name.ts'
import { OctetReader, uint8, uint16, uint32, uint48, WireError } from './octets.ts'

/** A resource record (RFC 1035 §4.1.3). */
export interface DnsRecord {
  readonly name: string
  readonly class: number
  /** For OPT (RFC 6891 §6.1.3) these are flags. */
  readonly ttlSeconds: number
  readonly data: RecordData
}

export type RecordData =
  | { readonly type: typeof TYPE.A | typeof TYPE.AAAA; readonly address: string }
  | { readonly type: typeof TYPE.NS | typeof TYPE.CNAME; readonly target: string }
  | SoaData
  | { readonly type: typeof TYPE.TXT; readonly strings: readonly Bytes[] }
  | CaaData
  | TsigData
  /** No data at all: "any" or "none of" a type, in an UPDATE (RFC 2136 §2.4, §2.5). */
  | { readonly type: 'empty'; readonly typeCode: number }
  | { readonly type: 'other'; readonly typeCode: number; readonly octets: Bytes }

/** RFC 1035 §3.3.13. */
export interface SoaData {
  readonly type: typeof TYPE.SOA
  readonly primary: string
  readonly mailbox: string
  readonly serial: number
  readonly refreshSeconds: number
  readonly retrySeconds: number
  readonly expireSeconds: number
  readonly minimumSeconds: number
}

/** RFC 8659 §4.1. The tag is in lower case, the value as it came, one character an octet. */
export interface CaaData {
  readonly type: typeof TYPE.CAA
  readonly flags: number
  readonly tag: string
  readonly value: string
}

/** RFC 8945 §4.2. */
export interface TsigData {
  readonly type: typeof TYPE.TSIG
  readonly algorithm: string
  readonly timeSignedSeconds: number
  readonly fudgeSeconds: number
  readonly mac: Bytes
  readonly originalId: number
  readonly error: number
  readonly otherData: Bytes
}

/** The type's number, as the wire has it. */
export function typeCodeOf(data: RecordData): number {
  return data.type === 'empty' || data.type === 'other' ? data.typeCode : data.type
}

/** A text as TXT data: UTF-8, in as many character-strings as it takes (RFC 1035 §3.3.14). */
export function txtData(text: string): RecordData {
  const octets = utf8(text)
  const strings: Bytes[] = []
  for (let at = 0; at === 0 || at < octets.length; at += MAX_CHARACTER_STRING_OCTETS) {
    strings.push(octets.slice(at, at + MAX_CHARACTER_STRING_OCTETS))
  }
  return { type: TYPE.TXT, strings }
}

/** The octets of a record. Names are not compressed: RFC 1035 §4.1.4 leaves that to the sender. */
export function encodeRecord(record: DnsRecord): Bytes {
  const octets = encodeData(record.data)
  if (octets.length > 0xffff) throw new WireError('too_long', 0)
  return concatBytes(
    encodeName(record.name),
    uint16(typeCodeOf(record.data)),
    uint16(record.class),
    uint32(record.ttlSeconds),
    uint16(octets.length),
    octets,
  )
}

/** Reads one record; throws a WireError. */
export function readRecord(reader: OctetReader): DnsRecord {
  const name = readName(reader, true)
  const typeCode = reader.uint16()
  const recordClass = reader.uint16()
  const ttlSeconds = reader.uint32()
  const length = reader.uint16()
  if (length > reader.remaining) throw new WireError('truncated', reader.offset)
  const inner = new OctetReader(reader.octets, reader.offset, reader.offset + length)
  const bare = length === 0 && (recordClass === CLASS.ANY || recordClass === CLASS.NONE)
  const data: RecordData = bare ? { type: 'empty', typeCode } : readData(inner, typeCode)
  // Data that end before their announced length are as wrong as data that go beyond it.
  if (inner.remaining !== 0) throw new WireError('bad_rdata', inner.offset)
  reader.offset = inner.end
  return { name, class: recordClass, ttlSeconds, data }
}

function encodeData(data: RecordData): Uint8Array {
  switch (data.type) {
    case TYPE.NS:
    case TYPE.CNAME:
      return encodeName(data.target)
    case TYPE.TXT:
      return concatBytes(...data.strings.flatMap(characterString))
    case TYPE.SOA:
      return concatBytes(
        encodeName(data.primary),
        encodeName(data.mailbox),
        uint32(data.serial),
        uint32(data.refreshSeconds),
        uint32(data.retrySeconds),
        uint32(data.expireSeconds),
        uint32(data.minimumSeconds),
      )
    case TYPE.TSIG:
      return concatBytes(
        encodeName(data.algorithm),
        uint48(data.timeSignedSeconds),
        uint16(data.fudgeSeconds),
        uint16(data.mac.length),
        data.mac,
        uint16(data.originalId),
        uint16(data.error),
        uint16(data.otherData.length),
        data.otherData,
      )
    case TYPE.A:
      return addressOctets(data.address, 4)
    case TYPE.AAAA:
      return addressOctets(data.address, 16)
    case TYPE.CAA:
      return concatBytes(uint8(data.flags), uint8(data.tag.length), latin1Octets(data.tag), latin1Octets(data.value))
    case 'empty':
      return new Uint8Array(0)
    case 'other':
      return data.octets
  }
}

function readData(reader: OctetReader, typeCode: number): RecordData {
  switch (typeCode) {
    case TYPE.A:
      return { type: TYPE.A, address: ipv4Text(exactly(reader, 4)) }
    case TYPE.AAAA:
      return { type: TYPE.AAAA, address: ipv6Text(exactly(reader, 16)) }
    // RFC 3597 §4: names are compressed in the types of RFC 1035 alone.
    case TYPE.NS:
    case TYPE.CNAME:
      return { type: typeCode, target: readName(reader, true) }
    case TYPE.SOA:
      return {
        type: TYPE.SOA,
        primary: readName(reader, true),
        mailbox: readName(reader, true),
        serial: reader.uint32(),
        refreshSeconds: reader.uint32(),
        retrySeconds: reader.uint32(),
        expireSeconds: reader.uint32(),
        minimumSeconds: reader.uint32(),
      }
    case TYPE.TXT:
      return readTxt(reader)
    case TYPE.CAA:
      return readCaa(reader)
    case TYPE.TSIG:
      return {
        type: TYPE.TSIG,
        algorithm: readName(reader, false),
        timeSignedSeconds: reader.uint48(),
        fudgeSeconds: reader.uint16(),
        mac: reader.bytes(reader.uint16()),
        originalId: reader.uint16(),
        error: reader.uint16(),
        otherData: reader.bytes(reader.uint16()),
      }
    default:
      return { type: 'other', typeCode, octets: reader.bytes(reader.remaining) }
  }
}

/** RFC 1035 §3.3.14: one or more character-strings. */
function readTxt(reader: OctetReader): RecordData {
  const strings: Bytes[] = []
  do strings.push(reader.bytes(reader.uint8()))
  while (reader.remaining > 0)
  return { type: TYPE.TXT, strings }
}

function readCaa(reader: OctetReader): CaaData {
  const flags = reader.uint8()
  const at = reader.offset
  const tag = latin1Text(reader.bytes(reader.uint8()))
  // RFC 8659 §4.1: the tag "MUST be at least 1" octet long, of ASCII letters and digits; matched without case.
  if (!/^[0-9A-Za-z]+$/.test(tag)) throw new WireError('bad_rdata', at)
  return { type: TYPE.CAA, flags, tag: tag.toLowerCase(), value: latin1Text(reader.bytes(reader.remaining)) }
}

function characterString(octets: Uint8Array): Uint8Array[] {
  if (octets.length > MAX_CHARACTER_STRING_OCTETS) throw new WireError('too_long', 0)
  return [uint8(octets.length), octets]
}

function exactly(reader: OctetReader, length: number): Bytes {
  if (reader.remaining !== length) throw new WireError('bad_rdata', reader.offset)
  return reader.bytes(length)
}

const latin1Text = (octets: Uint8Array): string => Array.from(octets, (octet) => String.fromCharCode(octet)).join('')

function latin1Octets(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}
