/** TXT values as APIs and zone files write them: character-strings in quotes (RFC 1035 §5.1). */
import { fromUtf8, utf8 } from '../core/bytes.ts'
import { MAX_CHARACTER_STRING_OCTETS } from './limits.ts'

/** `"v=spf1 -all"`; as many strings as it takes, quotes and backslashes escaped, other octets than ASCII as `\DDD`. */
export function quoteTxt(value: string): string {
  const octets = utf8(value)
  const strings: string[] = []
  for (let at = 0; at === 0 || at < octets.length; at += MAX_CHARACTER_STRING_OCTETS) {
    const part = octets.subarray(at, at + MAX_CHARACTER_STRING_OCTETS)
    strings.push(`"${Array.from(part, escaped).join('')}"`)
  }
  return strings.join(' ')
}

/** The text that quoted strings stand for; text without quotes stands for itself. */
export function unquoteTxt(content: string): string {
  const trimmed = content.trim()
  if (!/^"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*$/s.test(trimmed)) return content
  const octets: number[] = []
  for (const [, inner = ''] of trimmed.matchAll(/"((?:[^"\\]|\\.)*)"/gs)) {
    for (const [piece, decimal, single] of inner.matchAll(/\\(\d{3})|\\(.)|[^\\]+/gs)) {
      if (decimal !== undefined) octets.push(Number(decimal) & 255)
      else octets.push(...utf8(single ?? piece))
    }
  }
  return fromUtf8(Uint8Array.from(octets)) ?? content
}

function escaped(octet: number): string {
  if (octet === 0x22 || octet === 0x5c) return `\\${String.fromCharCode(octet)}`
  if (octet >= 0x20 && octet < 0x7f) return String.fromCharCode(octet)
  return `\\${String(octet).padStart(3, '0')}`
}
