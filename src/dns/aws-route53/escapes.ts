/**
 * Names and TXT values as Route 53 spells them: escapes are octal there (`\052`), where zone files and the rest of this
 * code have decimal ones (docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html).
 */
import { fromUtf8, utf8 } from '../../core/bytes.ts'
import { MAX_CHARACTER_STRING_OCTETS } from '../limits.ts'
import { zoneNameOf } from '../zone-candidates.ts'

/** `*.example.com` → `\052.example.com.`, as the API lists it. MUST be given what `parseName` returns. */
export function toRoute53Name(name: string): string {
  return `${name.replace(/\\(\d{3})|\\(.)|([^a-z0-9._-])/g, (_, decimal, escaped, plain) =>
    octal(decimal === undefined ? (escaped ?? plain).charCodeAt(0) : Number(decimal)),
  )}.`
}

/** The other way; null where the text is no name. */
export function fromRoute53Name(text: string): string | null {
  const decimal = text.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) => {
    return `\\${String(Number.parseInt(digits, 8)).padStart(3, '0')}`
  })
  return zoneNameOf(decimal)
}

/**
 * A TXT value in quotes, in strings of 255 octets
 * (docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#TXTFormat).
 */
export function quoteRoute53Txt(value: string): string {
  const octets = utf8(value)
  const strings: string[] = []
  for (let at = 0; at === 0 || at < octets.length; at += MAX_CHARACTER_STRING_OCTETS) {
    strings.push(`"${Array.from(octets.subarray(at, at + MAX_CHARACTER_STRING_OCTETS), escaped).join('')}"`)
  }
  return strings.join(' ')
}

/** The text that the quoted strings stand for; what is not quoted, or not UTF-8, stands for itself. */
export function unquoteRoute53Txt(content: string): string {
  const strings = content.trim().match(/^"(?:[^"\\]|\\[\s\S])*"(?:\s*"(?:[^"\\]|\\[\s\S])*")*$/)
  if (strings === null) return content
  const octets: number[] = []
  for (const [, inner = ''] of strings[0].matchAll(/"((?:[^"\\]|\\[\s\S])*)"/g)) {
    for (const [piece, digits, single] of inner.matchAll(/\\([0-3][0-7]{2})|\\([\s\S])|[^\\]+/g)) {
      if (digits === undefined) octets.push(...utf8(single ?? piece))
      else octets.push(Number.parseInt(digits, 8))
    }
  }
  return fromUtf8(Uint8Array.from(octets)) ?? content
}

function escaped(octet: number): string {
  if (octet === 0x22 || octet === 0x5c) return `\\${String.fromCharCode(octet)}`
  return octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : octal(octet)
}

function octal(octet: number): string {
  return `\\${octet.toString(8).padStart(3, '0')}`
}
