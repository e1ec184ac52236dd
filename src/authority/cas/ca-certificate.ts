/** The certificates of CAs: what they are made of, how long they may last, and the columns that follow from them. Stores nothing. */
import { type Bytes, sha256, toHex } from '../../core/bytes.ts'
import { formatTime } from '../../core/clock.ts'
import { AppError } from '../../core/errors.ts'
import { type AltName, isAltName } from '../../pki/alt-name.ts'
import { buildIntermediate, buildRoot, type CaInput } from '../../pki/build-certificate.ts'
import type { NameConstraintsInput } from '../../pki/build-extensions.ts'
import { type Certificate, parseCertificate } from '../../pki/certificate.ts'
import { checkCertifiedKeyDer } from '../../pki/certified-key.ts'
import { formatCertificatesPem } from '../../pki/pem.ts'
import { newSerial } from '../../pki/serial.ts'
import type { CaRow } from '../../store/authorities.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { locationsBelow, requirePublicAddress } from '../locations.ts'
import type { Signer } from '../signer.ts'

const DAY_MS = 86_400_000
const DEFAULT_ROOT_DAYS = 3_650
const DEFAULT_INTERMEDIATE_DAYS = 1_825

/** What a CA certificate is made of. */
export interface CertificatePlan {
  readonly subjectDer: Bytes
  readonly spkiDer: Bytes
  readonly pathLength: number | null
  readonly names: NameConstraintsInput
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** The same as a certificate that is there, for another time. */
export function planOf(
  ca: CaRow,
  current: Certificate,
  times: Pick<CertificatePlan, 'notBeforeMs' | 'notAfterMs'>,
): CertificatePlan {
  return {
    subjectDer: current.subject.der,
    spkiDer: current.subjectPublicKeyInfo.der,
    pathLength: ca.maxPathLength,
    names: { permitted: constraintsOf(current, 'permitted'), excluded: constraintsOf(current, 'excluded') },
    ...times,
  }
}

/** An imported CA may have constraints that none is made with here: they are not dropped. */
function constraintsOf(certificate: Certificate, side: 'permitted' | 'excluded'): AltName[] {
  const bases = certificate.nameConstraints?.[side] ?? []
  const names = bases.filter(isAltName)
  if (names.length < bases.length) {
    throw new AppError('policy_violation', 'It has name constraints of a kind that is not issued here')
  }
  return names
}

export const dnsName = (value: string): AltName => ({ type: 'dns', value })

export async function certifyRoot(
  { settings }: AuthorityDependencies,
  plan: CertificatePlan,
  privateKey: Signer['issuer']['privateKey'],
): Promise<Certificate> {
  // A root says nothing of addresses, but all that it signs will.
  requirePublicAddress(settings)
  return parseOwn(await buildRoot({ ...inputOf(plan), privateKey }))
}

export async function certify(
  { settings }: AuthorityDependencies,
  plan: CertificatePlan,
  parent: Signer,
): Promise<Certificate> {
  const key = checkCertifiedKeyDer(plan.spkiDer)
  if (!key.ok)
    throw new AppError('policy_violation', `The key of the CA is not certified any more: ${key.error.message}`)
  const serialNumber = newSerial()
  const locations = locationsBelow(settings, parent.ca, toHex(serialNumber))
  return parseOwn(await buildIntermediate({ ...inputOf(plan), ...locations, serialNumber }, parent.issuer))
}

function inputOf({ names, ...plan }: CertificatePlan): Omit<CaInput, 'crlUris' | 'caIssuerUris' | 'ocspUris'> {
  const hasNames = names.permitted.length + names.excluded.length > 0
  return { ...plan, ...(hasNames ? { nameConstraints: names } : {}) }
}

function parseOwn({ der }: { readonly der: Bytes }): Certificate {
  const parsed = parseCertificate(der)
  if (!parsed.ok) throw new Error(`a certificate that was built does not parse: ${parsed.error.message}`)
  return parsed.value
}

/** Columns of the CA's row that follow from its certificate. */
export const certificateColumns = (certificate: Certificate) => ({
  serialNumber: toHex(certificate.serialNumber),
  certificatePem: formatCertificatesPem([certificate.der]),
  notBeforeMs: certificate.notBeforeMs,
  notAfterMs: certificate.notAfterMs,
})

/** SHA-256 of a name in DER, hex. */
export const subjectHashOf = async (nameDer: Bytes): Promise<string> => toHex(await sha256(nameDer))

export function pathLengthBelow(parent: Signer | null): number | null {
  const limit = parent?.ca.maxPathLength ?? null
  return limit === null ? null : limit - 1
}

/** From now on, whole seconds; never beyond the issuer, nor beyond `endMs`. */
export function timesOf(
  nowMs: number,
  validityDays: number | null,
  issuer: Signer | null,
  endMs = Number.POSITIVE_INFINITY,
): Pick<CertificatePlan, 'notBeforeMs' | 'notAfterMs'> {
  const notBeforeMs = Math.floor(nowMs / 1000) * 1000
  const latestMs = Math.min(issuer?.notAfterMs ?? Number.POSITIVE_INFINITY, endMs)
  const days = validityDays ?? (issuer === null ? DEFAULT_ROOT_DAYS : DEFAULT_INTERMEDIATE_DAYS)
  const wantedMs = notBeforeMs + days * DAY_MS
  if (latestMs <= notBeforeMs) throw new AppError('policy_violation', 'The issuing CA has ended: issue it anew first')
  if (validityDays !== null && wantedMs > latestMs) {
    const longest = Math.floor((latestMs - notBeforeMs) / DAY_MS)
    const message = `A CA never outlives its issuer, which ends at ${formatTime(latestMs)}: the longest possible is ${longest} days`
    throw new AppError('policy_violation', message, { details: [{ path: 'validity_days', message }] })
  }
  return { notBeforeMs, notAfterMs: Math.min(wantedMs, latestMs) }
}
