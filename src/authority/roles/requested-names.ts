/**
 * The names that a caller asks for, in the one form in which they are checked and certified: DNS names in lower case with A-labels,
 * each name once, the common name among the alternative names. What was understood differently from what was written is said.
 */
import { AppError, type ErrorDetail } from '../../core/errors.ts'
import { err, ok, type Result } from '../../core/result.ts'
import {
  type AltName,
  type AltNameType,
  formatAltName,
  isAltName,
  parseAltName,
  uniqueAltNames,
} from '../../pki/alt-name.ts'
import type { Csr } from '../../pki/csr.ts'
import { hasControlCharacter, MAX_COMMON_NAME_CHARS } from '../../pki/distinguished-name.ts'
import { parseCertifiedDnsName, parseDnsName } from '../../pki/dns-name.ts'
import { commonNameOf } from '../../pki/general-name.ts'
import { parseIpAddress } from '../../pki/ip-address.ts'

export interface RequestedNames {
  readonly commonName: string | null
  readonly dns: readonly string[]
  readonly ip: readonly string[]
  readonly email: readonly string[]
  readonly uri: readonly string[]
}

export interface ResolvedNames {
  /** Null where there is none, or where it is too long for a subject and stands among the alternative names alone. */
  readonly commonName: string | null
  /** A common name that is a host name, an address or a mailbox is one of them. */
  readonly altNames: readonly AltName[]
  /** Was one asked for? */
  readonly hasCommonName: boolean
  readonly warnings: readonly string[]
}

/** Where errors say that a name stands: `alt_names[2]`. */
export type NamePaths = Readonly<Record<keyof RequestedNames, string>>

/** What public CAs take; more names are certificates for several services. */
export const MAX_NAMES = 100

/** With repeats. A request with more is refused before each name is read. */
const MAX_WRITTEN_NAMES = 10 * MAX_NAMES

const TYPES: readonly AltNameType[] = ['dns', 'ip', 'email', 'uri']

/** The names, or everything that is wrong with them. */
export function resolveNames(
  requested: RequestedNames,
  paths: NamePaths,
): Result<ResolvedNames, readonly ErrorDetail[]> {
  const tooMany = { path: paths.dns, message: `a certificate has at most ${MAX_NAMES} names` }
  if (TYPES.reduce((count, type) => count + requested[type].length, 0) > MAX_WRITTEN_NAMES) return err([tooMany])
  const details: ErrorDetail[] = []
  const warnings: string[] = []
  const altNames: AltName[] = []
  const common = requested.commonName === null ? null : resolveCommonName(requested.commonName)
  if (common?.error) details.push({ path: paths.commonName, message: common.error })
  if (common?.altName) altNames.push(common.altName)
  for (const type of TYPES) {
    for (const [index, text] of requested[type].entries()) {
      const parsed = parseAltName(type, text)
      if (parsed.ok) altNames.push(parsed.value)
      else
        details.push({
          path: placeOf(paths[type], index),
          message: `${show(text)}: ${parsed.error}${hint(type, text, paths)}`,
        })
      warnings.push(...conversionOf(type, text))
    }
  }
  if (requested.commonName !== null && common?.altName) {
    warnings.push(...conversionOf(common.altName.type, requested.commonName))
  }
  const unique = uniqueAltNames(altNames)
  if (unique.length > MAX_NAMES) details.push(tooMany)
  if (unique.length === 0 && requested.commonName === null && details.length === 0) {
    details.push({ path: paths.commonName, message: 'give a common name, or at least one alternative name' })
  }
  if (details.length > 0) return err(details.slice(0, MAX_NAMES))
  if (common !== null && common.text === null) {
    warnings.push(
      `${show(requested.commonName ?? '')} is longer than ${MAX_COMMON_NAME_CHARS} characters, so it stands among the alternative names alone`,
    )
  }
  return ok({
    commonName: common?.text ?? null,
    altNames: unique,
    hasCommonName: requested.commonName !== null,
    warnings: [...new Set(warnings)],
  })
}

/** The names; throws `invalid_request` with everything that is wrong with them. */
export function requireNames(requested: RequestedNames, paths: NamePaths): ResolvedNames {
  const resolved = resolveNames(requested, paths)
  if (resolved.ok) return resolved.value
  const [first] = resolved.error
  const message = first === undefined ? 'The names are not valid' : `${first.path}: ${first.message}`
  throw new AppError('invalid_request', message, { details: resolved.error })
}

interface CommonName {
  /** As it stands in the subject. */
  readonly text: string | null
  readonly altName?: AltName
  readonly error?: string
}

/** RFC 9525 §2: relying parties look at alternative names alone, so a common name that is one is written there too. */
function resolveCommonName(text: string): CommonName {
  if (text.trim() !== text || text === '') return { text: null, error: 'is empty, or starts or ends with a space' }
  // NUL above all: some readers of a common name end there.
  if (hasControlCharacter(text)) return { text: null, error: `${show(text)}: holds a control character` }
  for (const type of ['ip', 'dns', 'email'] as const) {
    const parsed = parseAltName(type, text)
    if (!parsed.ok) continue
    const name = formatAltName(parsed.value)
    return { text: name.length > MAX_COMMON_NAME_CHARS ? null : name, altName: parsed.value }
  }
  if (looksLikeHost(text)) {
    const parsed = parseCertifiedDnsName(text)
    return { text: null, error: parsed.ok ? 'is not a name' : `${show(text)}: ${parsed.error}` }
  }
  if ([...text].length > MAX_COMMON_NAME_CHARS) {
    return { text: null, error: `is longer than ${MAX_COMMON_NAME_CHARS} characters` }
  }
  return { text }
}

/** Text such as `Billing Service` may be a common name under a role for any name; `*.*.example` is a mistake everywhere. */
const looksLikeHost = (text: string): boolean => /[.*@]|^xn--/i.test(text) && !/\s/.test(text)

const placeOf = (path: string, index: number): string => (path.startsWith('csr_pem') ? path : `${path}[${index}]`)

/** A name in the wrong field is told where it belongs. */
function hint(type: AltNameType, text: string, paths: NamePaths): string {
  if (type !== 'dns') return ''
  if (parseIpAddress(text) !== null) return ` (it is an IP address: it belongs ${fieldOf(paths, 'ip')})`
  if (parseAltName('email', text).ok) return ` (it is an e-mail address: it belongs ${fieldOf(paths, 'email')})`
  return ''
}

/** Where all names stand in one place, as in a CSR, there is no field to name. */
function fieldOf(paths: NamePaths, type: 'ip' | 'email'): string {
  if (paths[type] !== paths.dns) return `in ${paths[type]}`
  return type === 'ip' ? 'to the IP names' : 'to the e-mail names'
}

/** Host names, and the domains of mailboxes, of which the A-labels are certified. */
function conversionOf(type: AltNameType, text: string): string[] {
  const domain = type === 'dns' ? text : type === 'email' ? text.slice(text.lastIndexOf('@') + 1) : null
  const parsed = domain === null ? null : parseDnsName(domain)
  if (!parsed?.ok || !parsed.value.wasConverted) return []
  return [`${show(text)} is certified with ${parsed.value.name}`]
}

/** Names come from outside: no control characters into messages, nor any that turn the text around them. */
const show = (text: string): string =>
  JSON.stringify(text.slice(0, 255)).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (hidden) => `\\u{${(hidden.codePointAt(0) ?? 0).toString(16)}}`,
  )

/** Where a name of the resolved ones stands among those that were asked for, however it was written there. Null: a missing common name. */
export function fieldOfName(requested: RequestedNames, paths: NamePaths, name: string | null): string {
  for (const type of TYPES) {
    const index = requested[type].findIndex((text) => {
      const parsed = parseAltName(type, text)
      return parsed.ok && formatAltName(parsed.value) === name
    })
    if (index >= 0) return placeOf(paths[type], index)
  }
  return paths.commonName
}

/** What a CSR asks for. Alternative names of kinds that are not issued are for `reviewCsr` to refuse. */
export function namesOfCsr(csr: Csr): RequestedNames {
  const names = (csr.subjectAltNames ?? []).filter(isAltName)
  const of = (type: AltNameType): string[] => names.filter((name) => name.type === type).map(formatAltName)
  return { commonName: commonNameOf(csr.subject), dns: of('dns'), ip: of('ip'), email: of('email'), uri: of('uri') }
}

/** For errors about names that stand in a CSR. */
export const CSR_PATHS: NamePaths = {
  commonName: 'csr_pem',
  dns: 'csr_pem',
  ip: 'csr_pem',
  email: 'csr_pem',
  uri: 'csr_pem',
}

/** For errors about names that stand in `san`, in place of those of a CSR. */
export const SAN_PATHS: NamePaths = {
  commonName: 'csr_pem',
  dns: 'san.dns',
  ip: 'san.ip',
  email: 'san.email',
  uri: 'san.uri',
}
