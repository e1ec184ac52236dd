/** The self-signed certificate that answers a tls-alpn-01 challenge (RFC 8737 §3). Does not listen anywhere. */
import type { Bytes } from '../core/bytes.ts'
import type { AltName } from './alt-name.ts'
import { acmeIdentifierExtension, subjectAltNameExtension } from './build-extensions.ts'
import { derExplicit, derInteger, derSequence, derTime, derUnsigned } from './der/writer.ts'
import { buildName } from './distinguished-name.ts'
import { generateKeyPair, type KeyPair } from './keys.ts'
import { newSerial } from './serial.ts'
import { signatureAlgorithmDerOf, signWhole } from './signature.ts'

export interface ChallengeCertificateInput {
  /** The identifier that is validated: one DNS name, or one IP address (RFC 8738 §6). */
  readonly name: Extract<AltName, { type: 'dns' | 'ip' }>
  /** SHA-256 of the key authorization. */
  readonly keyAuthorizationDigest: Bytes
  readonly nowMs: number
}

export interface ChallengeCertificate {
  readonly certificateDer: Bytes
  readonly keyPair: KeyPair
}

/** Long enough for slow validation, short enough that a forgotten one is harmless. */
const LIFETIME_MS = 7 * 86_400_000
const BACKDATE_MS = 3_600_000

/** A fresh P-256 key and its certificate with exactly that name and the digest. */
export async function buildChallengeCertificate(input: ChallengeCertificateInput): Promise<ChallengeCertificate> {
  const { name, keyAuthorizationDigest, nowMs } = input
  if (keyAuthorizationDigest.length !== 32) throw new TypeError('a SHA-256 digest has 32 octets')
  const keyPair = await generateKeyPair({ type: 'ec', size: 256 })
  const tbsDer = derSequence(
    derExplicit(0, derInteger(2)),
    derUnsigned(newSerial()),
    signatureAlgorithmDerOf(keyPair.privateKey),
    SUBJECT_DER,
    derSequence(derTime(nowMs - BACKDATE_MS), derTime(nowMs + LIFETIME_MS)),
    SUBJECT_DER,
    keyPair.spkiDer,
    // RFC 8737 §3: "The subjectAltName extension containing the dNSName being validated and no other entries" and
    // "a critical acmeIdentifier extension".
    derExplicit(
      3,
      derSequence(subjectAltNameExtension([name], false), acmeIdentifierExtension(keyAuthorizationDigest)),
    ),
  )
  return { certificateDer: await signWhole(tbsDer, keyPair.privateKey), keyPair }
}

const SUBJECT_DER = subjectDer()

function subjectDer(): Bytes {
  const name = buildName({ commonName: 'ACME challenge' })
  if (!name.ok) throw new TypeError(name.error.message)
  return name.value
}
