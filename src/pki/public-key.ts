/** What a SubjectPublicKeyInfo holds: kind, size, key identifier. Does not import keys; see keys.ts and signature.ts. */
import type { Bytes } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { parseSubjectPublicKeyInfo, type SubjectPublicKeyInfo } from './certificate.ts'
import { catchDer, type DerError } from './der/errors.ts'
import { DerReader } from './der/reader.ts'
import { MAX_RSA_BITS } from './limits.ts'
import { CURVE, KEY_ALGORITHM } from './oids.ts'

export type EcSize = 256 | 384 | 521

export type PublicKeyKind =
  | { readonly type: 'rsa'; readonly size: number }
  | { readonly type: 'ec'; readonly size: EcSize }
  | { readonly type: 'ed25519'; readonly size: 256 }

export interface PublicKeyError {
  readonly reason: 'malformed' | 'unsupported'
  readonly message: string
}

interface Curve {
  readonly oid: string
  readonly size: EcSize
  readonly webCryptoName: 'P-256' | 'P-384' | 'P-521'
  /** Octets of a coordinate, of a private key and of each half of a signature. */
  readonly octets: number
}

/** One row per curve. */
export const CURVES: readonly Curve[] = [
  { oid: CURVE.p256, size: 256, webCryptoName: 'P-256', octets: 32 },
  { oid: CURVE.p384, size: 384, webCryptoName: 'P-384', octets: 48 },
  { oid: CURVE.p521, size: 521, webCryptoName: 'P-521', octets: 66 },
]

/** The row of a size. */
export function curveOfSize(size: EcSize): Curve {
  return CURVES.find((curve) => curve.size === size) as Curve
}

const malformed = (message: string): Result<never, PublicKeyError> => err({ reason: 'malformed', message })
const unsupported = (message: string): Result<never, PublicKeyError> => err({ reason: 'unsupported', message })

/** Kind and size of a SubjectPublicKeyInfo in DER. */
export function describePublicKeyDer(spkiDer: Bytes): Result<PublicKeyKind, PublicKeyError> {
  const spki = parseSubjectPublicKeyInfo(spkiDer)
  return spki.ok ? describePublicKey(spki.value) : malformed(spki.error.message)
}

/** Kind and size of a public key, its form checked as far as no arithmetic is needed. */
export function describePublicKey({
  algorithm,
  publicKeyBits,
}: SubjectPublicKeyInfo): Result<PublicKeyKind, PublicKeyError> {
  switch (algorithm.oid) {
    case KEY_ALGORITHM.rsa:
      return describeRsa(publicKeyBits)
    case KEY_ALGORITHM.ec: {
      const curve = curveOfParameters(algorithm.parametersDer)
      if (curve === null) return unsupported('an EC key is on a curve other than P-256, P-384 and P-521')
      // SEC 1 §2.3.3: the point at infinity is a single octet of zeros.
      if (publicKeyBits.length === 1 && publicKeyBits[0] === 0) return malformed('an EC key is the point at infinity')
      // RFC 5480 §2.2: 04 and both coordinates. Compressed points (02, 03) are optional there and not taken here.
      const isUncompressed = publicKeyBits[0] === 4 && publicKeyBits.length === 1 + 2 * curve.octets
      return isUncompressed ? ok({ type: 'ec', size: curve.size }) : malformed('an EC key is not an uncompressed point')
    }
    case KEY_ALGORITHM.ed25519:
      // RFC 8410 §3: "the parameters MUST be absent".
      if (algorithm.parametersDer !== null || publicKeyBits.length !== 32)
        return malformed('an Ed25519 key is malformed')
      return ok({ type: 'ed25519', size: 256 })
    default:
      return unsupported(`keys of the algorithm ${algorithm.oid} are not supported`)
  }
}

/** The curve that ECParameters name, or null. */
function curveOfParameters(parametersDer: Bytes | null): Curve | null {
  if (parametersDer === null) return null
  const oid = catchDer(() => {
    const reader = DerReader.over(parametersDer)
    const value = reader.oid()
    reader.finish()
    return value
  })
  return oid.ok ? (CURVES.find((curve) => curve.oid === oid.value) ?? null) : null
}

/** RFC 8017 §A.1.1: magnitudes of the two numbers of an RSA key. */
export function readRsaNumbers(publicKeyBits: Bytes): Result<{ modulus: Bytes; exponent: Bytes }, DerError> {
  return catchDer(() => {
    const input = DerReader.over(publicKeyBits)
    const sequence = input.sequence()
    input.finish()
    const modulus = sequence.unsigned()
    const exponent = sequence.unsigned()
    sequence.finish()
    return { modulus, exponent }
  })
}

function describeRsa(publicKeyBits: Bytes): Result<PublicKeyKind, PublicKeyError> {
  const read = readRsaNumbers(publicKeyBits)
  if (!read.ok) return malformed(read.error.message)
  const { modulus, exponent } = read.value
  const size = modulus.length * 8 - Math.clz32(modulus[0] as number) + 24
  if (size > MAX_RSA_BITS) return unsupported(`an RSA key has more than ${MAX_RSA_BITS} bits`)
  // An even exponent or one of 1 is no key; more than 64 bits would make every verification slow.
  const lowest = exponent.at(-1) as number
  const isUsable = lowest % 2 === 1 && exponent.length <= 8 && !(exponent.length === 1 && lowest === 1)
  return isUsable ? ok({ type: 'rsa', size }) : malformed('an RSA key has an unusable exponent')
}

/** RFC 5280 §4.2.1.2 method 1: SHA-1 of the BIT STRING's content. An identifier, not a signature: SHA-1 is enough. */
export async function keyIdentifierOf({ publicKeyBits }: SubjectPublicKeyInfo): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-1', publicKeyBits))
}
