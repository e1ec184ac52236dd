/**
 * Private keys between PKCS#8 (RFC 5208, RFC 5958), SEC1 (RFC 5915) and PKCS#1 (RFC 8017): bytes alone. WebCrypto speaks
 * PKCS#8; everything is brought to one spelling of it here. Does not decrypt.
 */
import { type Bytes, toHex } from '../core/bytes.ts'
import { err, type Result } from '../core/result.ts'
import { catchDer } from './der/errors.ts'
import { DerReader } from './der/reader.ts'
import { contextConstructed, contextPrimitive } from './der/tags.ts'
import { derBitString, derExplicit, derInteger, derNull, derOctetString, derOid, derSequence } from './der/writer.ts'
import { MAX_RSA_BITS } from './limits.ts'
import { CURVE, KEY_ALGORITHM } from './oids.ts'
import { CURVES, type EcSize } from './public-key.ts'

/** A private key as this room writes it. */
export type PlainPrivateKey =
  | {
      readonly type: 'rsa'
      readonly pkcs1Der: Bytes /** Modulus and exponent, one after the other. */
      readonly publicDer: Bytes
    }
  | { readonly type: 'ec'; readonly size: EcSize; readonly scalar: Bytes; readonly point: Bytes | null }
  | { readonly type: 'ed25519'; readonly seed: Bytes }

export const PRIVATE_KEY_LABELS = {
  pkcs8: 'PRIVATE KEY',
  sec1: 'EC PRIVATE KEY',
  pkcs1: 'RSA PRIVATE KEY',
} as const
export type PrivateKeyFormat = keyof typeof PRIVATE_KEY_LABELS

export interface KeyFormatError {
  readonly reason: 'malformed' | 'unsupported'
  readonly message: string
}

/** Reads a private key of that format. */
export function readPrivateKey(format: PrivateKeyFormat, der: Bytes): Result<PlainPrivateKey, KeyFormatError> {
  const read = catchDer(() => {
    const input = DerReader.over(der)
    const key = READERS[format](input)
    input.finish()
    return key
  })
  if (!read.ok) return err({ reason: 'malformed', message: `the private key is malformed: ${read.error.message}` })
  if (read.value !== null) return { ok: true, value: read.value }
  return err({ reason: 'unsupported', message: 'the private key is of a kind that is not supported' })
}

/** Null: well-formed as far as read, but of another algorithm. */
const READERS: Readonly<Record<PrivateKeyFormat, (input: DerReader) => PlainPrivateKey | null>> = {
  pkcs8: readPkcs8,
  sec1: (input) => readSec1(input, null),
  pkcs1: readPkcs1,
}

function readPkcs8(input: DerReader): PlainPrivateKey | null {
  const info = input.sequence()
  // RFC 5958 §2: v1 (0), or v2 (1) with the public key at the end.
  const version = info.smallInteger()
  if (version > 1) info.fail('there is no such version of PKCS#8')
  const algorithm = info.sequence()
  const oid = algorithm.oid()
  const key = readPkcs8Key(oid, algorithm, info)
  if (key === null) {
    while (!info.atEnd) info.raw()
    return null
  }
  algorithm.finish()
  // Attributes and a copy of the public key: neither is needed, and the copy need not be true.
  info.enterOptional(contextConstructed(0))
  if (info.peekTag() === contextPrimitive(1)) info.bitString(contextPrimitive(1))
  info.finish()
  return key
}

function readPkcs8Key(oid: string, algorithm: DerReader, info: DerReader): PlainPrivateKey | null {
  switch (oid) {
    case KEY_ALGORITHM.rsa:
      if (!algorithm.atEnd) algorithm.null()
      return inside(info, readPkcs1)
    case KEY_ALGORITHM.ec: {
      const curve = algorithm.oid()
      return inside(info, (reader) => readSec1(reader, curve))
    }
    case KEY_ALGORITHM.ed25519: {
      // RFC 8410 §7: CurvePrivateKey is an OCTET STRING inside the OCTET STRING.
      const seed = inside(info, (reader) => reader.octetString())
      if (seed.length !== 32) info.fail('an Ed25519 key has 32 octets')
      return { type: 'ed25519', seed }
    }
    default:
      return null
  }
}

function inside<T>(info: DerReader, read: (reader: DerReader) => T): T {
  const reader = info.enter(0x04)
  const value = read(reader)
  reader.finish()
  return value
}

/** RFC 5915 §3. `outerCurve` is the one that PKCS#8 names around it; then the inner one may be absent. */
function readSec1(input: DerReader, outerCurve: string | null): PlainPrivateKey | null {
  const sequence = input.sequence()
  if (sequence.smallInteger() !== 1) sequence.fail('there is no such version of EC private keys')
  const scalar = sequence.octetString()
  const parameters = sequence.enterOptional(contextConstructed(0))
  const innerCurve = parameters?.oid() ?? null
  parameters?.finish()
  const wrappedPoint = sequence.enterOptional(contextConstructed(1))
  const point = wrappedPoint?.bitStringOctets() ?? null
  wrappedPoint?.finish()
  sequence.finish()
  if (outerCurve !== null && innerCurve !== null && outerCurve !== innerCurve) input.fail('the key names two curves')
  const oid = outerCurve ?? innerCurve
  if (oid === null) input.fail('the key names no curve')
  const curve = CURVES.find((one) => one.oid === oid)
  if (curve === undefined) return null
  // RFC 5915 §3: ceiling(log2(n)/8) octets; some writers drop the zeros in front, so shorter ones are filled up.
  if (scalar.length === 0 || scalar.length > curve.octets) input.fail('the key has the wrong length for its curve')
  const full = new Uint8Array(curve.octets)
  full.set(scalar, curve.octets - scalar.length)
  return { type: 'ec', size: curve.size, scalar: full, point }
}

/** RFC 8017 §A.1.2; keys of more than two primes, which is version 1, are refused. */
function readPkcs1(input: DerReader): PlainPrivateKey {
  const start = input.offset
  const sequence = input.sequence()
  if (sequence.smallInteger() !== 0) sequence.fail('RSA keys of more than two primes are not supported')
  const publicStart = sequence.offset
  const modulus = readNumber(sequence)
  const exponent = readNumber(sequence)
  const publicDer = sequence.since(publicStart)
  const [d, p, q, dp, dq, qInverse] = Array.from({ length: 6 }, () => readNumber(sequence)) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ]
  sequence.finish()
  // Some platforms sign with a key whose second half is wrong, by way of its first half; others refuse it later.
  const fits =
    p > 1n &&
    q > 1n &&
    p * q === modulus &&
    d % (p - 1n) === dp &&
    d % (q - 1n) === dq &&
    (exponent * dp) % (p - 1n) === 1n &&
    (exponent * dq) % (q - 1n) === 1n &&
    (qInverse * q) % p === 1n
  if (!fits) input.fail('the numbers of an RSA key do not fit together')
  return { type: 'rsa', pkcs1Der: input.since(start), publicDer }
}

/** An INTEGER no longer than a modulus may be, which bounds the arithmetic. */
function readNumber(sequence: DerReader): bigint {
  const magnitude = sequence.unsigned()
  if (magnitude.length > MAX_RSA_BITS / 8) sequence.fail(`an RSA key has more than ${MAX_RSA_BITS} bits`)
  return BigInt(`0x${toHex(magnitude)}`)
}

/** PKCS#8 version 1 without attributes, the form that every platform reads. The public key of an EC key is left out. */
export function writePkcs8(key: PlainPrivateKey): Bytes {
  switch (key.type) {
    case 'rsa':
      return pkcs8(derSequence(derOid(KEY_ALGORITHM.rsa), derNull()), key.pkcs1Der)
    case 'ec':
      return pkcs8(
        derSequence(derOid(KEY_ALGORITHM.ec), derOid(curveOidOf(key.size))),
        derSequence(derInteger(1), derOctetString(key.scalar)),
      )
    case 'ed25519':
      return pkcs8(derSequence(derOid(KEY_ALGORITHM.ed25519)), derOctetString(key.seed))
  }
}

const pkcs8 = (algorithmDer: Bytes, keyDer: Bytes): Bytes =>
  derSequence(derInteger(0), algorithmDer, derOctetString(keyDer))

/** RFC 5915 §3: `EC PRIVATE KEY`, with the curve and, where it is known, the public point. */
export function writeSec1(key: PlainPrivateKey & { type: 'ec' }): Bytes {
  const point = key.point === null ? [] : [derExplicit(1, derBitString(key.point))]
  return derSequence(derInteger(1), derOctetString(key.scalar), derExplicit(0, derOid(curveOidOf(key.size))), ...point)
}

/** SubjectPublicKeyInfo of an RSA private key, which carries its public half. */
export function rsaSpkiOf(key: PlainPrivateKey & { type: 'rsa' }): Bytes {
  return derSequence(derSequence(derOid(KEY_ALGORITHM.rsa), derNull()), derBitString(derSequence(key.publicDer)))
}

function curveOidOf(size: EcSize): string {
  return { 256: CURVE.p256, 384: CURVE.p384, 521: CURVE.p521 }[size]
}
