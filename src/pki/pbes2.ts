/**
 * Opens what is encrypted under a passphrase with PBES2 (RFC 8018 §6.2): PBKDF2 and AES in CBC mode, as PKCS#8 and PKCS#12 files
 * of today have it. Older schemes (DES, RC2, RC4) and scrypt are not opened. Encrypting is in pkcs12.ts.
 */
import { type Bytes, utf8 } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { type AlgorithmIdentifier, readAlgorithmIdentifier } from './certificate.ts'
import { catchDer } from './der/errors.ts'
import { DerReader } from './der/reader.ts'
import { TAG } from './der/tags.ts'
import { MAX_KDF_ITERATIONS, MAX_PASSPHRASE_CHARS } from './limits.ts'

export interface PassphraseError {
  /** `passphrase`: it is another one. */
  readonly reason: 'passphrase' | 'unsupported' | 'malformed'
  /** A sentence for the caller. */
  readonly message: string
}

export const refuse = (reason: PassphraseError['reason'], message: string): Result<never, PassphraseError> =>
  err({ reason, message })

const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'

/** RFC 8018 §B.1.2. */
const HASH_OF_PRF: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'SHA-1',
  '1.2.840.113549.2.9': 'SHA-256',
  '1.2.840.113549.2.10': 'SHA-384',
  '1.2.840.113549.2.11': 'SHA-512',
}
const DEFAULT_PRF = '1.2.840.113549.2.7'

/** NIST CSOR: bits of AES keys in CBC mode. */
const AES_BITS: Readonly<Record<string, number>> = {
  '2.16.840.1.101.3.4.1.2': 128,
  '2.16.840.1.101.3.4.1.22': 192,
  '2.16.840.1.101.3.4.1.42': 256,
}

/** What was encrypted. A wrong passphrase is noticed by its padding nearly always, and else by what comes out. */
export async function openPbes2(
  algorithm: AlgorithmIdentifier,
  ciphertext: Bytes,
  passphrase: string,
): Promise<Result<Bytes, PassphraseError>> {
  if (algorithm.oid !== PBES2 || algorithm.parametersDer === null) return refuse('unsupported', OLD_SCHEME)
  const { parametersDer } = algorithm
  const read = catchDer(() => {
    const parameters = DerReader.over(parametersDer).sequence()
    return { kdf: readAlgorithmIdentifier(parameters), cipher: readAlgorithmIdentifier(parameters) }
  })
  if (!read.ok) return refuse('malformed', `what is encrypted is malformed: ${read.error.message}`)
  const { kdf, cipher } = read.value
  const bits = AES_BITS[cipher.oid]
  const iv = cipher.parametersDer === null ? null : ivOf(cipher.parametersDer)
  if (bits === undefined || iv === null) return refuse('unsupported', OLD_SCHEME)
  const derived = await derivePbkdf2(kdf, passphrase, bits)
  if (!derived.ok) return derived
  const key = await crypto.subtle.importKey('raw', derived.value, 'AES-CBC', false, ['decrypt'])
  try {
    return ok(new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-CBC', iv }, key, ciphertext)))
  } catch {
    return refuse('passphrase', WRONG_PASSPHRASE)
  }
}

export const WRONG_PASSPHRASE = 'the passphrase does not open it'
const OLD_SCHEME =
  'it is encrypted with a scheme that is not opened here: encrypt it anew with AES, as "openssl pkcs8 -topk8 -v2 aes-256-cbc" and "openssl pkcs12 -export" do'

function ivOf(parametersDer: Bytes): Bytes | null {
  const read = catchDer(() => DerReader.over(parametersDer).octetString())
  return read.ok && read.value.length === 16 ? read.value : null
}

/** RFC 8018 §5.2 of a passphrase in UTF-8. */
async function derivePbkdf2(
  { oid, parametersDer }: AlgorithmIdentifier,
  passphrase: string,
  bits: number,
): Promise<Result<Bytes, PassphraseError>> {
  if (oid !== PBKDF2 || parametersDer === null) {
    return refuse('unsupported', 'its key is derived with another function than PBKDF2, which is not supported')
  }
  const read = catchDer(() => {
    const parameters = DerReader.over(parametersDer).sequence()
    const salt = parameters.octetString()
    const iterations = parameters.smallInteger()
    if (parameters.peekTag() === TAG.integer) parameters.smallInteger()
    return { salt, iterations, prf: parameters.atEnd ? DEFAULT_PRF : readAlgorithmIdentifier(parameters).oid }
  })
  if (!read.ok) return refuse('malformed', `what is encrypted is malformed: ${read.error.message}`)
  const { salt, iterations, prf } = read.value
  const hash = HASH_OF_PRF[prf]
  if (hash === undefined) return refuse('unsupported', 'its key is derived with a hash that is not supported')
  const problem = iterationProblem(iterations)
  if (problem !== null) return refuse('unsupported', problem)
  const base = await crypto.subtle.importKey('raw', utf8(passphrase), 'PBKDF2', false, ['deriveBits'])
  return ok(new Uint8Array(await crypto.subtle.deriveBits({ name: 'PBKDF2', hash, salt, iterations }, base, bits)))
}

export function iterationProblem(iterations: number): string | null {
  if (iterations >= 1 && iterations <= MAX_KDF_ITERATIONS) return null
  return `its key is derived in ${iterations} rounds: 1 to ${MAX_KDF_ITERATIONS} are taken`
}

/** What is wrong with a passphrase before it is tried, or null. */
export function passphraseProblem(passphrase: string): string | null {
  if (passphrase.length > MAX_PASSPHRASE_CHARS) return `a passphrase has at most ${MAX_PASSPHRASE_CHARS} characters`
  return null
}

/** RFC 5958 §3: the PKCS#8 key inside of an `ENCRYPTED PRIVATE KEY`. */
export async function openEncryptedKey(der: Bytes, passphrase: string): Promise<Result<Bytes, PassphraseError>> {
  const read = catchDer(() => {
    const input = DerReader.over(der)
    const info = input.sequence()
    input.finish()
    const value = { algorithm: readAlgorithmIdentifier(info), ciphertext: info.octetString() }
    info.finish()
    return value
  })
  if (!read.ok) return refuse('malformed', `the encrypted private key is malformed: ${read.error.message}`)
  const opened = await openPbes2(read.value.algorithm, read.value.ciphertext, passphrase)
  if (!opened.ok) return opened
  // One wrong passphrase in 256 leaves something that looks padded.
  return catchDer(() => DerReader.over(opened.value).sequence().smallInteger()).ok
    ? opened
    : refuse('passphrase', WRONG_PASSPHRASE)
}
