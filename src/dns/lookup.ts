/** What an answer says about a name, and where CNAMEs lead from a challenge's name. Validates no DNSSEC. */
import { concatBytes, fromUtf8 } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { configuredSources, type DnsSource, type LookupContext, resolverSources } from './dns-source.ts'
import { MAX_CNAME_HOPS } from './limits.ts'
import { RCODE, rcodeName, TYPE } from './wire/codes.ts'
import type { DnsMessage } from './wire/message.ts'
import { parseName } from './wire/name.ts'
import { type DnsRecord, type SoaData, typeCodeOf } from './wire/record.ts'

/** An answer that says something: records, or that there are none. */
export interface Found {
  /** Who said so. */
  readonly source: string
  readonly authoritative: boolean
  /** Of the type asked for, at the name or behind its CNAMEs. */
  readonly records: readonly DnsRecord[]
  /** Where the name's own CNAME leads; null where it has none. */
  readonly cname: string | null
  /** RFC 2308 §3: the zone that says there is nothing. */
  readonly denial: Denial | null
}

export interface Denial {
  readonly zone: string
  readonly ttlSeconds: number
  readonly soa: SoaData
}

/** Asks one source. SERVFAIL, REFUSED and referrals are errors: they say nothing about the name. */
export async function lookup(
  source: DnsSource,
  name: string,
  type: number,
  signal: AbortSignal,
): Promise<Result<Found, string>> {
  const answer = await source.ask(name, type, signal)
  return answer.ok ? readAnswer(source.label, answer.value, name, type) : answer
}

/** Asks one after another until one answers. The error names each and what it said. */
export async function lookupFirst(
  sources: readonly DnsSource[],
  name: string,
  type: number,
  signal: AbortSignal,
): Promise<Result<Found, string>> {
  const failures: string[] = []
  for (const source of sources) {
    const found = await lookup(source, name, type, signal)
    if (found.ok) return found
    failures.push(`${source.label}: ${found.error}`)
    if (signal.aborted) break
  }
  return err(failures.join('; ') || 'there is nobody to ask')
}

/** The TXT values of a name, each as one text; asks one source after another until one answers. */
export async function lookupTxt(
  sources: readonly DnsSource[],
  name: string,
  signal: AbortSignal,
): Promise<Result<string[], string>> {
  const found = await lookupFirst(sources, name, TYPE.TXT, signal)
  if (!found.ok) return found
  return ok(
    found.value.records.flatMap(({ data }) =>
      data.type === TYPE.TXT ? [fromUtf8(concatBytes(...data.strings)) ?? ''] : [],
    ),
  )
}

function readAnswer(source: string, answer: DnsMessage, name: string, type: number): Result<Found, string> {
  if (answer.rcode !== RCODE.NOERROR && answer.rcode !== RCODE.NXDOMAIN) {
    return err(`answered ${rcodeName(answer.rcode)}`)
  }
  const denial = denialIn(answer)
  // RFC 2308 §2.2: neither an answer nor an SOA, from one who is no authority, is a referral to others.
  if (answer.rcode === RCODE.NOERROR && answer.answers.length === 0 && !answer.authoritative && denial === null) {
    const referral = answer.authorities.some((record) => record.data.type === TYPE.NS)
    if (referral) return err('referred to other servers')
  }
  const { end, first } = chase(answer.answers, name)
  const records = answer.answers.filter((record) => record.name === end && typeCodeOf(record.data) === type)
  return ok({ source, authoritative: answer.authoritative, records, cname: first, denial })
}

/** Follows the CNAMEs inside one answer (RFC 1034 §4.3.2 step 3a). */
function chase(answers: readonly DnsRecord[], name: string): { end: string; first: string | null } {
  let end = name
  let first: string | null = null
  for (let hops = 0; hops < MAX_CNAME_HOPS; hops += 1) {
    const target = cnameAt(answers, end)
    if (target === null) break
    first ??= target
    end = target
  }
  return { end, first }
}

function cnameAt(answers: readonly DnsRecord[], name: string): string | null {
  for (const { name: owner, data } of answers) if (owner === name && data.type === TYPE.CNAME) return data.target
  return null
}

function denialIn(answer: DnsMessage): Denial | null {
  for (const { name, ttlSeconds, data } of answer.authorities) {
    if (data.type === TYPE.SOA) return { zone: name, ttlSeconds, soa: data }
  }
  return null
}

export interface FollowOptions {
  /** `host:port` each: asked instead of the resolvers. */
  readonly nameservers?: readonly string[]
  /** The provider's own server: asked where the resolvers cannot answer or know of no CNAME. */
  readonly fallbackNameservers?: readonly string[]
  readonly signal?: AbortSignal
}

export interface FollowedName {
  /** Where the TXT value goes. */
  readonly name: string
  /** The names that were CNAMEs, in order. */
  readonly through: readonly string[]
  /** Plain lines for the order's log. */
  readonly log: readonly string[]
}

export interface FollowFailure {
  readonly reason: 'not_a_name' | 'loop' | 'too_many' | 'unanswered'
  readonly message: string
}

/**
 * Follows CNAMEs from `_acme-challenge.<domain>` to the name that takes the TXT value; CAs do the same when they look
 * (RFC 8555 §8.4 leaves delegation to DNS).
 */
export async function followChallengeName(
  context: LookupContext,
  challengeName: string,
  options: FollowOptions = {},
): Promise<Result<FollowedName, FollowFailure>> {
  const parsed = parseName(challengeName)
  if (!parsed.ok) return err({ reason: 'not_a_name', message: parsed.error })
  const asker = createCnameAsker(context, options)
  const through: string[] = []
  let name = parsed.value
  for (;;) {
    const target = await asker.cnameOf(name)
    if (!target.ok) {
      return err({ reason: 'unanswered', message: `nobody says whether ${name} is a CNAME: ${target.error}` })
    }
    if (target.value === null) return ok({ name, through, log: asker.log })
    through.push(name)
    asker.log.push(`${name} is a CNAME to ${target.value}`)
    if (through.includes(target.value)) {
      return err({ reason: 'loop', message: `the CNAMEs from ${parsed.value} lead back to ${target.value}` })
    }
    if (through.length > MAX_CNAME_HOPS) {
      return err({ reason: 'too_many', message: `more than ${MAX_CNAME_HOPS} CNAMEs follow ${parsed.value}` })
    }
    name = target.value
  }
}

interface CnameAsker {
  readonly log: string[]
  cnameOf(name: string): Promise<Result<string | null, string>>
}

function createCnameAsker(context: LookupContext, options: FollowOptions): CnameAsker {
  const log: string[] = []
  const signal = options.signal ?? new AbortController().signal
  const ask = async (sources: readonly DnsSource[], name: string) => {
    const found = await lookupFirst(sources, name, TYPE.CNAME, signal)
    return found.ok ? ok(found.value.cname) : found
  }
  if (options.nameservers !== undefined && options.nameservers.length > 0) {
    const servers = configuredSources(context, options.nameservers)
    return { log, cnameOf: (name) => ask(servers, name) }
  }
  // The last resolver first: it now remembers that the challenge's name does not exist (RFC 2308 §5), and the check
  // of propagation, which asks the first one first, is spared that memory.
  const resolvers = resolverSources(context).reverse()
  const fallback = configuredSources(context, options.fallbackNameservers ?? [])
  let resolversAnswer = true
  return {
    log,
    async cnameOf(name) {
      if (resolversAnswer) {
        const found = await ask(resolvers, name)
        if (found.ok && (found.value !== null || fallback.length === 0)) return found
        if (found.ok) {
          // The resolvers know of no CNAME. The server that the value is written to may know of one in a zone of its own.
          const own = await ask(fallback, name)
          return own.ok ? own : found
        }
        if (fallback.length === 0 || signal.aborted) return found
        resolversAnswer = false
        log.push(
          `no resolver answered (${found.error}): asking ${fallback.map((each) => each.label).join(', ')} instead`,
        )
      }
      return ask(fallback, name)
    },
  }
}
