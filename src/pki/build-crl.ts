/**
 * Builds certificate revocation lists (RFC 5280 §5), in time and memory linear in their entries, which arrive in pages. Makes
 * full CRLs, whole or partitioned; no delta CRLs and no indirect ones.
 */
import { type Bytes, fromHex } from '../core/bytes.ts'
import type { Issuer } from './build-certificate.ts'
import { authorityKeyIdentifierExtension, derExtension, derFullName } from './build-extensions.ts'
import { contextPrimitive, TAG } from './der/tags.ts'
import { encodeGeneralizedTime, encodeTime } from './der/time.ts'
import {
  derExplicit,
  derHeader,
  derInteger,
  derSequence,
  derTime,
  derTrue,
  derUnsigned,
  derValue,
} from './der/writer.ts'
import { MAX_SERIAL_OCTETS } from './limits.ts'
import { EXTENSION } from './oids.ts'
import { REVOCATION_REASONS, type RevocationReason } from './revocation-reason.ts'
import { assembleSigned, sign, signatureAlgorithmDerOf } from './signature.ts'

export interface RevokedCertificate {
  /** Content octets. MUST be there once. */
  readonly serialNumber: Bytes
  /** In the future it counts as `thisUpdateMs`. */
  readonly revokedAtMs: number
  readonly reason: RevocationReason
  /** When the key was lost, where that is known. */
  readonly invalidityDateMs?: number
}

/** A CRL for a part of what the CA issued. */
export interface CrlPartition {
  /** As in the CRL distribution points of the certificates in this part. */
  readonly uris: readonly string[]
  /** Absent: both. */
  readonly only?: 'user-certificates' | 'ca-certificates'
}

export interface CrlInput {
  readonly issuer: Issuer
  /** Larger than in every CRL before (RFC 5280 §5.2.3). */
  readonly crlNumber: number | bigint
  readonly thisUpdateMs: number
  readonly nextUpdateMs: number
  readonly pages: AsyncIterable<readonly RevokedCertificate[]> | Iterable<readonly RevokedCertificate[]>
  readonly partition?: CrlPartition
}

export interface BuiltCrl {
  readonly der: Bytes
  readonly revokedCount: number
}

export async function buildCrl(input: CrlInput): Promise<BuiltCrl> {
  const { issuer, thisUpdateMs, nextUpdateMs } = input
  if (nextUpdateMs <= thisUpdateMs) throw new RangeError('a CRL ends before it starts')
  const entries = new EntryBuffer(thisUpdateMs)
  for await (const page of input.pages) for (const revoked of page) entries.add(revoked)
  const algorithmDer = signatureAlgorithmDerOf(issuer.privateKey)
  // RFC 5280 §5.1.2.6: "When there are no revoked certificates, the revoked certificates list MUST be absent."
  const revokedHeader = entries.count === 0 ? [] : [derHeader(TAG.sequence, entries.length)]
  const before = [
    derInteger(1),
    algorithmDer,
    issuer.subjectDer,
    derTime(thisUpdateMs),
    derTime(nextUpdateMs),
    ...revokedHeader,
  ]
  const tbsDer = joinTbs(before, entries, derExplicit(0, derSequence(...crlExtensions(input))))
  const signature = await sign(tbsDer, issuer.privateKey)
  return { der: assembleSigned(tbsDer, algorithmDer, signature), revokedCount: entries.count }
}

function magnitudeOf(number: number | bigint): Bytes {
  const hex = BigInt(number).toString(16)
  const octets = fromHex(hex.length % 2 === 1 ? `0${hex}` : hex)
  if (octets === null) throw new RangeError('a CRL number is negative')
  return octets
}

function crlExtensions({ issuer, crlNumber, partition }: CrlInput): Bytes[] {
  return [
    authorityKeyIdentifierExtension(issuer.keyIdentifier),
    derExtension(EXTENSION.crlNumber, false, derUnsigned(magnitudeOf(crlNumber))),
    ...(partition === undefined ? [] : [issuingDistributionPointExtension(partition)]),
  ]
}

/** RFC 5280 §5.2.5: critical. */
function issuingDistributionPointExtension({ uris, only }: CrlPartition): Bytes {
  if (uris.length === 0) throw new TypeError('a partitioned CRL needs an address')
  const scope = only === undefined ? [] : [derTrue(contextPrimitive(only === 'user-certificates' ? 1 : 2))]
  return derExtension(
    EXTENSION.issuingDistributionPoint,
    true,
    derSequence(derExplicit(0, derFullName(uris)), ...scope),
  )
}

/** One allocation of the whole length; the pages' chunks are copied once. */
function joinTbs(before: readonly Bytes[], entries: EntryBuffer, extensions: Bytes): Bytes {
  const beforeLength = before.reduce((sum, part) => sum + part.length, 0)
  const length = beforeLength + entries.length + extensions.length
  const header = derHeader(TAG.sequence, length)
  const tbsDer = new Uint8Array(header.length + length)
  let offset = 0
  for (const part of [header, ...before, ...entries.chunks(), extensions]) {
    tbsDer.set(part, offset)
    offset += part.length
  }
  return tbsDer
}

const CHUNK_OCTETS = 65_536

/** RFC 5280 §5.3.1: SEQUENCE, OID 2.5.29.21, OCTET STRING around an ENUMERATED whose value is the last octet. */
const REASON_EXTENSION = derExtension(EXTENSION.reasonCode, false, derValue(TAG.enumerated, new Uint8Array(1)))

/** RFC 5280 §5.3.2: always a GeneralizedTime, here of 15 octets at the end. */
const INVALIDITY_EXTENSION = derExtension(
  EXTENSION.invalidityDate,
  false,
  derValue(TAG.generalizedTime, new Uint8Array(15)),
)

/** Serial with sign octet, time of revocation, both extensions in their sequence: below 128, so lengths take one octet. */
const MAX_ENTRY_OCTETS =
  2 + (2 + MAX_SERIAL_OCTETS + 1) + (2 + 15) + (2 + REASON_EXTENSION.length + INVALIDITY_EXTENSION.length)

/** Entries one after another, written in place: 100,000 of them are four megabytes and no garbage. */
class EntryBuffer {
  readonly #thisUpdateMs: number
  readonly #full: Bytes[] = []
  #fullLength = 0
  #chunk = new Uint8Array(CHUNK_OCTETS)
  #position = 0
  // The time written last: revocations come in bursts.
  #timeMs = Number.NaN
  #time = encodeTime(0)
  count = 0

  constructor(thisUpdateMs: number) {
    this.#thisUpdateMs = thisUpdateMs
  }

  get length(): number {
    return this.#fullLength + this.#position
  }

  chunks(): readonly Bytes[] {
    return [...this.#full, this.#chunk.subarray(0, this.#position)]
  }

  add({ serialNumber, revokedAtMs, reason, invalidityDateMs }: RevokedCertificate): void {
    checkSerial(serialNumber)
    if (this.#position + MAX_ENTRY_OCTETS > CHUNK_OCTETS) this.#nextChunk()
    const start = this.#position
    this.#position += 2
    this.#value(TAG.integer, serialNumber)
    const time = this.#encodedTime(Math.min(revokedAtMs, this.#thisUpdateMs))
    this.#value(time.tag, time.content)
    const code = REVOCATION_REASONS[reason]
    // RFC 5280 §5.3.1: "The reason code CRL entry extension SHOULD be absent instead of using the unspecified (0) reasonCode value."
    const extensionsLength =
      (code === 0 ? 0 : REASON_EXTENSION.length) + (invalidityDateMs === undefined ? 0 : INVALIDITY_EXTENSION.length)
    if (extensionsLength > 0) {
      this.#header(TAG.sequence, extensionsLength)
      if (code !== 0) {
        this.#bytes(REASON_EXTENSION)
        this.#chunk[this.#position - 1] = code
      }
      if (invalidityDateMs !== undefined) {
        const content = encodeGeneralizedTime(invalidityDateMs)
        this.#bytes(INVALIDITY_EXTENSION)
        this.#chunk.set(content, this.#position - content.length)
      }
    }
    this.#chunk[start] = TAG.sequence
    this.#chunk[start + 1] = this.#position - start - 2
    this.count += 1
  }

  #encodedTime(epochMs: number): { tag: number; content: Bytes } {
    const wholeSecondsMs = epochMs - (epochMs % 1000)
    if (wholeSecondsMs !== this.#timeMs) {
      this.#time = encodeTime(wholeSecondsMs)
      this.#timeMs = wholeSecondsMs
    }
    return this.#time
  }

  #header(tag: number, length: number): void {
    this.#chunk[this.#position] = tag
    this.#chunk[this.#position + 1] = length
    this.#position += 2
  }

  #bytes(bytes: Bytes): void {
    this.#chunk.set(bytes, this.#position)
    this.#position += bytes.length
  }

  #value(tag: number, content: Bytes): void {
    this.#header(tag, content.length)
    this.#bytes(content)
  }

  #nextChunk(): void {
    this.#full.push(this.#chunk.subarray(0, this.#position))
    this.#fullLength += this.#position
    this.#chunk = new Uint8Array(CHUNK_OCTETS)
    this.#position = 0
  }
}

/** Content octets of an INTEGER above zero, as certificates carry them. */
function checkSerial(serialNumber: Bytes): void {
  const [first, second] = serialNumber
  const isPadded = first === 0 && second !== undefined && second < 0x80
  if (first === undefined || first >= 0x80 || isPadded || serialNumber.length > MAX_SERIAL_OCTETS + 1) {
    throw new RangeError('a serial number in a CRL is not the content of a positive INTEGER')
  }
}
