/** Builds distinguished names within the bounds of RFC 5280 Appendix A, and writes names as text. */
import type { Bytes } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { derOid, derPrintableString, derSequence, derSetOf, derUtf8String, isPrintableText } from './der/writer.ts'
import type { DistinguishedName, NameAttribute } from './general-name.ts'
import { ATTRIBUTE } from './oids.ts'

export interface SubjectFields {
  readonly country?: string
  readonly province?: string
  readonly locality?: string
  readonly organization?: string
  readonly organizationalUnit?: string
  readonly commonName?: string
}

export interface SubjectError {
  readonly field: keyof SubjectFields
  readonly message: string
}

/** In the order in which they are written, outermost first. Bounds: RFC 5280 Appendix A.1, ub-*. */
const FIELDS = [
  { field: 'country', oid: ATTRIBUTE.country, maxChars: 2 },
  { field: 'province', oid: ATTRIBUTE.province, maxChars: 128 },
  { field: 'locality', oid: ATTRIBUTE.locality, maxChars: 128 },
  { field: 'organization', oid: ATTRIBUTE.organization, maxChars: 64 },
  { field: 'organizationalUnit', oid: ATTRIBUTE.organizationalUnit, maxChars: 64 },
  { field: 'commonName', oid: ATTRIBUTE.commonName, maxChars: 64 },
] as const satisfies readonly { field: keyof SubjectFields; oid: string; maxChars: number }[]

/** The longest common name; longer host names go into the subject alternative names alone. */
export const MAX_COMMON_NAME_CHARS = 64

/** A Name in DER with one attribute per set; no field at all gives the empty name. */
export function buildName(fields: SubjectFields): Result<Bytes, SubjectError> {
  const rdns: Bytes[] = []
  for (const { field, oid, maxChars } of FIELDS) {
    const text = fields[field]
    if (text === undefined) continue
    const message = field === 'country' ? checkCountry(text) : checkNameText(text, maxChars)
    if (message !== null) return err({ field, message })
    // RFC 5280 §4.1.2.4: "either the PrintableString or UTF8String encoding"; the country is a PrintableString alone.
    const value = isPrintableText(text) ? derPrintableString(text) : derUtf8String(text)
    rdns.push(derSetOf(derSequence(derOid(oid), value)))
  }
  return ok(derSequence(...rdns))
}

/** What is wrong with a country, or null. */
export function checkCountry(text: string): string | null {
  return /^[A-Z]{2}$/.test(text) ? null : 'give the country as two capital letters (ISO 3166)'
}

/** What is wrong with the text of an attribute, or null. */
export function checkNameText(text: string, maxChars: number): string | null {
  if (text === '' || text.trim() !== text) return 'is empty, or starts or ends with a space'
  if ([...text].length > maxChars) return `is longer than ${maxChars} characters`
  return hasControlCharacter(text) ? 'holds a control character' : null
}

/**
 * Characters that are not seen, or that change how the text around them is seen: controls, breaks of lines and paragraphs, changes
 * of direction; and what is no character: halves of surrogate pairs, which UTF-8 cannot hold, and noncharacters.
 */
export const hasControlCharacter = (text: string): boolean =>
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Noncharacter_Code_Point}]/u.test(text)

/** RFC 4514 §3: keywords that every reader knows. */
const KEYWORDS: Readonly<Record<string, string>> = {
  [ATTRIBUTE.commonName]: 'CN',
  [ATTRIBUTE.locality]: 'L',
  [ATTRIBUTE.province]: 'ST',
  [ATTRIBUTE.organization]: 'O',
  [ATTRIBUTE.organizationalUnit]: 'OU',
  [ATTRIBUTE.country]: 'C',
  [ATTRIBUTE.streetAddress]: 'STREET',
  [ATTRIBUTE.domainComponent]: 'DC',
  [ATTRIBUTE.userId]: 'UID',
}

/** Text of a name (RFC 4514): innermost first, `CN=www.example.com,O=Example`. */
export function formatName(name: DistinguishedName): string {
  return name.rdns
    .toReversed()
    .map((rdn) => rdn.map(formatAttribute).join('+'))
    .join(',')
}

function formatAttribute({ oid, text, valueDer }: NameAttribute): string {
  const keyword = KEYWORDS[oid]
  // RFC 4514 §2.4: as hexadecimal BER where the type has no keyword or the value no text.
  if (keyword !== undefined && text !== null) return `${keyword}=${escapeValue(text)}`
  return `${keyword ?? oid}=#${Array.from(valueDer, (octet) => octet.toString(16).padStart(2, '0')).join('')}`
}

/** RFC 4514 §2.4: what must be escaped. Control characters too, so that the text stays one line. */
function escapeValue(text: string): string {
  return text
    .replace(/["+,;<>\\]/g, '\\$&')
    .replace(/^[ #]| $/g, '\\$&')
    .replace(/\p{Cc}/gu, (control) => `\\${control.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
