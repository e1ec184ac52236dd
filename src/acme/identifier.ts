/** What a certificate is for (RFC 8555 §9.7.7, RFC 8738). Knows nothing of which names a CA would accept. */
import { z } from 'zod'
import { parseIpv6 } from '../core/targets.ts'

export interface Identifier {
  /** `dns` or `ip` in what this client asks for; the registry is open. */
  readonly type: string
  readonly value: string
}

/** A DNS name in A-labels; with `*.` in front, for a wildcard. */
export const dnsIdentifier = (name: string): Identifier => ({ type: 'dns', value: name })

/** RFC 8738 §3: an IPv4 dotted quad or the RFC 5952 form of an IPv6 address. */
export const ipIdentifier = (address: string): Identifier => ({ type: 'ip', value: address })

export const identifierShape = z.object({ type: z.string().min(1).max(64), value: z.string().min(1).max(1024) })

/** Equal for identifiers that mean the same: DNS names in any case, IPv6 addresses in any spelling. */
function identifierKey({ type, value }: Identifier): string {
  if (type !== 'ip' || !value.includes(':')) return `${type}:${value.toLowerCase()}`
  return `${type}:${parseIpv6(value)?.join('.') ?? value.toLowerCase()}`
}

/** The same set, in any order and with any repetition? */
export function sameIdentifiers(a: readonly Identifier[], b: readonly Identifier[]): boolean {
  const left = new Set(a.map(identifierKey))
  const right = new Set(b.map(identifierKey))
  return left.size === right.size && [...left].every((key) => right.has(key))
}
