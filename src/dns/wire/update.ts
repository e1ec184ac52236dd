/** UPDATE messages (RFC 2136) for TXT values. Each is applied whole or not at all (§3.7). */
import { CLASS, OPCODE, TYPE } from './codes.ts'
import { type DnsMessage, emptyMessage } from './message.ts'
import { type DnsRecord, txtData } from './record.ts'

/** One TXT value of an UPDATE. */
export interface TxtChange {
  readonly name: string
  readonly value: string
  readonly ttlSeconds: number
}

/**
 * Adds values. RFC 2136 §3.4.2.2: one that is there already is not added again. The same section has a server ignore,
 * without a word, a TXT at a name that is a CNAME: a prerequisite (§2.4.3) turns that into YXRRSET.
 */
export function buildAddition(id: number, zone: string, values: readonly TxtChange[]): DnsMessage {
  return {
    ...frame(id, zone),
    answers: [...new Set(values.map((each) => each.name))].map(noCname),
    authorities: values.map(({ name, value, ttlSeconds }) => ({
      name,
      class: CLASS.IN,
      ttlSeconds,
      data: txtData(value),
    })),
  }
}

/** Removes exactly these values; one that is not there is passed over (RFC 2136 §3.4.2.4). */
export function buildRemoval(id: number, zone: string, values: readonly TxtChange[]): DnsMessage {
  return {
    ...frame(id, zone),
    // RFC 2136 §2.5.4: class NONE, TTL zero, the data as they stand in the zone.
    authorities: values.map(({ name, value }) => ({ name, class: CLASS.NONE, ttlSeconds: 0, data: txtData(value) })),
  }
}

/** Changes nothing: asks only that the zone has its SOA (RFC 2136 §2.4.1), which every zone has. */
export function buildProbe(id: number, zone: string): DnsMessage {
  return {
    ...frame(id, zone),
    answers: [{ name: zone, class: CLASS.ANY, ttlSeconds: 0, data: { type: 'empty', typeCode: TYPE.SOA } }],
  }
}

function noCname(name: string): DnsRecord {
  return { name, class: CLASS.NONE, ttlSeconds: 0, data: { type: 'empty', typeCode: TYPE.CNAME } }
}

/** RFC 2136 §2.3: the zone section names one zone, with type SOA. */
function frame(id: number, zone: string): DnsMessage {
  return { ...emptyMessage(id, OPCODE.UPDATE), questions: [{ name: zone, type: TYPE.SOA, class: CLASS.IN }] }
}
