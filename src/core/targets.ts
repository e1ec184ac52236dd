/**
 * Which hosts an outbound request may go to. Looks at the address as written: it does not resolve names, since a
 * Worker's fetch and sockets resolve them out of its sight and the platform refuses private ranges by itself.
 */
import { err, ok, type Result } from './result.ts'

/** Special-use names that never lead to a public host (RFC 6761, RFC 6762, RFC 8375, and `internal` as reserved by ICANN). */
const PRIVATE_SUFFIXES = ['localhost', 'local', 'internal', 'home.arpa'] as const

/** Refuses loopback, private, link-local, multicast and other special-purpose hosts (RFC 6890), by name or by literal. */
export function checkPublicHost(host: string): Result<void, string> {
  const name = host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
  if (name === '') return err('the host is empty')
  if (PRIVATE_SUFFIXES.some((suffix) => name === suffix || name.endsWith(`.${suffix}`))) {
    return err(`${name} is a private name`)
  }
  const v4 = parseIpv4(name)
  if (v4 !== null) return isPrivateIpv4(v4) ? err(`${name} is a private address`) : ok(undefined)
  const v6 = name.includes(':') ? parseIpv6(name) : null
  if (name.includes(':') && v6 === null) return err(`${name} is not an address`)
  if (v6 !== null) return isPrivateIpv6(v6) ? err(`${name} is a private address`) : ok(undefined)
  return ok(undefined)
}

/** Four octets of a dotted quad without leading zeros, or null. */
export function parseIpv4(text: string): readonly number[] | null {
  const parts = text.split('.')
  if (parts.length !== 4) return null
  const octets: number[] = []
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null
    octets.push(Number(part))
  }
  return octets
}

/** Sixteen octets of an IPv6 address (RFC 4291 §2.2, without a zone), or null. */
export function parseIpv6(text: string): readonly number[] | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  // RFC 4291 §2.2: a dotted quad stands for "the four low-order" octets, so nothing comes after it.
  if (halves.length === 2 && halves[0]?.includes('.')) return null
  const head = groupsOf(halves[0] as string)
  const tail = halves.length === 2 ? groupsOf(halves[1] as string) : []
  if (head === null || tail === null) return null
  const missing = 16 - head.length - tail.length
  if (halves.length === 2 ? missing < 2 : missing !== 0) return null
  return [...head, ...new Array<number>(missing).fill(0), ...tail]
}

function groupsOf(text: string): number[] | null {
  if (text === '') return []
  const octets: number[] = []
  const groups = text.split(':')
  for (const [index, group] of groups.entries()) {
    if (group.includes('.')) {
      const v4 = index === groups.length - 1 ? parseIpv4(group) : null
      if (v4 === null) return null
      octets.push(...v4)
      continue
    }
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null
    const value = Number.parseInt(group, 16)
    octets.push(value >> 8, value & 255)
  }
  return octets
}

function isPrivateIpv4([a, b, c]: readonly number[]): boolean {
  if (a === undefined || b === undefined) return true
  if (a === 0 || a === 10 || a === 127 || a >= 224) return true
  if (a === 100 && b >= 64 && b <= 127) return true // RFC 6598
  if (a === 169 && b === 254) return true
  if (a === 172 && b >= 16 && b <= 31) return true
  if (a === 192 && b === 168) return true
  if (a === 192 && b === 0 && (c === 0 || c === 2)) return true
  if (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) return true
  return a === 203 && b === 0 && c === 113
}

function isPrivateIpv6(octets: readonly number[]): boolean {
  const [a, b] = octets as [number, number]
  // IPv4-mapped, IPv4-compatible, ::, ::1 (RFC 4291 §2.5.5), NAT64 (RFC 6052) and 6to4 (RFC 3056) hide an IPv4 address.
  if (octets.slice(0, 10).every((octet) => octet === 0)) {
    const mapped = octets[10] === 0xff && octets[11] === 0xff
    return mapped ? isPrivateIpv4(octets.slice(12)) : true
  }
  if (a === 0 && b === 0x64) return isPrivateIpv4(octets.slice(12))
  if (a === 0x20 && b === 0x02) return isPrivateIpv4(octets.slice(2, 6))
  if (a === 0x20 && b === 0x01 && octets[2] === 0x0d && octets[3] === 0xb8) return true
  // Global unicast is 2000::/3 (RFC 4291 §2.4); all else is local, multicast or unassigned.
  return (a & 0xe0) !== 0x20
}
