/**
 * Whether a public key may stand in a certificate that is made here: of an allowed size, and no key whose private half is known
 * or can be computed. Verifying signatures asks for less: see public-key.ts.
 */
import { type Bytes, toHex } from '../core/bytes.ts'
import { err, type Result } from '../core/result.ts'
import { parseSubjectPublicKeyInfo, type SubjectPublicKeyInfo } from './certificate.ts'
import { MIN_RSA_BITS } from './limits.ts'
import { CURVES, describePublicKey, type EcSize, type PublicKeyKind, readRsaNumbers } from './public-key.ts'

export interface CertifiedKeyError {
  readonly reason: 'malformed' | 'unsupported' | 'weak'
  readonly message: string
}

/** The kind of a key in DER that may be certified. The error is a sentence for the caller. */
export function checkCertifiedKeyDer(spkiDer: Bytes): Result<PublicKeyKind, CertifiedKeyError> {
  const spki = parseSubjectPublicKeyInfo(spkiDer)
  return spki.ok ? checkCertifiedKey(spki.value) : err({ reason: 'malformed', message: spki.error.message })
}

/** The kind of a key that may be certified. The error is a sentence for the caller. */
export function checkCertifiedKey(spki: SubjectPublicKeyInfo): Result<PublicKeyKind, CertifiedKeyError> {
  const kind = describePublicKey(spki)
  if (!kind.ok) return kind
  const message = weaknessOf(kind.value, spki)
  return message === null ? kind : err({ reason: 'weak', message })
}

function weaknessOf(kind: PublicKeyKind, { publicKeyBits }: SubjectPublicKeyInfo): string | null {
  switch (kind.type) {
    case 'rsa':
      return rsaWeakness(kind.size, publicKeyBits)
    case 'ec':
      return isOnCurve(kind.size, publicKeyBits) ? null : 'an EC key is not a point of its curve'
    case 'ed25519':
      return ed25519Weakness(publicKeyBits)
  }
}

function rsaWeakness(size: number, publicKeyBits: Bytes): string | null {
  if (size < MIN_RSA_BITS) return `an RSA key has ${size} bits, and at least ${MIN_RSA_BITS} are needed`
  // TLS-BR §6.1.5: "the modulus size, when encoded, is at least 2048 bits [...] evenly divisible by 8".
  if (size % 8 !== 0) return `an RSA key has ${size} bits, which is no multiple of 8`
  const numbers = readRsaNumbers(publicKeyBits)
  if (!numbers.ok) return numbers.error.message
  const modulus = numberOf(numbers.value.modulus)
  // TLS-BR §6.1.6: "the public exponent SHOULD be in the range between 2^16 + 1 and 2^256 - 1"; FIPS 186-5 §A.1.1 requires it.
  if (numberOf(numbers.value.exponent) < MIN_EXPONENT) return `an RSA key has an exponent below ${MIN_EXPONENT}`
  // TLS-BR §6.1.6: the modulus should be odd and have "no factors smaller than 752".
  const factor = SMALL_PRIMES.find((prime) => modulus % prime === 0n)
  if (factor !== undefined) return `an RSA key can be factored: ${factor} divides its modulus`
  if (isOfRoca(modulus))
    return 'an RSA key was made by a chip whose keys can be factored (ROCA, CVE-2017-15361): make another one'
  return areFactorsClose(modulus) ? 'an RSA key can be factored: its two primes are too close to each other' : null
}

const numberOf = (magnitude: Bytes): bigint => BigInt(`0x${toHex(magnitude)}`)

const MIN_EXPONENT = 65_537n
const LARGEST_SMALL_PRIME = 751

const SMALL_PRIMES: readonly bigint[] = Array.from({ length: LARGEST_SMALL_PRIME - 1 }, (_, index) => index + 2)
  .filter((candidate) => {
    for (let divisor = 2; divisor * divisor <= candidate; divisor += 1) if (candidate % divisor === 0) return false
    return true
  })
  .map(BigInt)

/**
 * Nemec et al., "The Return of Coppersmith's Attack" (CCS 2017): the library's primes are powers of 65537 modulo the product of the
 * first primes, and so is their product. Another key passes all of these tests about once in 2^28.
 */
const ROCA_PRIMES = SMALL_PRIMES.filter((prime) => prime > 2n && prime <= 167n)

let rocaResidues: readonly ReadonlySet<bigint>[] | null = null

function isOfRoca(modulus: bigint): boolean {
  rocaResidues ??= ROCA_PRIMES.map((prime) => {
    const powers = new Set<bigint>()
    for (let power = 1n; !powers.has(power); power = (power * MIN_EXPONENT) % prime) powers.add(power)
    return powers
  })
  return rocaResidues.every((powers, index) => powers.has(modulus % (ROCA_PRIMES[index] as bigint)))
}

/** TLS-BR §6.1.1.3 has 100 rounds of Fermat's method: enough for two primes that were searched for close to each other. */
const FERMAT_ROUNDS = 100

function areFactorsClose(modulus: bigint): boolean {
  let middle = squareRoot(modulus)
  if (middle * middle < modulus) middle += 1n
  for (let round = 0; round < FERMAT_ROUNDS; round += 1, middle += 1n) {
    const rest = middle * middle - modulus
    // Of the remainders modulo 64, twelve are those of squares: most candidates need no root.
    if (SQUARES_MODULO_64.has(rest & 63n) && squareRoot(rest) ** 2n === rest) return true
  }
  return false
}

const SQUARES_MODULO_64: ReadonlySet<bigint> = new Set(
  Array.from({ length: 64 }, (_, index) => (BigInt(index) * BigInt(index)) & 63n),
)

/** The largest number whose square is not larger. Newton's method, from above. */
function squareRoot(square: bigint): bigint {
  if (square < 2n) return square
  let root = 1n << BigInt(Math.ceil(square.toString(16).length * 2))
  for (;;) {
    const next = (root + square / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

interface CurveNumbers {
  readonly p: bigint
  readonly b: bigint
}

/** NIST SP 800-186 §3.2.1: y² = x³ - 3x + b modulo p. All three have cofactor 1, so a point on the curve is in the right group. */
const CURVE_NUMBERS: Readonly<Record<EcSize, CurveNumbers>> = {
  256: {
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  384: {
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
  521: {
    p: 2n ** 521n - 1n,
    b: 0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
  },
}

/** MUST be given an uncompressed point. */
function isOnCurve(size: EcSize, point: Bytes): boolean {
  const octets = CURVES.find((curve) => curve.size === size)?.octets ?? 0
  const { p, b } = CURVE_NUMBERS[size]
  const x = numberOf(point.subarray(1, 1 + octets))
  const y = numberOf(point.subarray(1 + octets))
  return x < p && y < p && (y * y - (x * x * x - 3n * x + b)) % p === 0n
}

const ED25519_P = 2n ** 255n - 19n
/** RFC 8032 §5.1: -121665/121666. */
const ED25519_D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n

/** The y of the points whose order divides 8: a signature can be forged for them without a private key. */
const SMALL_ORDER_Y: readonly bigint[] = [
  0n,
  1n,
  ED25519_P - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  ED25519_P - 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
]

function ed25519Weakness(encoded: Bytes): string | null {
  // RFC 8032 §5.1.2: y in little-endian order, with the sign of x in the highest bit.
  const y = BigInt.asUintN(255, numberOf(encoded.toReversed()))
  // RFC 8032 §5.1.3: "If the resulting value is >= p, decoding fails."
  if (y >= ED25519_P) return 'an Ed25519 key is not a point of its curve'
  if (SMALL_ORDER_Y.includes(y)) return 'an Ed25519 key is a point of small order, for which everybody can sign'
  // RFC 8032 §5.1.3: x² = (y² - 1) / (d y² + 1), which has a root where the quotient, or here the product, is a square.
  const ySquared = (y * y) % ED25519_P
  const product = ((ySquared - 1n) * (ED25519_D * ySquared + 1n)) % ED25519_P
  const isSquare = power(product, (ED25519_P - 1n) / 2n, ED25519_P) === 1n
  return isSquare ? null : 'an Ed25519 key is not a point of its curve'
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % modulus) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus
  }
  return result
}
