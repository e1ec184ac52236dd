/**
 * Do all servers show the TXT values? One poll: asks the configured servers, or every server of the zone, or
 * resolvers where servers cannot be reached. Does not wait and does not decide how long to go on polling.
 */
import { concatBytes, equalBytes, utf8 } from '../core/bytes.ts'
import { mapBounded } from '../core/map-bounded.ts'
import { configuredSources, type DnsSource, type LookupContext, resolverSources } from './dns-source.ts'
import { MAX_PARALLEL_LOOKUPS } from './limits.ts'
import { type Found, lookup } from './lookup.ts'
import { TYPE } from './wire/codes.ts'
import { findZoneServers, hostSource } from './zone-servers.ts'

export interface PropagationQuestion {
  /** Absolute, in lower case, behind any CNAME. */
  readonly name: string
  readonly values: readonly string[]
  /** The zone that was written to; without it, the zone is looked for. */
  readonly zone?: string
  /** `host:port` each: asked instead of the zone's own servers. */
  readonly nameservers?: readonly string[]
  /** The provider's own server: asked where the zone's servers cannot be found. */
  readonly fallbackNameservers?: readonly string[]
  readonly signal?: AbortSignal
}

export interface ServerView {
  readonly server: string
  /**
   * `complete` and `missing` are what it sees. `remembered`: a resolver that repeats an older "there is no such name"
   * (RFC 2308 §5), which says nothing about now. `bogus`: a resolver finds that DNSSEC does not validate, as a CA will.
   * `silent`: no usable answer.
   */
  readonly state: 'complete' | 'missing' | 'remembered' | 'bogus' | 'silent'
  readonly seen: number
  readonly authoritative: boolean
}

export interface PropagationReport {
  /** At least one server shows every value, and none that counts misses one. */
  readonly complete: boolean
  readonly servers: readonly ServerView[]
  /** Plain lines for the order's log. */
  readonly log: readonly string[]
}

/** A view with the line that tells of it. */
interface Observation extends ServerView {
  readonly line: string
}

/** Polls once. */
export async function checkPropagation(
  context: LookupContext,
  question: PropagationQuestion,
): Promise<PropagationReport> {
  const signal = question.signal ?? new AbortController().signal
  if (question.nameservers !== undefined && question.nameservers.length > 0) {
    return reportPreferred(await askAll(configuredSources(context, question.nameservers), question, signal), [])
  }
  const servers = await findZoneServers(context, question.name, question.zone ?? null, signal)
  if (!servers.ok) {
    const { reason, message } = servers.error
    if (reason !== 'bogus' && reason !== 'servfail') return askFallback(context, question, message, signal)
    // A CA's resolver will answer the same, whatever the provider's own server says.
    return { complete: false, servers: [], log: [`the servers of the zone cannot be found: ${message}`] }
  }
  const hosts = servers.value.hosts.map((host) => hostSource(context, host))
  const seen = (await askAll(hosts, question, signal)).map(servingOnly)
  if (seen.every((each) => each.state === 'complete')) {
    return report([...seen, ...(await askWhetherBogus(context, question, signal))], [])
  }
  if (seen.every((each) => each.state !== 'silent') || seen.some((each) => each.state === 'missing')) {
    return report(seen, [])
  }
  // A Worker reaches no Cloudflare address (developers.cloudflare.com/workers/runtime-apis/tcp-sockets), and so not
  // the servers of a zone there; resolvers do.
  const resolved = await askResolvers(resolverSources(context), question, signal)
  return report([...seen, ...resolved], ['not every server of the zone can be asked: asking resolvers too'])
}

/**
 * Name servers validate nothing. A resolver is asked once the values are there, when it can learn nothing that would be
 * wrong later; only that DNSSEC is bogus counts, since it may be behind or out of reach.
 */
async function askWhetherBogus(
  context: LookupContext,
  question: PropagationQuestion,
  signal: AbortSignal,
): Promise<Observation[]> {
  const [resolver] = resolverSources(context)
  const seen = resolver === undefined ? [] : [await observe(resolver, question, signal)]
  return seen.filter(({ state }) => state === 'bogus')
}

async function askFallback(
  context: LookupContext,
  question: PropagationQuestion,
  why: string,
  signal: AbortSignal,
): Promise<PropagationReport> {
  const servers = question.fallbackNameservers ?? []
  if (servers.length === 0) {
    return { complete: false, servers: [], log: [`the servers of the zone cannot be found: ${why}`] }
  }
  const seen = await askAll(configuredSources(context, servers), question, signal)
  return reportPreferred(seen, [`the servers of the zone cannot be found (${why}): asking the provider's own server`])
}

function askAll(
  sources: readonly DnsSource[],
  question: PropagationQuestion,
  signal: AbortSignal,
): Promise<Observed[]> {
  return mapBounded(sources, MAX_PARALLEL_LOOKUPS, (source) => observe(source, question, signal))
}

/**
 * One after another, until one misses a value: a resolver that was asked too early remembers that there was nothing,
 * for half an hour in many zones, so no more of them are asked than it takes to know.
 */
async function askResolvers(
  sources: readonly DnsSource[],
  question: PropagationQuestion,
  signal: AbortSignal,
): Promise<Observation[]> {
  const seen: Observation[] = []
  for (const source of sources) {
    const observation = forgiving(await observe(source, question, signal))
    seen.push(observation)
    if (observation.state === 'missing' || observation.state === 'bogus') break
  }
  return seen
}

interface Observed extends Observation {
  /** How long a denial may be repeated yet; null where it is fresh or none. */
  readonly rememberedSeconds: number | null
}

async function observe(source: DnsSource, question: PropagationQuestion, signal: AbortSignal): Promise<Observed> {
  const { name, values } = question
  const found = await lookup(source, name, TYPE.TXT, signal)
  if (!found.ok) {
    const { reason, message } = found.error
    const isBogus = reason === 'bogus'
    const line = isBogus ? `${source.label} ${message}` : `${source.label} could not be asked: ${message}`
    const state = isBogus ? 'bogus' : 'silent'
    return { server: source.label, state, seen: 0, authoritative: false, line, rememberedSeconds: null }
  }
  const seen = values.filter((value) => holds(found.value, value)).length
  return {
    server: source.label,
    state: seen === values.length ? 'complete' : 'missing',
    seen,
    authoritative: found.value.authoritative,
    line: `${source.label} answered ${seen} of ${values.length} ${values.length === 1 ? 'value' : 'values'}`,
    rememberedSeconds: rememberedFor(found.value),
  }
}

function forgiving(observed: Observed): Observation {
  if (observed.state !== 'missing' || observed.rememberedSeconds === null) return observed
  const line = `${observed.line} from memory, for up to ${observed.rememberedSeconds} seconds more`
  return { ...observed, state: 'remembered', line }
}

/** RFC 8555 §8.4: the value is the whole of a TXT record; RFC 1035 §3.3.14: its strings are one text. */
function holds(found: Found, value: string): boolean {
  const wanted = utf8(value)
  return found.records.some(({ data }) => data.type === TYPE.TXT && equalBytes(concatBytes(...data.strings), wanted))
}

/**
 * RFC 2308 §5: a denial is kept for the SOA's MINIMUM at most, and its SOA is passed on with a TTL that counts down.
 * A TTL below MINIMUM is one that has begun to count.
 */
function rememberedFor({ records, authoritative, denial }: Found): number | null {
  if (records.length > 0 || authoritative || denial === null) return null
  return denial.ttlSeconds < denial.soa.minimumSeconds ? denial.ttlSeconds : null
}

/** RFC 1034 §4.2.1: a server of the zone answers with authority; one that does not was delegated to by mistake. */
function servingOnly(observed: Observed): Observed {
  if (observed.state === 'silent' || observed.authoritative) return observed
  return { ...observed, state: 'silent', line: `${observed.server} does not serve the zone` }
}

/** Where authorities answered, what others remember does not count against them. */
function reportPreferred(seen: readonly Observation[], log: readonly string[]): PropagationReport {
  const authorities = seen.filter((each) => each.authoritative)
  return report(seen, log, authorities.length > 0 ? authorities : seen)
}

function report(
  seen: readonly Observation[],
  log: readonly string[],
  counting: readonly Observation[] = seen,
): PropagationReport {
  const missing = counting.some((each) => each.state === 'missing' || each.state === 'bogus')
  return {
    complete: !missing && counting.some((each) => each.state === 'complete'),
    servers: seen.map(({ server, state, seen: count, authoritative }) => ({
      server,
      state,
      seen: count,
      authoritative,
    })),
    log: [...log, ...seen.map((each) => each.line)],
  }
}
