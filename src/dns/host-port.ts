/** `host:port` as settings have it, for name servers. */
import { err, ok, type Result } from '../core/result.ts'
import { checkTargetHost, normaliseHost, parseIpv6 } from '../core/targets.ts'
import type { TcpAddress } from '../core/tcp.ts'

/** RFC 1035 §4.2.2: DNS over TCP is port 53. */
export const DNS_PORT = 53

/**
 * Reads `ns1.example.com`, `192.0.2.53:5353`, `[2001:db8::53]:5353`. Without a port it is 53; an IPv6 address with a
 * port stands in brackets (RFC 3986 §3.2.2). The host is normalised as in a URL. The error is a sentence without the text.
 */
export function parseHostPort(text: string): Result<TcpAddress, string> {
  const trimmed = text.trim()
  if (parseIpv6(trimmed) !== null) return ok({ hostname: normaliseHost(trimmed) ?? trimmed, port: DNS_PORT })
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:]+))(?::(\d{1,5}))?$/.exec(trimmed)
  const isV6 = match?.[1] !== undefined
  const hostname = match === null ? null : normaliseHost(match[1] ?? match[2] ?? '')
  if (match === null || hostname === null || (isV6 && !hostname.includes(':'))) {
    return err('give host:port, such as ns1.example.com:53 or [2001:db8::53]:53')
  }
  const port = match[3] === undefined ? DNS_PORT : Number(match[3])
  if (port < 1 || port > 65_535) return err('a port is between 1 and 65535')
  return ok({ hostname, port })
}

/** `parseHostPort`, and only hosts that may be asked. */
export function parseServer(text: string, allowPrivateTargets: boolean): Result<TcpAddress, string> {
  const address = parseHostPort(text)
  if (!address.ok) return address
  const allowed = checkTargetHost(address.value.hostname, allowPrivateTargets)
  return allowed.ok ? address : allowed
}

/** As `parseHostPort` reads it, always with the port. */
export function formatHostPort({ hostname, port }: TcpAddress): string {
  return hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`
}
