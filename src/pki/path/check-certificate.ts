/**
 * What one certificate must be to stand at its place in a path, without regard to its neighbours (RFC 5280 §4, §6.1.3, §6.1.4). Follows
 * the profile that public CAs keep (CA/Browser Forum TLS-BR §7.1.2) for key identifiers and keys. Does not
 * look at signatures, times, names that were asked for, or purposes.
 */
import { equalBytes } from '../../core/bytes.ts'
import { formatAltName, isAltName } from '../alt-name.ts'
import { type Certificate, isEmptyName, isSelfIssued } from '../certificate.ts'
import { MIN_RSA_BITS } from '../limits.ts'
import { ATTRIBUTE, EXTENSION } from '../oids.ts'
import { describePublicKey } from '../public-key.ts'
import { formatSerial } from '../serial.ts'
import { MAX_SERIAL_CONTENT_OCTETS } from './limits.ts'
import type { Evidence, PathProblem, PathProblemCode } from './path-error.ts'

export interface Place {
  readonly isLeaf: boolean
  /** Trusted as it is. A leaf may be an anchor too, and is then the whole path. */
  readonly isAnchor: boolean
}

type Report = (code: PathProblemCode, message: string, evidence?: Evidence) => void

/** Every problem and every warning of that certificate, without the depth, which the path knows. */
export function checkCertificate(certificate: Certificate, place: Place): PathProblem[] {
  const problems: PathProblem[] = []
  const report: Report = (code, message, evidence = {}) => problems.push({ code, message, depth: null, evidence })
  checkForm(certificate, place, report)
  checkKey(certificate, report)
  checkCriticalFlags(certificate, report)
  checkKeyIdentifiers(certificate, place, report)
  if (place.isLeaf) {
    checkLeaf(certificate, report)
    checkLeafNames(certificate, report)
  } else checkIssuer(certificate, report)
  return problems
}

function checkForm(certificate: Certificate, { isLeaf, isAnchor }: Place, report: Report): void {
  const { version, serialNumber, issuer, timeFormsConform } = certificate
  // RFC 5280 §4.1.2.1: version 3 where there are extensions, and every certificate of today has some.
  if (version !== 3) report('version_not_three', 'the certificate is not of version 3', { version })
  // RFC 5280 §4.1.2.2: a positive integer of up to 20 octets. Old roots have the number 0: of an anchor it is a warning alone.
  const isZero = serialNumber.every((octet) => octet === 0)
  const isNegative = (serialNumber[0] as number) >= 0x80
  if (isZero || isNegative || serialNumber.length > MAX_SERIAL_CONTENT_OCTETS) {
    const code = isAnchor && !isLeaf ? 'anchor_serial_number' : 'serial_number_refused'
    report(code, 'the serial number is zero, negative or longer than 20 octets', {
      serialNumber: formatSerial(serialNumber),
    })
  }
  // RFC 5280 §4.1.2.4: "The issuer field MUST contain a non-empty distinguished name".
  if (isEmptyName(issuer)) report('name_empty', 'the issuer has no name')
  if (!timeFormsConform) report('time_form', 'a date before 2050 is not written as UTCTime')
}

function checkKey({ subjectPublicKeyInfo }: Certificate, report: Report): void {
  const kind = describePublicKey(subjectPublicKeyInfo)
  if (!kind.ok) report('key_refused', kind.error.message)
  else if (kind.value.type === 'rsa' && (kind.value.size < MIN_RSA_BITS || kind.value.size % 8 !== 0)) {
    const message = `an RSA key must have at least ${MIN_RSA_BITS} bits, and a multiple of 8`
    report('key_refused', message, { bits: kind.value.size })
  }
}

/** Processed here, or without effect unless a certificate requires an explicit policy, which is refused below. */
const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set([
  EXTENSION.basicConstraints,
  EXTENSION.keyUsage,
  EXTENSION.extKeyUsage,
  EXTENSION.subjectAltName,
  EXTENSION.nameConstraints,
  EXTENSION.crlDistributionPoints,
  EXTENSION.certificatePolicies,
  EXTENSION.policyMappings,
  EXTENSION.inhibitAnyPolicy,
])

/** RFC 5280 §4.2.1.1, §4.2.1.2, §4.2.2.1: "Conforming CAs MUST mark this extension as non-critical". */
const NEVER_CRITICAL: readonly string[] = [
  EXTENSION.authorityKeyIdentifier,
  EXTENSION.subjectKeyIdentifier,
  EXTENSION.authorityInfoAccess,
]

function checkCriticalFlags({ extensions, nameConstraints }: Certificate, report: Report): void {
  for (const { oid, critical } of extensions) {
    // Requiring an explicit policy needs the policy tree of RFC 5280 §6.1.2, which is not built here.
    if (oid === EXTENSION.policyConstraints) report('policy_refused', 'policy constraints are not processed', { oid })
    else if (critical && NEVER_CRITICAL.includes(oid)) {
      report('extension_refused', 'an extension is critical that must not be', { oid })
    } else if (critical && !KNOWN_EXTENSIONS.has(oid)) {
      // RFC 5280 §4.2: "MUST reject the certificate if it encounters a critical extension it does not recognize".
      report('critical_extension_unknown', 'a critical extension is not understood', { oid })
    }
  }
  // TLS-BR §7.1.2.5.2 allows it, against RFC 5280 §4.2.1.10.
  if (nameConstraints !== null && !isCritical(extensions, EXTENSION.nameConstraints)) {
    report('name_constraints_not_critical', 'the name constraints are not critical')
  }
}

const isCritical = (extensions: Certificate['extensions'], oid: string): boolean =>
  extensions.some((extension) => extension.oid === oid && extension.critical)

function checkKeyIdentifiers(certificate: Certificate, { isAnchor }: Place, report: Report): void {
  const { authorityKeyIdentifier, subjectKeyIdentifier, basicConstraints } = certificate
  // RFC 5280 §4.2.1.1: in all certificates, "to facilitate certification path construction", which an anchor is the end of.
  if (authorityKeyIdentifier === null ? !isAnchor : authorityKeyIdentifier.keyIdentifier === null) {
    report('key_identifier_refused', 'the authority key identifier is missing')
  }
  // RFC 5280 §4.2.1.2: "this extension MUST appear in all conforming CA certificates".
  if (basicConstraints?.isCa === true && subjectKeyIdentifier === null) {
    report('key_identifier_refused', 'the subject key identifier of a CA is missing')
  }
  if (!isAnchor || !isSelfIssued(certificate) || authorityKeyIdentifier === null) return
  // TLS-BR §7.1.2.1.3: a root's two identifiers are the same, and issuer and serial number are not there.
  if (authorityKeyIdentifier.hasIssuerAndSerial) {
    report('key_identifier_refused', 'the authority key identifier of a root names an issuer and a serial number')
  }
  const { keyIdentifier } = authorityKeyIdentifier
  if (keyIdentifier !== null && subjectKeyIdentifier !== null && !equalBytes(keyIdentifier, subjectKeyIdentifier)) {
    report('key_identifier_refused', 'the two key identifiers of a root differ')
  }
}

/** Of everything above the leaf. */
function checkIssuer({ basicConstraints, keyUsage, subject, extensions }: Certificate, report: Report): void {
  // RFC 5280 §6.1.4 (k): "verify that the basicConstraints extension is present and that cA is set to TRUE".
  if (basicConstraints?.isCa !== true) report('not_a_ca', 'the issuer is not a CA')
  // RFC 5280 §4.2.1.9: "MUST mark the extension as critical".
  else if (!isCritical(extensions, EXTENSION.basicConstraints)) {
    report('extension_refused', 'the basic constraints of a CA are not critical', { oid: EXTENSION.basicConstraints })
  }
  // RFC 5280 §6.1.4 (n): "If a key usage extension is present, verify that the keyCertSign bit is set."
  if (keyUsage?.has('keyCertSign') === false) {
    report('key_usage_refused', 'the key of the issuer is not for signing certificates')
  }
  // RFC 5280 §4.1.2.6: a CA's subject "MUST be populated with a non-empty distinguished name".
  if (isEmptyName(subject)) report('name_empty', 'a CA has no name')
}

function checkLeaf({ basicConstraints, keyUsage, nameConstraints }: Certificate, report: Report): void {
  const isCa = basicConstraints?.isCa === true
  // RFC 5280 §4.2.1.9: "If the cA boolean is not asserted, then the keyCertSign bit [...] MUST NOT be asserted."
  if (!isCa && keyUsage?.has('keyCertSign') === true) {
    report('key_usage_refused', 'the key is for signing certificates, and the certificate is not of a CA')
  }
  // RFC 5280 §4.2.1.9: a CA's key is for verifying the signatures of certificates.
  if (isCa && keyUsage?.has('keyCertSign') === false) {
    report('key_usage_refused', 'the certificate is of a CA, and its key is not for signing certificates')
  }
  // RFC 5280 §4.2.1.10: "MUST be used only in a CA certificate".
  if (!isCa && nameConstraints !== null) {
    report('extension_refused', 'there are name constraints in a certificate that is not of a CA', {
      oid: EXTENSION.nameConstraints,
    })
  }
}

function checkLeafNames({ subject, subjectAltNames, extensions }: Certificate, report: Report): void {
  const isCriticalNames = isCritical(extensions, EXTENSION.subjectAltName)
  // RFC 5280 §4.1.2.6: with an empty subject the names "MUST be [...] critical".
  if (isEmptyName(subject) && !isCriticalNames) {
    report('name_empty', 'the subject is empty, and there are no critical subject alternative names')
  }
  if (!isEmptyName(subject) && isCriticalNames) {
    report('names_critical', 'the subject alternative names are critical beside a subject')
  }
  if (subjectAltNames === null) return
  const texts = new Set(subjectAltNames.filter(isAltName).map(formatAltName))
  for (const { oid, text } of subject.rdns.flat()) {
    // TLS-BR §7.1.4.3: a copy, character for character. Nothing here reads the common name.
    if (oid === ATTRIBUTE.commonName && text !== null && !texts.has(text)) {
      report('common_name_not_in_names', 'the common name is not one of the names', { commonName: text })
    }
  }
}
