/**
 * Where the TXT value of a challenge goes: follows CNAMEs from `_acme-challenge.<domain>`, and tells those that stand at
 * a name from those that a wildcard makes up for it. Asks the servers of each zone before the resolvers, which would
 * remember that the name does not exist (RFC 2308 §5). Writes nothing.
 */
import { randomBytes, toHex } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import {
  configuredSources,
  type DnsSource,
  fallbackSources,
  type LookupContext,
  type PreferredServers,
  resolverSources,
} from './dns-source.ts'
import { MAX_CNAME_HOPS } from './limits.ts'
import { type Found, type LookupFailure, lookup, lookupFirst, txtValues } from './lookup.ts'
import { TYPE } from './wire/codes.ts'
import { parentOf, parseName } from './wire/name.ts'
import { findZoneServers, hostSource, type ZoneServers } from './zone-servers.ts'

/** `nameservers` are asked instead of all others; `fallbackNameservers` where the others know of no CNAME. */
export interface FollowOptions extends PreferredServers {
  readonly signal?: AbortSignal
}

export interface FollowedName {
  /** Where the TXT value goes. A name that is a CNAME by a wildcard alone is such a place: its own record comes first. */
  readonly name: string
  /** The names that were CNAMEs, in order. */
  readonly through: readonly string[]
  /** Where `name` leads by a wildcard, to the end; null where no wildcard covers it or its CNAMEs have no end. */
  readonly wildcardTarget: string | null
  /** Plain lines for the order's log. */
  readonly log: readonly string[]
}

export interface FollowFailure {
  readonly reason: 'not_a_name' | 'loop' | 'too_many' | 'bogus' | 'unanswered'
  readonly message: string
}

/**
 * Follows CNAMEs from `_acme-challenge.<domain>` to the name that takes the TXT value; CAs do the same when they validate
 * (RFC 8555 §8.4 leaves delegation to DNS). A CNAME that a wildcard makes up is not followed: RFC 1034 §4.3.3 has it for
 * names alone that do not exist, so the TXT record takes its place.
 */
export async function followChallengeName(
  context: LookupContext,
  challengeName: string,
  options: FollowOptions = {},
): Promise<Result<FollowedName, FollowFailure>> {
  const parsed = parseName(challengeName)
  if (!parsed.ok) return err({ reason: 'not_a_name', message: parsed.error })
  const asker = createCnameAsker(context, options)
  const written = await walk(asker, parsed.value, false)
  if (!written.ok) return written
  const { name, through, target } = written.value
  if (target === null) return ok({ name, through, wildcardTarget: null, log: asker.log })
  asker.log.push(`${name} has a CNAME to ${target} by a wildcard alone: a record at ${name} takes its place`)
  const behind = await walk(asker, target, true)
  return ok({ name, through, wildcardTarget: behind.ok ? behind.value.name : null, log: asker.log })
}

/**
 * The TXT values at the name itself, whatever CNAME there is besides. RFC 1034 §3.6.2 forbids both, but there are
 * services that answer so: a CA then reads these values and follows no CNAME. Empty also where no server answers.
 */
export async function findOwnTxt(
  context: LookupContext,
  name: string,
  options: FollowOptions = {},
): Promise<readonly string[]> {
  const signal = options.signal ?? new AbortController().signal
  const ask = async (): Promise<Result<Found, LookupFailure>> => {
    if (options.nameservers !== undefined && options.nameservers.length > 0) {
      return lookupFirst(configuredSources(context, options.nameservers), name, TYPE.TXT, signal)
    }
    const servers = await findZoneServers(context, name, null, signal)
    if (servers.ok && !isSilent(context, servers.value.zone)) {
      const found = await askAuthorities(context, servers.value, signal)(name, TYPE.TXT)
      if (found.ok) return found
    }
    const others = [...resolverSources(context).reverse(), ...fallbackSources(context, options)]
    return lookupFirst(others, name, TYPE.TXT, signal)
  }
  const found = await ask()
  return found.ok ? txtValues(found.value.own) : []
}

interface Walked {
  readonly name: string
  readonly through: readonly string[]
  /** The CNAME that a wildcard makes up for `name`; null where there is none. */
  readonly target: string | null
}

async function walk(asker: CnameAsker, start: string, wildcards: boolean): Promise<Result<Walked, FollowFailure>> {
  const through: string[] = []
  for (let name = start; ; ) {
    const cname = await asker.cnameOf(name)
    if (!cname.ok) {
      const message = `it is not known whether ${name} is a CNAME: ${cname.error.message}`
      return err({ reason: cname.error.reason === 'bogus' ? 'bogus' : 'unanswered', message })
    }
    if (cname.value === null) return ok({ name, through, target: null })
    const { target, synthesized } = cname.value
    if (synthesized && !wildcards) return ok({ name, through, target })
    through.push(name)
    asker.log.push(`${name} is a CNAME to ${target}`)
    if (through.includes(target)) {
      return err({ reason: 'loop', message: `the CNAMEs from ${start} lead back to ${target}` })
    }
    if (through.length > MAX_CNAME_HOPS) {
      return err({ reason: 'too_many', message: `more than ${MAX_CNAME_HOPS} CNAMEs follow ${start}` })
    }
    name = target
  }
}

interface Cname {
  readonly target: string
  /** Does a wildcard make it up, so that nothing stands at the name itself? */
  readonly synthesized: boolean
}

/** Null: there is no CNAME. */
type CnameAnswer = Result<Cname | null, LookupFailure>

interface CnameAsker {
  readonly log: string[]
  cnameOf(name: string): Promise<CnameAnswer>
}

/** Who is asked is settled. */
type Ask = (name: string, type: number) => Promise<Result<Found, LookupFailure>>

function createCnameAsker(context: LookupContext, options: FollowOptions): CnameAsker {
  const log: string[] = []
  const signal = options.signal ?? new AbortController().signal
  const askFirst =
    (sources: readonly DnsSource[]): Ask =>
    (name, type) =>
      lookupFirst(sources, name, type, signal)
  if (options.nameservers !== undefined && options.nameservers.length > 0) {
    const ask = askFirst(configuredSources(context, options.nameservers))
    return { log, cnameOf: (name) => askServers(ask, name) }
  }
  // The last resolver first: the check of propagation, which asks the first one first, is spared what it remembers.
  const askResolvers = askFirst(resolverSources(context).reverse())
  const fallback = fallbackSources(context, options)
  const askFallback = askFirst(fallback)
  let resolversAnswer = true

  const askPublic = async (name: string): Promise<CnameAnswer> => {
    const servers = await findZoneServers(context, name, null, signal)
    if (!servers.ok && servers.error.reason !== 'not_public') return err(servers.error)
    if (servers.ok && !isSilent(context, servers.value.zone)) {
      const found = await askServers(askAuthorities(context, servers.value, signal), name)
      if (found.ok) return found
    }
    return askCaches(askResolvers, name)
  }

  return {
    log,
    async cnameOf(name) {
      if (resolversAnswer) {
        const found = await askPublic(name)
        if (found.ok && (found.value !== null || fallback.length === 0)) return found
        if (found.ok) {
          // The public DNS knows of no CNAME. The server that the value is written to may know of one in a zone of its own.
          const own = await askServers(askFallback, name)
          return own.ok ? own : found
        }
        // Who answered SERVFAIL has answered: a CA gets the same, whatever the provider's own server says.
        if (found.error.reason !== 'unanswered' || fallback.length === 0 || signal.aborted) return found
        resolversAnswer = false
        const others = fallback.map((each) => each.label).join(', ')
        log.push(`no resolver answered (${found.error.message}): asking ${others} instead`)
      }
      return askServers(askFallback, name)
    },
  }
}

/** Longest that a zone's servers are tried before resolvers are asked instead: a firewall may swallow the questions. */
const AUTHORITIES_TIMEOUT_MS = 4_000

/** Zones none of whose servers could be asked, for as long as a context lives: the next name does not wait for them. */
const silentZones = new WeakMap<LookupContext, Set<string>>()

const isSilent = (context: LookupContext, zone: string): boolean => silentZones.get(context)?.has(zone) === true

/** The first of a zone's servers that answers with authority (RFC 1034 §4.2.1). */
function askAuthorities(context: LookupContext, { zone, hosts }: ZoneServers, signal: AbortSignal): Ask {
  const sources = hosts.map((host) => hostSource(context, host))
  return async (name, type) => {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(AUTHORITIES_TIMEOUT_MS)])
    const failures: LookupFailure[] = []
    for (const source of sources) {
      const found = await lookup(source, name, type, soon)
      if (found.ok && found.value.authoritative) return found
      failures.push(found.ok ? { reason: 'unanswered', message: 'does not serve the zone' } : found.error)
      if (soon.aborted) break
    }
    const isDelegated = failures.some(({ reason }) => reason === 'referral')
    if (!isDelegated) silentZones.set(context, (silentZones.get(context) ?? new Set()).add(zone))
    return err({ reason: 'unanswered', message: failures.map(({ message }) => message).join('; ') })
  }
}

/** Servers remember nothing: the wildcard is asked for only where there is a CNAME. */
async function askServers(ask: Ask, name: string): Promise<CnameAnswer> {
  const found = await ask(name, TYPE.CNAME)
  if (!found.ok) return found
  const target = found.value.cname
  if (target === null) return ok(null)
  const sibling = await madeUpBeside(ask, name)
  return ok({ target, synthesized: sibling === target && (await isMadeUpBelow(ask, name, target)) })
}

/**
 * Resolvers remember: the wildcard is looked for first, and the name itself is not asked for where it does not exist.
 * Else they would go on telling of its CNAME, or that there is nothing, when the TXT record stands there.
 */
async function askCaches(ask: Ask, name: string): Promise<CnameAnswer> {
  const sibling = await madeUpBeside(ask, name)
  if (sibling !== null && (await isMadeUpBelow(ask, name, sibling))) return ok({ target: sibling, synthesized: true })
  const found = await ask(name, TYPE.CNAME)
  if (!found.ok) return found
  return ok(found.value.cname === null ? null : { target: found.value.cname, synthesized: false })
}

/** The CNAME of a name that does not exist, beside `name`: by a wildcard. Null where there is none. */
async function madeUpBeside(ask: Ask, name: string): Promise<string | null> {
  const parent = parentOf(name)
  return parent === null ? null : madeUpAt(ask, parent)
}

/**
 * RFC 4592 §2.2.1 and §3.3.1: a wildcard makes up answers below the longest name that exists alone. So a name that nobody has made below
 * `name` gets the wildcard's CNAME where `name` does not exist, and not where `name` has a CNAME of its own, be it to the
 * same target.
 */
async function isMadeUpBelow(ask: Ask, name: string, target: string): Promise<boolean> {
  return (await madeUpAt(ask, name)) === target
}

async function madeUpAt(ask: Ask, parent: string): Promise<string | null> {
  const name = parseName(`${toHex(randomBytes(8))}${parent === '' ? '' : `.${parent}`}`)
  // A name that would be too long: then there is no wildcard to be found in this way, and CNAMEs are followed.
  if (!name.ok) return null
  const found = await ask(name.value, TYPE.CNAME)
  return found.ok ? found.value.cname : null
}
