/** The name servers of a zone as the public DNS has them: which zone, which servers, at which addresses. */
import { err, ok, type Result } from '../core/result.ts'
import { checkPublicHost } from '../core/targets.ts'
import { type DnsSource, type LookupContext, resolverSources, serverSource } from './dns-source.ts'
import { DNS_PORT } from './host-port.ts'
import { MAX_ADDRESSES_PER_SERVER, MAX_NAME_SERVERS } from './limits.ts'
import { type Found, type LookupFailure, lookupFirst } from './lookup.ts'
import { TYPE } from './wire/codes.ts'
import { isWithin, parentOf } from './wire/name.ts'

export type ZoneServersFailure =
  /** No resolver gave an answer; `bogus` and `servfail` say that one answered, and that a CA's will do the same. */
  | LookupFailure
  /** The public DNS has no such zone: it is private, or not delegated yet. */
  | { readonly reason: 'not_public'; readonly message: string }

export interface ZoneServers {
  readonly zone: string
  readonly hosts: readonly string[]
}

/** The hosts that serve `zone`, or, where that is null, the zone that holds `name`. */
export async function findZoneServers(
  context: LookupContext,
  name: string,
  zone: string | null,
  signal: AbortSignal,
): Promise<Result<ZoneServers, ZoneServersFailure>> {
  const apex = zone === null ? await findPublicZone(context, name, signal) : ok(zone)
  if (!apex.ok) return apex
  const found = await lookupShared(context, apex.value, TYPE.NS, signal)
  if (!found.ok) return found
  const hosts = found.value.records.flatMap(({ data }) => (data.type === TYPE.NS ? [data.target] : []))
  if (hosts.length === 0) {
    return err({ reason: 'not_public', message: `the public DNS has no zone ${apex.value}` })
  }
  return ok({ zone: apex.value, hosts: [...new Set(hosts)].sort().slice(0, MAX_NAME_SERVERS) })
}

/**
 * Starts above the first label: to ask for the name itself would leave "there is no such name" in the resolvers'
 * memory for as long as the zone's SOA says (RFC 2308 §5), while its TXT value is on its way.
 */
async function findPublicZone(
  context: LookupContext,
  name: string,
  signal: AbortSignal,
): Promise<Result<string, ZoneServersFailure>> {
  for (let at = parentOf(name); at !== null && at !== ''; at = parentOf(at)) {
    const found = await lookupShared(context, at, TYPE.SOA, signal)
    if (!found.ok) return found
    const owner = found.value.records[0]?.name ?? found.value.denial?.zone
    if (owner === undefined || !isWithin(at, owner)) continue
    // A denial by the root or by a top-level domain means that nothing below it is delegated.
    if (!owner.includes('.')) break
    return ok(owner)
  }
  return err({ reason: 'not_public', message: `the public DNS has no zone for ${name}` })
}

/**
 * The server as a source that looks its addresses up when it is first asked, IPv4 before IPv6, and tries a few of
 * them. Private addresses are passed over unless they are allowed: what stands there is the zone owner's choice.
 */
export function hostSource(context: LookupContext, host: string): DnsSource {
  return {
    label: host,
    async ask(name, type, signal) {
      let failure = 'has no address'
      for (const addressType of [TYPE.A, TYPE.AAAA]) {
        const found = await lookupShared(context, host, addressType, signal)
        if (!found.ok) {
          failure = `its address is not known: ${found.error.message}`
          continue
        }
        const addresses = found.value.records.flatMap(({ data }) =>
          data.type === TYPE.A || data.type === TYPE.AAAA ? [data.address] : [],
        )
        for (const address of addresses.slice(0, MAX_ADDRESSES_PER_SERVER)) {
          const allowed = context.allowPrivateTargets ? ok(undefined) : checkPublicHost(address)
          const target = { hostname: address, port: context.nameServerPort ?? DNS_PORT }
          const answer = allowed.ok ? await serverSource(context, target, host).ask(name, type, signal) : allowed
          if (answer.ok) return answer
          failure = answer.error
        }
      }
      return err(failure)
    },
  }
}

/** What resolvers have said about zones and their servers, for as long as a context lives: one run of an order. */
const answersOf = new WeakMap<LookupContext, Map<string, Promise<Result<Found, LookupFailure>>>>()

/** Asks the resolvers, once for all who want to know the same. Only answers with records are kept. */
function lookupShared(
  context: LookupContext,
  name: string,
  type: number,
  signal: AbortSignal,
): Promise<Result<Found, LookupFailure>> {
  const answers = answersOf.get(context) ?? new Map<string, Promise<Result<Found, LookupFailure>>>()
  answersOf.set(context, answers)
  const key = `${type} ${name}`
  const known = answers.get(key)
  if (known !== undefined) return known
  const asking = lookupFirst(resolverSources(context), name, type, signal).then((found) => {
    if (!found.ok || found.value.records.length === 0) answers.delete(key)
    return found
  })
  answers.set(key, asking)
  return asking
}
