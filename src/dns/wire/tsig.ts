/**
 * Transaction signatures (RFC 8945): signs requests, checks answers. Full-length HMAC-SHA-2 only, one message per
 * exchange (§5.3.1 is for zone transfers).
 */
import { type Bytes, concatBytes } from '../../core/bytes.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { TSIG_FUDGE_SECONDS } from '../limits.ts'
import { CLASS, TSIG_ERROR, TYPE } from './codes.ts'
import { type DecodedMessage, HEADER_OCTETS } from './message.ts'
import { encodeName } from './name.ts'
import { OctetReader, uint16, uint32, uint48 } from './octets.ts'
import { encodeRecord, type TsigData } from './record.ts'

/** RFC 8945 §6: the algorithms offered, with the length of their MAC. SHA-1 and MD5 are left out on purpose. */
export const TSIG_ALGORITHMS = {
  'hmac-sha256': { hash: 'SHA-256', macOctets: 32 },
  'hmac-sha384': { hash: 'SHA-384', macOctets: 48 },
  'hmac-sha512': { hash: 'SHA-512', macOctets: 64 },
} as const

export type TsigAlgorithm = keyof typeof TSIG_ALGORITHMS

export interface TsigKey {
  /** As `parseName` returns it. */
  readonly name: string
  readonly algorithm: TsigAlgorithm
  readonly secret: Bytes
}

/** A signed request, and its MAC, which the answer's covers. */
export interface SignedRequest {
  readonly octets: Bytes
  readonly mac: Bytes
}

/** Why an answer is not believed. */
export type TsigFailure =
  | { readonly reason: 'unsigned' } // no TSIG, or not where it belongs
  | { readonly reason: 'other_key'; readonly name: string; readonly algorithm: string }
  | { readonly reason: 'bad_mac' }
  /** The MAC is right, the time is not: the clocks differ, or it is a replay. */
  | { readonly reason: 'bad_time'; readonly timeSignedSeconds: number; readonly nowSeconds: number }
  /** The server refused our signature. `serverTimeSeconds` where it said so (BADTIME). */
  | { readonly reason: 'rejected'; readonly error: number; readonly serverTimeSeconds: number | null }

/** Appends a TSIG to an encoded message that has none (RFC 8945 §5.1). */
export async function signRequest(message: Bytes, key: TsigKey, nowSeconds: number): Promise<SignedRequest> {
  const unsigned: TsigData = {
    type: TYPE.TSIG,
    algorithm: key.algorithm,
    timeSignedSeconds: nowSeconds,
    fudgeSeconds: TSIG_FUDGE_SECONDS,
    mac: new Uint8Array(0),
    originalId: new OctetReader(message).uint16(),
    error: 0,
    otherData: new Uint8Array(0),
  }
  // RFC 8945 §4.3: the MAC covers the message as it is before the TSIG is added, then the TSIG's own fields.
  const covered = concatBytes(message, variables(key.name, unsigned))
  const hmacKey = await importKey(key, 'sign')
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', hmacKey, covered))
  const record = encodeRecord({ name: key.name, class: CLASS.ANY, ttlSeconds: 0, data: { ...unsigned, mac } })
  return { octets: concatBytes(withAdditionals(message, 1), record), mac }
}

/**
 * Is this the answer of a holder of the key to that very request? (RFC 8945 §5.4.) The MAC is compared in constant
 * time. MUST be given the octets that `decoded` was read from.
 */
export async function verifyAnswer(
  octets: Bytes,
  decoded: DecodedMessage,
  key: TsigKey,
  requestMac: Bytes,
  nowSeconds: number,
): Promise<Result<void, TsigFailure>> {
  const { answers, authorities, additionals } = decoded.message
  // RFC 8945 §5.1, §5.2: one TSIG, the last record of the additional section, of class ANY with TTL 0.
  const record = additionals.at(-1)
  const all = [...answers, ...authorities, ...additionals].filter((each) => each.data.type === TYPE.TSIG)
  if (record === undefined || record.data.type !== TYPE.TSIG || all.length !== 1) return err({ reason: 'unsigned' })
  if (record.class !== CLASS.ANY || record.ttlSeconds !== 0) return err({ reason: 'unsigned' })
  const tsig = record.data
  // RFC 8945 §5.3.2: with BADKEY and BADSIG the server has nothing to sign with, so the answer cannot be proved.
  if (tsig.mac.length === 0 && (tsig.error === TSIG_ERROR.BADKEY || tsig.error === TSIG_ERROR.BADSIG)) {
    return err({ reason: 'rejected', error: tsig.error, serverTimeSeconds: null })
  }
  if (record.name !== key.name || tsig.algorithm !== key.algorithm) {
    return err({ reason: 'other_key', name: record.name, algorithm: tsig.algorithm })
  }
  // A shorter MAC would be RFC 8945 §5.2.2.1, truncation; it was not asked for.
  if (tsig.mac.length !== TSIG_ALGORITHMS[key.algorithm].macOctets) return err({ reason: 'bad_mac' })
  // RFC 8945 §4.3.1 to §4.3.3: the request's MAC with its length, the message as before signing, the TSIG's fields.
  const covered = concatBytes(
    uint16(requestMac.length),
    requestMac,
    uint16(tsig.originalId),
    withAdditionals(octets.subarray(0, decoded.lastRecordOffset), -1).subarray(2),
    variables(record.name, tsig),
  )
  const hmacKey = await importKey(key, 'verify')
  if (!(await crypto.subtle.verify('HMAC', hmacKey, tsig.mac, covered))) return err({ reason: 'bad_mac' })
  if (tsig.error !== 0) {
    return err({ reason: 'rejected', error: tsig.error, serverTimeSeconds: serverTime(tsig) })
  }
  // RFC 8945 §5.2.3: the time is checked after the MAC, since before that it may be anyone's.
  if (Math.abs(nowSeconds - tsig.timeSignedSeconds) > tsig.fudgeSeconds) {
    return err({ reason: 'bad_time', timeSignedSeconds: tsig.timeSignedSeconds, nowSeconds })
  }
  return ok(undefined)
}

/** RFC 8945 §5.2.3: with BADTIME the other data are the server's time, in six octets. */
function serverTime(tsig: TsigData): number | null {
  return tsig.error === TSIG_ERROR.BADTIME && tsig.otherData.length === 6
    ? new OctetReader(tsig.otherData).uint48()
    : null
}

/** RFC 8945 §4.3.3: what of the TSIG itself is covered, names uncompressed and in lower case. */
function variables(name: string, tsig: TsigData): Bytes {
  return concatBytes(
    encodeName(name),
    uint16(CLASS.ANY),
    uint32(0),
    encodeName(tsig.algorithm),
    uint48(tsig.timeSignedSeconds),
    uint16(tsig.fudgeSeconds),
    uint16(tsig.error),
    uint16(tsig.otherData.length),
    tsig.otherData,
  )
}

/** The message with its count of additional records changed by `difference`. */
function withAdditionals(message: Uint8Array, difference: 1 | -1): Bytes {
  const out = new Uint8Array(message)
  const count = new OctetReader(message, HEADER_OCTETS - 2).uint16() + difference
  out.set(uint16(count), HEADER_OCTETS - 2)
  return out
}

function importKey(key: TsigKey, usage: 'sign' | 'verify') {
  const hash = TSIG_ALGORITHMS[key.algorithm].hash
  return crypto.subtle.importKey('raw', key.secret, { name: 'HMAC', hash }, false, [usage])
}
