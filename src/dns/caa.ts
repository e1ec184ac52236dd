/**
 * May a CA issue for a name? Finds the CAA records that count (RFC 8659) and reads them for one CA, one account and one
 * validation method (RFC 8657). Asks resolvers, or servers that settings name; validates no DNSSEC by itself, as a CA does.
 */
import { err, ok, type Result } from '../core/result.ts'
import { type LookupContext, type PreferredServers, sourcesFor } from './dns-source.ts'
import { lookupFirst } from './lookup.ts'
import { TYPE } from './wire/codes.ts'
import { parentOf, parseName } from './wire/name.ts'
import type { CaaData } from './wire/record.ts'

/** The records that count for a name, and where they stand; null and none where no CA is restricted. */
export interface RelevantCaa {
  readonly foundAt: string | null
  readonly records: readonly CaaData[]
}

/** RFC 8659 §3: the first non-empty set on the way from the name to the top, the root not included. */
export async function findCaa(
  context: LookupContext,
  domain: string,
  signal: AbortSignal,
  servers: PreferredServers = {},
): Promise<Result<RelevantCaa, string>> {
  // RFC 8659 §4.3: a wildcard's records are those of the name after `*.`.
  const name = parseName(domain.replace(/^\*\./, ''))
  if (!name.ok) return name
  const sources = sourcesFor(context, servers)
  for (let at: string | null = name.value; at !== null && at !== ''; at = parentOf(at)) {
    const found = await lookupFirst(sources, at, TYPE.CAA, signal)
    // A CA that gets no answer must not issue, so "no answer" is not "no record".
    if (!found.ok) return err(`the CAA records of ${at} cannot be read: ${found.error.message}`)
    const records = found.value.records.flatMap(({ data }) => (data.type === TYPE.CAA ? [data] : []))
    if (records.length > 0) return ok({ foundAt: at, records })
  }
  return ok({ foundAt: null, records: [] })
}

/** Who wants to issue, and how. */
export interface CaaRequest {
  /** The CA's names, as its directory's `caaIdentities` lists them (RFC 8555 §7.1.1). */
  readonly issuerDomains: readonly string[]
  readonly wildcard: boolean
  /** The ACME account's URL; null where there is none yet. */
  readonly accountUri: string | null
  /** The challenge type: `dns-01`. */
  readonly validationMethod: string
}

export interface CaaVerdict {
  readonly allowed: boolean
  /** One plain sentence. */
  readonly reason: string
}

/** Tags that this code understands; any other that is critical forbids (RFC 8659 §4.1). `issuemail` is RFC 9495. */
const KNOWN_TAGS = new Set(['issue', 'issuewild', 'iodef', 'issuemail'])

/**
 * RFC 8659 §4.1: bit 0 of the flags, which is the highest. Many records have set the lowest instead, and Let's Encrypt
 * takes that one as critical too (letsencrypt/boulder, va/caa.go, filterCAA); a warning too many is the lesser harm.
 */
const CRITICAL = 0x80 | 0x01

/** Reads the relevant records for one request. */
export function evaluateCaa({ foundAt, records }: RelevantCaa, request: CaaRequest): CaaVerdict {
  if (records.length === 0) return { allowed: true, reason: 'no CAA record restricts issuance' }
  const at = `the CAA records at ${foundAt}`
  const critical = records.find(({ flags, tag }) => (flags & CRITICAL) !== 0 && !KNOWN_TAGS.has(tag))
  if (critical !== undefined) {
    return { allowed: false, reason: `${at} hold a critical "${critical.tag}", which CAs do not understand` }
  }
  const properties = propertiesFor(records, request.wildcard)
  // RFC 8659 §4.2: without any issue property the set restricts nothing.
  if (properties.length === 0) return { allowed: true, reason: `${at} do not restrict issuance` }
  const issuers = properties.map(({ value }) => parseIssueValue(value))
  const ours = issuers.filter(
    (each) => each !== null && request.issuerDomains.some((name) => isSame(name, each.issuer)),
  )
  const wanted = request.issuerDomains.join(' or ')
  if (ours.length === 0) {
    const named = [...new Set(issuers.flatMap((each) => (each === null || each.issuer === '' ? [] : [each.issuer])))]
    const others = named.length === 0 ? 'forbid every CA' : `allow ${named.join(', ')}`
    return { allowed: false, reason: `${at} ${others}, not ${wanted}` }
  }
  const objections = ours.map((each) => objectionOf(each?.parameters ?? [], request))
  if (objections.includes(null)) return { allowed: true, reason: `${at} allow ${wanted}` }
  return { allowed: false, reason: `${at} name ${wanted}, but ${objections[0]}` }
}

/** RFC 8659 §4.3: for a wildcard, issuewild replaces issue where there is one; for other names it means nothing. */
function propertiesFor(records: readonly CaaData[], wildcard: boolean): readonly CaaData[] {
  const wild = records.filter(({ tag }) => tag === 'issuewild')
  return wildcard && wild.length > 0 ? wild : records.filter(({ tag }) => tag === 'issue')
}

interface IssueValue {
  /** Lower case; empty where no CA is named. */
  readonly issuer: string
  readonly parameters: readonly { readonly tag: string; readonly value: string }[]
}

/** RFC 8659 §4.2: `issuer; tag=value; …`. Null where the value is malformed, which allows no CA. */
export function parseIssueValue(value: string): IssueValue | null {
  const [issuer = '', ...rest] = value.split(';').map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ''))
  if (issuer !== '' && !/^[0-9a-z]([0-9a-z-]*[0-9a-z])?(\.[0-9a-z]([0-9a-z-]*[0-9a-z])?)*$/i.test(issuer)) return null
  // `issuer;` has no parameters; between two parameters there is one.
  const parts = rest.length === 1 && rest[0] === '' ? [] : rest
  const parameters: { tag: string; value: string }[] = []
  for (const part of parts) {
    const match = /^([0-9a-z](?:[0-9a-z-]*[0-9a-z])?)[ \t]*=[ \t]*([\x21-\x3a\x3c-\x7e]*)$/i.exec(part)
    if (match === null) return null
    parameters.push({ tag: (match[1] as string).toLowerCase(), value: match[2] as string })
  }
  return { issuer: issuer.toLowerCase(), parameters }
}

/** What a parameter has against this account or this method; null where nothing. Unknown parameters are the CA's own. */
function objectionOf(parameters: IssueValue['parameters'], request: CaaRequest): string | null {
  const uris = parameters.filter(({ tag }) => tag === 'accounturi').map(({ value }) => value)
  const methods = parameters.filter(({ tag }) => tag === 'validationmethods').map(({ value }) => value)
  // RFC 8657 §3, §4: a property with more than one of either is unsatisfiable.
  if (uris.length > 1 || methods.length > 1) return 'give a parameter twice, which nobody can satisfy'
  const [uri] = uris
  // RFC 8657 §3: the URI is compared "using the algorithm defined in RFC 3986 §6.2.1", character by character.
  if (uri !== undefined && uri !== request.accountUri) {
    return `only for the account ${uri}, not ${request.accountUri ?? 'for one that is yet to be registered'}`
  }
  const [list] = methods
  if (list === undefined) return null
  const named = list.split(',')
  // RFC 8657 §4: a list in which one is not of letters, digits and hyphens is malformed, and no CA satisfies it.
  if (!named.includes(request.validationMethod) || named.some((each) => !/^[0-9A-Za-z-]+$/.test(each))) {
    return `only for the validation methods ${list}, not ${request.validationMethod}`
  }
  return null
}

function isSame(name: string, issuer: string): boolean {
  return name.toLowerCase() === issuer
}
