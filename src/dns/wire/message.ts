/**
 * DNS messages to and from octets (RFC 1035 §4.1, RFC 2136 §2). Reading takes time linear in the octets and ends in a
 * value or a typed error whatever the octets are. Does not sign: see tsig.ts.
 */
import { type Bytes, concatBytes } from '../../core/bytes.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { MAX_MESSAGE_OCTETS } from '../limits.ts'
import { encodeName, readName } from './name.ts'
import { OctetReader, uint16, WireError, type WireReason } from './octets.ts'
import { type DnsRecord, encodeRecord, readRecord } from './record.ts'

/** RFC 1035 §4.1.2; in an UPDATE the zone (RFC 2136 §2.3). */
export interface DnsQuestion {
  readonly name: string
  readonly type: number
  readonly class: number
}

/** A message. In an UPDATE the sections are zone, prerequisites, changes, additional (RFC 2136 §2). */
export interface DnsMessage {
  readonly id: number
  readonly response: boolean
  readonly opcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly recursionDesired: boolean
  /** RFC 4035 §3.2.2: the resolver shall not validate. Unset unless given. */
  readonly checkingDisabled?: boolean
  readonly rcode: number
  readonly questions: readonly DnsQuestion[]
  readonly answers: readonly DnsRecord[]
  readonly authorities: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
}

/** What is wrong with the octets, and where. */
export interface DnsDecodeError {
  readonly reason: WireReason
  readonly offset: number
}

/** A message, and where its last additional record begins: what a signature covers ends there. */
export interface DecodedMessage {
  readonly message: DnsMessage
  readonly lastRecordOffset: number
}

/** RFC 1035 §4.1.1: the header is twelve octets. */
export const HEADER_OCTETS = 12

const QR = 0x8000
const AA = 0x0400
const TC = 0x0200
const RD = 0x0100
/** RFC 4035 §3.2.2. */
const CD = 0x0010

/** A query or an UPDATE's frame; the rest is given by the caller. */
export function emptyMessage(id: number, opcode: number): DnsMessage {
  return {
    id,
    response: false,
    opcode,
    authoritative: false,
    truncated: false,
    recursionDesired: false,
    rcode: 0,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
  }
}

/** The octets of a message, or a sentence why they cannot be. MUST be given names that `parseName` returned. */
export function encodeMessage(message: DnsMessage): Result<Bytes, string> {
  try {
    const wire = concatBytes(
      uint16(message.id),
      uint16(flagsOf(message)),
      uint16(message.questions.length),
      uint16(message.answers.length),
      uint16(message.authorities.length),
      uint16(message.additionals.length),
      ...message.questions.flatMap((each) => [encodeName(each.name), uint16(each.type), uint16(each.class)]),
      ...[...message.answers, ...message.authorities, ...message.additionals].map(encodeRecord),
    )
    if (wire.length > MAX_MESSAGE_OCTETS) return err(`a DNS message holds at most ${MAX_MESSAGE_OCTETS} octets`)
    return ok(wire)
  } catch (error) {
    if (error instanceof WireError) return err(`a DNS message cannot hold that (${error.reason})`)
    throw error
  }
}

/** Reads a message. */
export function decodeMessage(octets: Uint8Array): Result<DecodedMessage, DnsDecodeError> {
  try {
    return ok(readMessage(octets))
  } catch (error) {
    if (error instanceof WireError) return err({ reason: error.reason, offset: error.offset })
    throw error
  }
}

function readMessage(octets: Uint8Array): DecodedMessage {
  if (octets.length > MAX_MESSAGE_OCTETS) throw new WireError('too_long', MAX_MESSAGE_OCTETS)
  const reader = new OctetReader(octets)
  const id = reader.uint16()
  const flags = reader.uint16()
  const counts = [reader.uint16(), reader.uint16(), reader.uint16(), reader.uint16()] as const
  const questions: DnsQuestion[] = []
  for (let i = 0; i < counts[0]; i += 1) {
    questions.push({ name: readName(reader, true), type: reader.uint16(), class: reader.uint16() })
  }
  const answers = readRecords(reader, counts[1])
  const authorities = readRecords(reader, counts[2])
  const additionals = readRecords(reader, counts[3])
  if (reader.remaining !== 0) throw new WireError('trailing_octets', reader.offset)
  const message: DnsMessage = {
    id,
    response: (flags & QR) !== 0,
    opcode: (flags >> 11) & 0xf,
    authoritative: (flags & AA) !== 0,
    truncated: (flags & TC) !== 0,
    recursionDesired: (flags & RD) !== 0,
    ...((flags & CD) === 0 ? {} : { checkingDisabled: true }),
    rcode: flags & 0xf,
    questions,
    answers: answers.records,
    authorities: authorities.records,
    additionals: additionals.records,
  }
  return { message, lastRecordOffset: additionals.lastOffset }
}

function readRecords(reader: OctetReader, count: number): { records: DnsRecord[]; lastOffset: number } {
  const records: DnsRecord[] = []
  let lastOffset = reader.offset
  for (let i = 0; i < count; i += 1) {
    lastOffset = reader.offset
    records.push(readRecord(reader))
  }
  return { records, lastOffset }
}

function flagsOf(message: DnsMessage): number {
  return (
    (message.response ? QR : 0) |
    ((message.opcode & 0xf) << 11) |
    (message.authoritative ? AA : 0) |
    (message.truncated ? TC : 0) |
    (message.recursionDesired ? RD : 0) |
    (message.checkingDisabled === true ? CD : 0) |
    (message.rcode & 0xf)
  )
}
