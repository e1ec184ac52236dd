/** Writes extensions (RFC 5280 §4.2, §5.2), each with the critical flag that the RFC asks for. */
import type { Bytes } from '../core/bytes.ts'
import { type AltName, derAltName } from './alt-name.ts'
import { contextConstructed, contextPrimitive } from './der/tags.ts'
import {
  derBoolean,
  derExplicit,
  derInteger,
  derNamedBits,
  derNull,
  derOctetString,
  derOid,
  derOidOnce,
  derSequence,
  derValue,
} from './der/writer.ts'
import { KEY_USAGES, type KeyUsage } from './extensions.ts'
import { ACCESS_METHOD, EKU, EXTENSION } from './oids.ts'

/** One Extension around its value. */
export function derExtension(oid: string, critical: boolean, valueDer: Bytes): Bytes {
  // X.690 §11.5: FALSE is the default and so is not written.
  return critical
    ? derSequence(derOid(oid), derBoolean(true), derOctetString(valueDer))
    : derSequence(derOid(oid), derOctetString(valueDer))
}

/** RFC 5280 §4.2.1.6: critical where the subject is empty, and only there. */
export const subjectAltNameExtension = (names: readonly AltName[], critical: boolean): Bytes =>
  derExtension(EXTENSION.subjectAltName, critical, derSequence(...names.map(derAltName)))

/** RFC 5280 §4.2.1.9: critical in the certificates of CAs. */
export function caConstraintsExtension(pathLength: number | null): Bytes {
  const limit = pathLength === null ? [] : [derInteger(pathLength)]
  return derExtension(EXTENSION.basicConstraints, true, derSequence(derBoolean(true), ...limit))
}

/** An end entity's: an empty SEQUENCE, since DER leaves out cA FALSE. Critical, as ETSI and most CAs have it. */
export const endEntityConstraintsExtension = (): Bytes => derExtension(EXTENSION.basicConstraints, true, derSequence())

/** RFC 5280 §4.2.1.3: "conforming CAs SHOULD mark this extension as critical". */
export const keyUsageExtension = (usages: readonly KeyUsage[]): Bytes =>
  derExtension(EXTENSION.keyUsage, true, derNamedBits(usages.map((usage) => KEY_USAGES.indexOf(usage))))

/** RFC 3161 §2.3: for time stamps alone, and then "This extension MUST be critical"; for everything else it is not. */
export const extKeyUsageExtension = (oids: readonly string[]): Bytes =>
  derExtension(
    EXTENSION.extKeyUsage,
    oids.length === 1 && oids[0] === EKU.timeStamping,
    derSequence(...oids.map(derOidOnce)),
  )

/** RFC 5280 §4.2.1.2: non-critical. */
export const subjectKeyIdentifierExtension = (keyIdentifier: Bytes): Bytes =>
  derExtension(EXTENSION.subjectKeyIdentifier, false, derOctetString(keyIdentifier))

/** RFC 5280 §4.2.1.1: non-critical, by key identifier alone. */
export const authorityKeyIdentifierExtension = (keyIdentifier: Bytes): Bytes =>
  derExtension(EXTENSION.authorityKeyIdentifier, false, derSequence(derValue(contextPrimitive(0), keyIdentifier)))

export interface NameConstraintsInput {
  readonly permitted: readonly AltName[]
  readonly excluded: readonly AltName[]
}

/** RFC 5280 §4.2.1.10: critical. IP addresses are 8 or 32 octets, address and mask. MUST NOT be empty on both sides. */
export function nameConstraintsExtension({ permitted, excluded }: NameConstraintsInput): Bytes {
  if (permitted.length + excluded.length === 0) throw new TypeError('name constraints constrain nothing')
  const subtrees = (number: number, names: readonly AltName[]): Bytes[] =>
    names.length === 0 ? [] : [derExplicit(number, ...names.map((name) => derSequence(derAltName(name))))]
  return derExtension(EXTENSION.nameConstraints, true, derSequence(...subtrees(0, permitted), ...subtrees(1, excluded)))
}

/** DistributionPointName with one URI per name: what a certificate's distribution point and a CRL's must share. */
export const derFullName = (uris: readonly string[]): Bytes =>
  derValue(contextConstructed(0), ...uris.map((value) => derAltName({ type: 'uri', value })))

/** RFC 5280 §4.2.1.13: one point per URI, non-critical. */
export const crlDistributionPointsExtension = (uris: readonly string[]): Bytes =>
  derExtension(
    EXTENSION.crlDistributionPoints,
    false,
    derSequence(...uris.map((uri) => derSequence(derExplicit(0, derFullName([uri]))))),
  )

export interface AuthorityInfoAccessInput {
  readonly caIssuerUris: readonly string[]
  readonly ocspUris: readonly string[]
}

/** RFC 5280 §4.2.2.1: non-critical. */
export function authorityInfoAccessExtension({ caIssuerUris, ocspUris }: AuthorityInfoAccessInput): Bytes {
  const descriptions = (method: string, uris: readonly string[]): Bytes[] =>
    uris.map((value) => derSequence(derOid(method), derAltName({ type: 'uri', value })))
  return derExtension(
    EXTENSION.authorityInfoAccess,
    false,
    derSequence(...descriptions(ACCESS_METHOD.ocsp, ocspUris), ...descriptions(ACCESS_METHOD.caIssuers, caIssuerUris)),
  )
}

/** RFC 9608 §2: non-critical, the value is NULL. */
export const noRevAvailExtension = (): Bytes => derExtension(EXTENSION.noRevAvail, false, derNull())

/** RFC 8737 §3: critical, the digest of the key authorization in an OCTET STRING of its own. */
export const acmeIdentifierExtension = (keyAuthorizationDigest: Bytes): Bytes =>
  derExtension(EXTENSION.acmeIdentifier, true, derOctetString(keyAuthorizationDigest))
