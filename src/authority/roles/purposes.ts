/** What the certificates of a role are for: purposes by name or object identifier, and the key usages that go with them. */
import type { ErrorDetail } from '../../core/errors.ts'
import type { KeyUsage } from '../../pki/extensions.ts'
import { EKU } from '../../pki/oids.ts'

/** Purposes that have a name here; the others go by their object identifiers. */
const NAMED: Readonly<Record<string, string>> = {
  serverAuth: EKU.serverAuth,
  clientAuth: EKU.clientAuth,
  codeSigning: EKU.codeSigning,
  emailProtection: EKU.emailProtection,
  timeStamping: EKU.timeStamping,
}

/** As a role has them. */
interface Purposes {
  readonly serverAuth: boolean
  readonly clientAuth: boolean
  /** Object identifiers. */
  readonly extKeyUsages?: readonly string[]
}

/** The purposes of a role, object identifiers. */
export const extKeyUsagesOf = (allowed: Purposes): string[] => [
  ...(allowed.serverAuth ? [EKU.serverAuth] : []),
  ...(allowed.clientAuth ? [EKU.clientAuth] : []),
  ...(allowed.extKeyUsages ?? []),
]

/** Purposes that no role may grant, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  [EKU.any]: 'a certificate for every purpose would be one for signing code: name the purposes',
  [EKU.ocspSigning]: 'whoever has such a certificate answers for the CA whether certificates are revoked',
}

/** An arc is at most 128 bits long, as those made of UUIDs are (X.667 §7). */
const OID = /^(?:[01]\.(?:[1-3]?\d)|2\.(?:0|[1-9]\d{0,38}))(?:\.(?:0|[1-9]\d{0,38})){1,30}$/

/** The object identifier of a purpose, as `codeSigning`, `code_signing` or `1.3.6.1.5.5.7.3.3`, or null. */
export function purposeOid(text: string): string | null {
  const named = NAMED[text.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())]
  return named ?? (OID.test(text) ? text : null)
}

/** The name of a purpose, or its object identifier. */
export const purposeName = (oid: string): string => Object.keys(NAMED).find((name) => NAMED[name] === oid) ?? oid

/** RFC 5280 §4.2.1.12: the key usages that are consistent with a purpose. */
const USAGES_OF_PURPOSE: Readonly<Record<string, readonly KeyUsage[]>> = {
  [EKU.serverAuth]: ['digitalSignature', 'keyEncipherment', 'keyAgreement'],
  [EKU.clientAuth]: ['digitalSignature', 'keyAgreement'],
  [EKU.codeSigning]: ['digitalSignature'],
  [EKU.emailProtection]: ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'keyAgreement'],
  [EKU.timeStamping]: ['digitalSignature', 'nonRepudiation'],
}

/** What is wrong with the purposes of a role, object identifiers all, and with its key usages beside them. */
export function checkPurposes(purposes: readonly string[], keyUsages: readonly KeyUsage[] | null): ErrorDetail[] {
  const details: ErrorDetail[] = []
  for (const oid of purposes) {
    const reason = REFUSED[oid]
    if (reason !== undefined) details.push({ path: 'extended_key_usages', message: `${oid}: ${reason}` })
  }
  // RFC 3161 §2.3: "MUST contain only one instance of the extended key usage field extension", for time stamps alone.
  if (purposes.includes(EKU.timeStamping) && purposes.length > 1) {
    details.push({ path: 'extended_key_usages', message: 'a certificate for timeStamping is for nothing else' })
  }
  return keyUsages === null ? details : [...details, ...contradictions(purposes, keyUsages)]
}

/** RFC 5280 §4.2.1.12: "the certificate MUST only be used for a purpose consistent with both extensions". */
function contradictions(purposes: readonly string[], keyUsages: readonly KeyUsage[]): ErrorDetail[] {
  const report = (message: string): ErrorDetail => ({ path: 'key_usages', message })
  const details: ErrorDetail[] = []
  for (const purpose of purposes) {
    const usages = USAGES_OF_PURPOSE[purpose]
    if (usages === undefined || usages.some((usage) => keyUsages.includes(usage))) continue
    details.push(report(`${purposeName(purpose)} needs one of ${usages.join(', ')}`))
  }
  // Which usages a purpose needs that is not known here cannot be said.
  if (purposes.some((purpose) => USAGES_OF_PURPOSE[purpose] === undefined)) return details
  for (const usage of keyUsages) {
    if (purposes.some((purpose) => USAGES_OF_PURPOSE[purpose]?.includes(usage))) continue
    details.push(report(`${usage} serves none of the purposes ${purposes.map(purposeName).join(', ')}`))
  }
  return details
}
