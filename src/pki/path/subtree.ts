/**
 * Names and the subtrees of name constraints in a form that can be compared (RFC 5280 §4.2.1.10, §7). What cannot be
 * read exactly is null, and the caller refuses it: a name that is read wrongly escapes its exclusion.
 */
import type { Bytes } from '../../core/bytes.ts'
import { parseDnsName } from '../dns-name.ts'
import type { DistinguishedName, GeneralName } from '../general-name.ts'
import { parseIpAddress } from '../ip-address.ts'
import { parseMailbox } from './mailbox.ts'

export type ComparedName =
  /** A wildcard without its star: `*.example.com` as `example.com`. */
  | { readonly type: 'dns'; readonly base: string; readonly isWildcard: boolean }
  | { readonly type: 'ip'; readonly octets: Bytes }
  | { readonly type: 'email'; readonly local: string; readonly host: string }
  | { readonly type: 'uri'; readonly host: string }
  | { readonly type: 'directory'; readonly rdns: readonly string[] }

export type Subtree =
  /** Empty: every name. */
  | { readonly type: 'dns'; readonly base: string }
  | { readonly type: 'ip'; readonly address: Bytes; readonly mask: Bytes }
  | { readonly type: 'email'; readonly local: string | null; readonly host: string; readonly scope: HostScope }
  | { readonly type: 'uri'; readonly host: string; readonly scope: HostScope }
  | { readonly type: 'directory'; readonly rdns: readonly string[] }

/** That host, every host under that domain, or all. */
type HostScope = 'host' | 'domain' | 'all'

export type ComparedType = ComparedName['type']
const COMPARED_TYPES: readonly string[] = ['dns', 'ip', 'email', 'uri', 'directory'] satisfies ComparedType[]

export const isCompared = (type: GeneralName['type']): type is ComparedType => COMPARED_TYPES.includes(type)

/** Null where it is malformed, or of a form that is not compared. */
export function readComparedName(name: GeneralName): ComparedName | null {
  switch (name.type) {
    case 'dns': {
      const parsed = parseDnsName(name.value)
      if (!parsed.ok || parsed.value.wasConverted) return null
      const { name: text, isWildcard } = parsed.value
      return { type: 'dns', base: isWildcard ? text.slice(2) : text, isWildcard }
    }
    case 'ip':
      return { type: 'ip', octets: name.value }
    case 'email': {
      const mailbox = parseMailbox(name.value)
      return mailbox === null ? null : { type: 'email', ...mailbox }
    }
    case 'uri': {
      const host = hostOfUri(name.value)
      return host === null ? null : { type: 'uri', host }
    }
    case 'directory': {
      const rdns = comparableRdns(name.value)
      return rdns === null ? null : { type: 'directory', rdns }
    }
    default:
      return null
  }
}

/** Null where it is malformed, or of a form that is not compared. */
export function readSubtree(base: GeneralName): Subtree | null {
  switch (base.type) {
    case 'dns': {
      if (base.value === '') return { type: 'dns', base: '' }
      // RFC 5280 §4.2.1.10 gives neither a leading dot nor a star a meaning here.
      const host = plainHost(base.value)
      return host === null ? null : { type: 'dns', base: host }
    }
    case 'ip': {
      const half = base.value.length / 2
      const address = base.value.slice(0, half)
      const mask = base.value.slice(half)
      // RFC 5280 §4.2.1.10: "encoded in the style of RFC 4632 (CIDR)".
      return isContiguous(mask) ? { type: 'ip', address, mask } : null
    }
    case 'email': {
      if (base.value.includes('@')) {
        const mailbox = parseMailbox(base.value)
        return mailbox === null ? null : { type: 'email', ...mailbox, scope: 'host' }
      }
      const scoped = scopedHost(base.value)
      return scoped === null ? null : { type: 'email', local: null, ...scoped }
    }
    case 'uri': {
      const scoped = scopedHost(base.value)
      return scoped === null ? null : { type: 'uri', ...scoped }
    }
    case 'directory': {
      const rdns = comparableRdns(base.value)
      return rdns === null ? null : { type: 'directory', rdns }
    }
    default:
      return null
  }
}

/** `partly`: a wildcard of which some names are inside and some are not. */
export type Relation = 'inside' | 'partly' | 'outside'

const within = (isInside: boolean): Relation => (isInside ? 'inside' : 'outside')

/** Where the name lies. MUST be given two of one type; two of different types are apart. */
export function relationOf(name: ComparedName, subtree: Subtree): Relation {
  if (name.type === 'dns' && subtree.type === 'dns') return dnsRelation(name, subtree.base)
  if (name.type === 'ip' && subtree.type === 'ip') return within(isInRange(name.octets, subtree))
  if (name.type === 'email' && subtree.type === 'email') {
    const isLocal = subtree.local === null || subtree.local === name.local
    return within(isLocal && isInScope(name.host, subtree))
  }
  if (name.type === 'uri' && subtree.type === 'uri') return within(isInScope(name.host, subtree))
  if (name.type === 'directory' && subtree.type === 'directory') {
    return within(subtree.rdns.every((rdn, index) => rdn === name.rdns[index]))
  }
  return 'outside'
}

function dnsRelation({ base, isWildcard }: { base: string; isWildcard: boolean }, constraint: string): Relation {
  // RFC 5280 §4.2.1.10: a name "that can be constructed by simply adding zero or more labels to the left-hand side".
  if (constraint === '' || base === constraint || base.endsWith(`.${constraint}`)) return 'inside'
  // A wildcard stands for names of one label more: the constraint itself may be one of them (RFC 9525 §6.3).
  const parent = constraint.slice(constraint.indexOf('.') + 1)
  return isWildcard && constraint.includes('.') && parent === base ? 'partly' : 'outside'
}

function isInRange(octets: Bytes, { address, mask }: { address: Bytes; mask: Bytes }): boolean {
  if (octets.length !== address.length) return false
  return octets.every((octet, i) => ((octet ^ (address[i] as number)) & (mask[i] as number)) === 0)
}

function isInScope(name: string, { host, scope }: { host: string; scope: HostScope }): boolean {
  if (scope === 'all') return true
  return scope === 'host' ? name === host : name.endsWith(`.${host}`)
}

/** RFC 5280 §4.2.1.10: with a leading dot every host under it, but not itself; without one that host alone. */
function scopedHost(text: string): { host: string; scope: HostScope } | null {
  if (text === '') return { host: '', scope: 'all' }
  const isDomain = text.startsWith('.')
  const host = plainHost(isDomain ? text.slice(1) : text)
  return host === null ? null : { host, scope: isDomain ? 'domain' : 'host' }
}

function plainHost(text: string): string | null {
  const parsed = parseDnsName(text)
  return parsed.ok && !parsed.value.isWildcard && !parsed.value.wasConverted ? parsed.value.name : null
}

/** RFC 3986 §3.2: user information, host, port. Strict, as others would read another host out of what is not a URI. */
const AUTHORITY = /^(?:[A-Za-z0-9._~!$&'()*+,;=:%-]*@)?([^@:]*)(?::\d*)?$/

/**
 * RFC 5280 §4.2.1.10: a URI without an authority, or whose host is no domain name, MUST be rejected where a constraint
 * applies. The authority is cut out here: an URL parser would mend what it finds.
 */
function hostOfUri(uri: string): string | null {
  const authority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(uri)?.[1] ?? ''
  const host = AUTHORITY.exec(authority)?.[1]
  return host === undefined || host === '' || parseIpAddress(host) !== null ? null : plainHost(host)
}

function isContiguous(mask: Bytes): boolean {
  let bits = ''
  for (const octet of mask) bits += octet.toString(2).padStart(8, '0')
  return /^1*0*$/.test(bits)
}

/** Each set as one text; two names are the same where their texts are. Null where a value is no text. */
function comparableRdns(name: DistinguishedName): string[] | null {
  const rdns: string[] = []
  for (const rdn of name.rdns) {
    const attributes: string[] = []
    for (const { oid, text } of rdn) {
      if (text === null) return null
      attributes.push(JSON.stringify([oid, foldText(text)]))
    }
    rdns.push(attributes.sort().join())
  }
  return rdns
}

/** RFC 5280 §7.1, after RFC 4518: without regard to case, to spaces at the ends, and to how many there are between words. */
const foldText = (text: string): string => text.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ')
