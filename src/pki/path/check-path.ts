/** What the certificates of a whole path must be to each other (RFC 5280 §6.1): lengths, times, purposes. Pure and synchronous. */
import { type Certificate, isSelfIssued } from '../certificate.ts'
import type { KeyUsage } from '../extensions.ts'
import { EKU, EXTENSION } from '../oids.ts'
import type { PathProblem } from './path-error.ts'

export type Purpose = 'server_auth' | 'client_auth' | 'any'

/** RFC 5280 §6.1.4 (l) and (m): intermediates that are not self-issued, counted below each CA. The leaf is not counted. */
export function checkPathLengths(path: readonly Certificate[]): PathProblem[] {
  const problems: PathProblem[] = []
  let below = 0
  for (const [depth, certificate] of path.entries()) {
    if (depth === 0) continue
    const limit = certificate.basicConstraints?.pathLength ?? null
    if (limit !== null && below > limit) {
      const message = 'more CAs follow than a CA above them allows'
      problems.push({ code: 'path_length_exceeded', message, depth, evidence: { pathLength: limit, found: below } })
    }
    if (!isSelfIssued(certificate)) below += 1
  }
  return problems
}

/** RFC 5280 §6.1.3 (a)(2): both ends belong to it. Certificates tell whole seconds, so the question is cut to them. */
export function checkTimes(path: readonly Certificate[], atMs: number): PathProblem[] {
  const problems: PathProblem[] = []
  const secondMs = Math.floor(atMs / 1_000) * 1_000
  for (const [depth, { notBeforeMs, notAfterMs }] of path.entries()) {
    const evidence = { atMs, notBeforeMs, notAfterMs }
    if (secondMs < notBeforeMs) {
      problems.push({ code: 'not_yet_valid', message: 'the certificate is not valid yet', depth, evidence })
    }
    if (secondMs > notAfterMs) {
      problems.push({ code: 'expired', message: 'the certificate has expired', depth, evidence })
    }
  }
  return problems
}

interface PurposeRow {
  readonly extKeyUsage: string
  /** One of these, where the leaf has key usages at all. */
  readonly keyUsages: readonly KeyUsage[]
}

/** RFC 5280 §4.2.1.12: which key usages go with which purpose. */
const PURPOSES: Readonly<Record<Exclude<Purpose, 'any'>, PurposeRow>> = {
  server_auth: { extKeyUsage: EKU.serverAuth, keyUsages: ['digitalSignature', 'keyEncipherment', 'keyAgreement'] },
  client_auth: { extKeyUsage: EKU.clientAuth, keyUsages: ['digitalSignature', 'keyAgreement'] },
}

/**
 * The purpose on the leaf, and on every CA above that limits purposes: RFC 5280 leaves that open, and all relying parties do
 * it. `any` asks for nothing.
 */
export function checkPurpose(path: readonly Certificate[], purpose: Purpose): PathProblem[] {
  if (purpose === 'any') return []
  const { extKeyUsage: wanted, keyUsages } = PURPOSES[purpose]
  const problems: PathProblem[] = []
  for (const [depth, { extKeyUsage, keyUsage, extensions }] of path.entries()) {
    const report = (code: PathProblem['code'], message: string): void => {
      problems.push({ code, message, depth, evidence: { purpose } })
    }
    const isLast = depth === path.length - 1
    // RFC 5280 §4.2.1.12 lets a relying party refuse anyExtendedKeyUsage alone; for a leaf it is refused here.
    const isAllowed = extKeyUsage?.includes(wanted) || (depth > 0 && extKeyUsage?.includes(EKU.any))
    if (extKeyUsage !== null && isAllowed !== true) report('purpose_refused', 'the certificate is for other purposes')
    if (depth > 0 && isLast && extKeyUsage !== null) {
      report('anchor_extended_key_usage', 'the trust anchor limits purposes, which roots are not to do')
    }
    if (depth > 0) continue
    if (keyUsage !== null && !keyUsages.some((usage) => keyUsage.has(usage))) {
      report('purpose_refused', 'the key of the certificate is for other uses')
    }
    if (extKeyUsage?.includes(EKU.any)) {
      report('extended_key_usage_any', 'the certificate says that it is for every purpose')
    }
    if (extKeyUsage === null) report('extended_key_usage_missing', 'the certificate does not say what it is for')
    if (extensions.some(({ oid, critical }) => oid === EXTENSION.extKeyUsage && critical)) {
      report('extended_key_usage_critical', 'the extended key usage is critical')
    }
  }
  return problems
}
