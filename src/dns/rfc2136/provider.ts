/**
 * TXT values by DNS UPDATE (RFC 2136) over TCP, signed with TSIG (RFC 8945): BIND, Knot, PowerDNS and whatever else
 * takes both. Cannot list zones, since DNS has no question for that.
 */
import { err, ok, type Result } from '../../core/result.ts'
import type { DnsProvider, DnsProviderError, TxtRecord } from '../dns-provider.ts'
import { MAX_UPDATE_RECORDS } from '../limits.ts'
import { CLASS, OPCODE, RCODE, rcodeName, TYPE } from '../wire/codes.ts'
import { type DnsMessage, emptyMessage } from '../wire/message.ts'
import { isWithin, parentOf, parseName } from '../wire/name.ts'
import type { DnsRecord } from '../wire/record.ts'
import { buildAddition, buildProbe, buildRemoval } from '../wire/update.ts'
import { type Rfc2136Client, randomMessageId } from './client.ts'

export function createRfc2136Provider(client: Rfc2136Client): DnsProvider {
  return {
    listZones: async () => ok([]),

    async findZone(name, signal) {
      const parsed = parseName(name)
      if (!parsed.ok) return err(client.failure('no_zone', 'find zone', `was not asked: ${parsed.error}`))
      for (let at: string | null = parsed.value; at !== null && at !== ''; at = parentOf(at)) {
        const answer = await client.ask(soaQuery(at), `find the zone of ${parsed.value}`, signal)
        if (!answer.ok) return answer
        // Else an expired zone would be passed over, and the value written where no resolver asks.
        if (answer.value.rcode === RCODE.SERVFAIL) {
          return err(client.failure('unavailable', `find the zone of ${parsed.value}`, `answered SERVFAIL for ${at}`))
        }
        const zone = zoneIn(answer.value, at)
        if (zone !== null) return ok(zone)
        const delegated = delegationIn(answer.value, at)
        if (delegated === null) continue
        const message = `has delegated ${delegated} to other servers: configure those`
        return err(client.failure('no_zone', `find the zone of ${parsed.value}`, message))
      }
      return err(client.failure('no_zone', `find the zone of ${parsed.value}`, 'serves no zone that holds it'))
    },

    present: (zone, records, signal) =>
      update(client, 'add TXT', zone, records, signal, (id, part) => buildAddition(id, zone, part)),

    cleanUp: (zone, records, signal) =>
      update(client, 'remove TXT', zone, records, signal, (id, part) => buildRemoval(id, zone, part)),

    async checkZone(zone, signal) {
      // An UPDATE without a change still has to pass the signature, the zone and, in BIND with allow-update, the
      // access list (RFC 2136 §3.3). BIND's update-policy is looked at per change, so it is not proved by this.
      const answer = await client.ask(buildProbe(randomMessageId(), zone), `check zone ${zone}`, signal)
      return answer.ok ? outcome(client, answer.value, `check zone ${zone}`, zone) : answer
    },
  }
}

async function update(
  client: Rfc2136Client,
  what: string,
  zone: string,
  records: readonly TxtRecord[],
  signal: AbortSignal,
  build: (id: number, part: readonly TxtRecord[]) => DnsMessage,
): Promise<Result<void, DnsProviderError>> {
  for (let at = 0; at < records.length; at += MAX_UPDATE_RECORDS) {
    const part = records.slice(at, at + MAX_UPDATE_RECORDS)
    const answer = await client.ask(build(randomMessageId(), part), what, signal)
    if (!answer.ok) return answer
    const done = outcome(client, answer.value, what, zone)
    if (!done.ok) return done
  }
  return ok(undefined)
}

/** RFC 2136 §2.2: what an UPDATE's RCODE means. */
function outcome(
  client: Rfc2136Client,
  { rcode }: DnsMessage,
  what: string,
  zone: string,
): Result<void, DnsProviderError> {
  const fail = (kind: DnsProviderError['kind'], meaning: string) =>
    err(client.failure(kind, what, `answered ${rcodeName(rcode)}: ${meaning}`))
  switch (rcode) {
    case RCODE.NOERROR:
      return ok(undefined)
    case RCODE.REFUSED:
      return fail('unauthorized', `this key may not change zone ${zone}; see allow-update or update-policy there`)
    case RCODE.NOTAUTH:
      return fail('no_zone', `it is not the primary server of zone ${zone}`)
    case RCODE.NOTZONE:
      return fail('no_zone', `a name is not in zone ${zone}`)
    case RCODE.SERVFAIL:
      return fail('unavailable', 'it could not do it now')
    case RCODE.YXRRSET:
      return fail('refused', 'a name is a CNAME, and beside a CNAME nothing else may stand (RFC 1034 §3.6.2)')
    default:
      return fail('refused', 'it does not do that')
  }
}

function soaQuery(name: string): DnsMessage {
  const questions = [{ name, type: TYPE.SOA, class: CLASS.IN }]
  return { ...emptyMessage(randomMessageId(), OPCODE.QUERY), questions }
}

/**
 * The zone of `name`, where an authoritative answer shows it: its SOA is the answer at the apex and stands in the
 * authority section below it (RFC 2308 §3). The SOA of the zone that a CNAME leads to is another one, and the root is
 * nobody's to change.
 */
function zoneIn(answer: DnsMessage, name: string): string | null {
  if (!answer.authoritative) return null
  const isZone = (record: DnsRecord): boolean =>
    record.data.type === TYPE.SOA && record.name !== '' && isWithin(name, record.name)
  return [...answer.answers, ...answer.authorities].find(isZone)?.name ?? null
}

/** The name that is delegated away, where the answer is a referral (RFC 1034 §4.3.2 step 3b). */
function delegationIn(answer: DnsMessage, name: string): string | null {
  if (answer.authoritative || answer.rcode !== RCODE.NOERROR || answer.answers.length > 0) return null
  const isCut = (record: DnsRecord): boolean =>
    record.data.type === TYPE.NS && record.name !== '' && isWithin(name, record.name)
  return answer.authorities.find(isCut)?.name ?? null
}
