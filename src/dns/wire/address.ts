/** Internet addresses between text and octets (RFC 4291 §2.2, RFC 5952). */
import { parseIpv4, parseIpv6 } from '../../core/targets.ts'
import { WireError } from './octets.ts'

/** Four or sixteen octets of an address; throws a WireError where the text is not one of that length. */
export function addressOctets(text: string, length: 4 | 16): Uint8Array {
  const octets = length === 4 ? parseIpv4(text) : parseIpv6(text)
  if (octets === null) throw new WireError('bad_rdata', 0)
  return Uint8Array.from(octets)
}

/** Four octets as a dotted quad. */
export const ipv4Text = (octets: Uint8Array): string => octets.join('.')

/** Sixteen octets as RFC 5952 §4 writes them, without dotted quads. */
export function ipv6Text(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((octets[i * 2] as number) << 8) | (octets[i * 2 + 1] as number))
  const run = longestZeroRun(groups)
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':')
  // RFC 5952 §4.2.2: "::" does not stand for a single group.
  if (run.length < 2) return text(groups)
  return `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`
}

/** RFC 5952 §4.2.3: the longest run, and the first of equals. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start }
  }
  return best
}
