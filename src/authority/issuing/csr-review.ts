/**
 * What a CSR asks for beyond its key and its names. Nothing of it is copied into a certificate: what would change what the
 * certificate may do is refused by name, the rest is left out and said.
 */

import { isAltName } from '../../pki/alt-name.ts'
import type { Csr } from '../../pki/csr.ts'
import { MAX_COMMON_NAME_CHARS } from '../../pki/distinguished-name.ts'
import type { GeneralName } from '../../pki/general-name.ts'
import { ATTRIBUTE, EKU, EXTENSION } from '../../pki/oids.ts'

export interface CsrReview {
  /** One plain sentence each. */
  readonly refusals: readonly string[]
  readonly warnings: readonly string[]
}

export interface CsrAllowance {
  /** Object identifiers. */
  readonly extKeyUsage: readonly string[]
  /** What of the subject is certified: under a role the common name alone; of an approved request all of it. */
  readonly subject: 'common-name' | 'whole'
}

export function reviewCsr(csr: Csr, allowance: CsrAllowance): CsrReview {
  const refusals = [
    ...authorityRefusals(csr),
    ...usageRefusals(csr, allowance.extKeyUsage),
    ...extensionRefusals(csr),
    ...nameRefusals(csr),
    ...subjectRefusals(csr, allowance),
  ]
  const warnings = [...leftOut(csr, allowance), ...(allowance.subject === 'whole' ? [] : subjectWarnings(csr))]
  return { refusals: shortened(refusals), warnings: shortened(warnings) }
}

/** A request has room for thousands of extensions. */
const MAX_SENTENCES = 20

/** Each sentence once, and of very many the first. */
function shortened(sentences: readonly string[]): string[] {
  const unique = [...new Set(sentences)]
  const more = unique.length - MAX_SENTENCES
  return more > 0 ? [...unique.slice(0, MAX_SENTENCES), `${more} more are not listed`] : unique
}

function authorityRefusals({ basicConstraints, keyUsage }: Csr): string[] {
  const refusals: string[] = []
  if (basicConstraints?.isCa === true) refusals.push('The CSR asks for a CA certificate (basicConstraints CA:TRUE)')
  for (const usage of ['keyCertSign', 'cRLSign'] as const) {
    if (keyUsage?.has(usage)) refusals.push(`The CSR asks for the key usage ${usage}, which CAs alone have`)
  }
  return refusals
}

function usageRefusals({ extKeyUsage }: Csr, allowed: readonly string[]): string[] {
  return (extKeyUsage ?? [])
    .filter((oid) => !allowed.includes(oid))
    .map((oid) => `The CSR asks for the extended key usage ${nameOf(EKU, oid)}, which is not allowed`)
}

/** Extensions that say who may sign, or for whom: a leaf has none of them. */
const OF_AUTHORITIES: readonly string[] = [
  EXTENSION.nameConstraints,
  EXTENSION.policyMappings,
  EXTENSION.policyConstraints,
  EXTENSION.inhibitAnyPolicy,
  EXTENSION.issuerAltName,
  EXTENSION.authorityKeyIdentifier,
  EXTENSION.acmeIdentifier,
]
/** Read, and judged above. */
const READ: readonly string[] = [
  EXTENSION.subjectAltName,
  EXTENSION.basicConstraints,
  EXTENSION.keyUsage,
  EXTENSION.extKeyUsage,
]

function extensionRefusals({ extensions }: Csr): string[] {
  return extensions.flatMap(({ oid, critical }) => {
    if (OF_AUTHORITIES.includes(oid)) return [`The CSR asks for the extension ${nameOf(EXTENSION, oid)}`]
    return critical && !READ.includes(oid)
      ? [`The CSR asks for the critical extension ${nameOf(EXTENSION, oid)}, which is not issued here`]
      : []
  })
}

function nameRefusals({ subjectAltNames }: Csr): string[] {
  return (subjectAltNames ?? [])
    .filter((name) => !isAltName(name))
    .map((name) => `The CSR asks for an alternative name of the kind ${kindOf(name)}, which is not issued here`)
}

function kindOf(name: GeneralName): string {
  switch (name.type) {
    case 'directory':
      return 'directoryName'
    case 'other':
      return `otherName (${name.oid})`
    case 'registered-id':
      return 'registeredID'
    default:
      return 'x400Address or ediPartyName'
  }
}

function subjectRefusals({ subject }: Csr, allowance: CsrAllowance): string[] {
  const common = subject.rdns.flat().filter(({ oid }) => oid === ATTRIBUTE.commonName)
  if (common.length > 1) return ['The CSR has more than one common name']
  if (common.some(({ text }) => text === null)) return ['The common name of the CSR is not text']
  // RFC 5280 Appendix A.1: ub-common-name. Under a role, a long host name stands among the alternative names alone.
  const isTooLong = common.some(({ text }) => [...(text ?? '')].length > MAX_COMMON_NAME_CHARS)
  return isTooLong && allowance.subject === 'whole'
    ? [`The common name of the CSR is longer than ${MAX_COMMON_NAME_CHARS} characters`]
    : []
}

function leftOut({ extensions }: Csr, { subject }: CsrAllowance): string[] {
  const reason = subject === 'whole' ? '' : ': it follows from the role'
  return (
    extensions
      .filter(({ oid }) => oid !== EXTENSION.subjectAltName && oid !== EXTENSION.basicConstraints)
      // Refused above.
      .filter(({ oid, critical }) => !OF_AUTHORITIES.includes(oid) && (!critical || READ.includes(oid)))
      .map(({ oid }) => `The extension ${nameOf(EXTENSION, oid)} of the CSR is not copied${reason}`)
  )
}

function subjectWarnings({ subject }: Csr): string[] {
  const others = subject.rdns.flat().filter(({ oid }) => oid !== ATTRIBUTE.commonName)
  if (others.length === 0) return []
  const names = [...new Set(others.map(({ oid }) => nameOf(ATTRIBUTE, oid)))].join(', ')
  return [`Of the subject of the CSR only the common name is certified, not: ${names}`]
}

const nameOf = (table: Readonly<Record<string, string>>, oid: string): string =>
  Object.entries(table).find(([, each]) => each === oid)?.[0] ?? oid
