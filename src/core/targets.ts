/**
 * Which hosts an outbound request may go to: the one place that decides, for URLs and for `host:port` alike. Looks at
 * the host as written and resolves nothing: a Worker's fetch and sockets resolve names out of its sight. A public name
 * whose address is private is refused by the platform: `connect()` and `fetch` of a deployed Worker reach no private
 * address, and workerd by itself reaches public networks alone (its `network` service allows `public` unless it is
 * configured otherwise). Addresses that the product resolves itself, of name servers, come by here again.
 */
import ipaddr from 'ipaddr.js'
import { err, ok, type Result } from './result.ts'

/**
 * Names that never lead to a public host: special-use ones (RFC 6761 §6, RFC 6762 §3, RFC 7686 §2, RFC 8375 §3), `internal` as
 * reserved by ICANN, and the trees of addresses backwards. `example` is not among them: it stands for public names in examples.
 */
const PRIVATE_SUFFIXES = [
  'localhost',
  'local',
  'internal',
  'home.arpa',
  'in-addr.arpa',
  'ip6.arpa',
  'test',
  'invalid',
  'onion',
] as const

/** What a refusal ends with where the deployment could allow the target. */
const HOW_TO_ALLOW = 'a deployment allows such targets with ALLOW_PRIVATE_TARGETS=true'

/** Characters that end a host or change what it means: with one of them it is another part of an address. */
const NOT_IN_HOSTS = /[\s/?#@\\%:]/

/**
 * The host as a URL has it: lower case, IDNs in A-labels, IPv4 addresses in four decimal parts whatever their form was
 * (`0x7f.1`, `2130706433`), IPv6 addresses compressed, in brackets or without them. Null where it is no host: a name
 * whose last label is a number and which is no IPv4 address is none, in any URL.
 */
export function normaliseHost(host: string): string | null {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  const isV6 = parseIpv6(bare) !== null
  if (bare === '' || (!isV6 && NOT_IN_HOSTS.test(bare))) return null
  const address = `https://${isV6 ? `[${bare}]` : bare}/`
  if (!URL.canParse(address)) return null
  return new URL(address).hostname.replace(/^\[(.*)\]$/, '$1')
}

/** May connections go to that host? The host as `normaliseHost` has it, or why not. The error never quotes the host. */
export function checkTargetHost(host: string, allowPrivateTargets: boolean): Result<string, string> {
  const normal = normaliseHost(host)
  if (normal === null) return err('the host is neither a name nor an address')
  if (allowPrivateTargets) return ok(normal)
  const allowed = checkPublicHost(normal)
  return allowed.ok ? ok(normal) : err(`${allowed.error}; ${HOW_TO_ALLOW}`)
}

/** Refuses every host that is not on the public internet, by name or by literal. The error never quotes the host. */
export function checkPublicHost(host: string): Result<void, string> {
  const normal = normaliseHost(host)
  if (normal === null) return err('the host is neither a name nor an address')
  const name = normal.replace(/\.$/, '')
  if (name.includes(':')) return isPublicIpv6(name) ? ok(undefined) : err('the host is a private or special address')
  if (parseIpv4(name) !== null) {
    // Every range that the registries set apart is refused: private, shared, loopback, link-local, test, relay, multicast.
    return ipaddr.IPv4.parse(name).range() === 'unicast'
      ? ok(undefined)
      : err('the host is a private or special address')
  }
  const labels = name.split('.')
  if (labels.some((label) => label === '')) return err('the host is neither a name nor an address')
  // What a resolver makes of one label alone depends on where it runs.
  if (labels.length === 1) return err('the host is a private name: it has one label alone')
  if (PRIVATE_SUFFIXES.some((suffix) => name.endsWith(`.${suffix}`))) return err('the host is a private name')
  return ok(undefined)
}

/**
 * Global unicast is 2000::/3 (RFC 4291 §2.4), and within it the special ranges are refused too. So are all forms that
 * hide an IPv4 address: mapped and compatible ones, NAT64 (RFC 6052), 6to4 (RFC 3056) and Teredo (RFC 4380).
 */
function isPublicIpv6(text: string): boolean {
  const address = ipaddr.IPv6.parse(text)
  return ((address.parts[0] as number) & 0xe000) === 0x2000 && address.range() === 'unicast'
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
