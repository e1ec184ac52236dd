/** IP addresses between text and the octets of an iPAddress. */
import type { Bytes } from '../core/bytes.ts'
import { parseIpv4, parseIpv6 } from '../core/targets.ts'

/** 4 or 16 octets, or null where the text is no address. */
export function parseIpAddress(text: string): Bytes | null {
  const octets = parseIpv4(text) ?? (text.includes(':') ? parseIpv6(text) : null)
  return octets === null ? null : new Uint8Array(octets)
}

/** Dotted quad, or RFC 5952 for 16 octets. MUST be given 4 or 16. */
export function formatIpAddress(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.')
  if (octets.length !== 16) throw new RangeError('an IP address has 4 or 16 octets')
  const isMapped = octets.subarray(0, 10).every((octet) => octet === 0) && octets[10] === 0xff && octets[11] === 0xff
  // RFC 5952 §5: mixed notation where a well-known prefix shows that an IPv4 address is inside.
  if (isMapped) return `::ffff:${octets.subarray(12).join('.')}`
  const groups = Array.from({ length: 8 }, (_, i) => ((octets[2 * i] as number) << 8) | (octets[2 * i + 1] as number))
  const zeros = longestZeroRun(groups)
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  if (zeros === null) return text(groups)
  return `${text(groups.slice(0, zeros.start))}::${text(groups.slice(zeros.start + zeros.length))}`
}

/** RFC 5952 §4.2: the longest run of at least two zero groups, the first one of equals. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } | null {
  let best: { start: number; length: number } | null = null
  let start = 0
  for (let i = 0; i <= groups.length; i += 1) {
    if (groups[i] === 0) continue
    const length = i - start
    if (length >= 2 && length > (best?.length ?? 0)) best = { start, length }
    start = i + 1
  }
  return best
}

/** The name at which DNS looks an address up (RFC 1035 §3.5, RFC 3596 §2.5). MUST be given 4 or 16 octets. */
export function reverseName(octets: Uint8Array): string {
  if (octets.length === 4) return `${Array.from(octets).reverse().join('.')}.in-addr.arpa`
  const nibbles = Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('')
  return `${nibbles.split('').reverse().join('.')}.ip6.arpa`
}
