/**
 * TXT values in Cloudflare's zones. Reads what is there, then makes one batch of what is missing or too much; every
 * value is a record of its own there, so other people's are never touched.
 */

import { mapBoundedResults } from '../../core/map-bounded.ts'
import { err, ok, type Result } from '../../core/result.ts'
import type { DnsProvider, DnsProviderError, TxtRecord } from '../dns-provider.ts'
import { MAX_PARALLEL_LOOKUPS } from '../limits.ts'
import { quoteTxt, unquoteTxt } from '../txt-content.ts'
import { createZoneFinder } from '../zone-finder.ts'
import type { FoundZone, ZoneMemo } from '../zone-memo.ts'
import type { CloudflareClient, CloudflareFailure, CloudflareZone } from './client.ts'

/**
 * Changes in one batch on the smallest plan
 * (developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes).
 */
const MAX_BATCH_CHANGES = 200

/** The shortest TTL outside of Enterprise zones (developers.cloudflare.com/dns/manage-dns-records/reference/ttl). */
const MIN_TTL_SECONDS = 60

/** "The record already exists", "An identical record already exists", "Record does not exist". */
const CROSSED_CODES = [81057, 81058, 81044]

/** How often a batch is made anew because another user changed the same records meanwhile. */
const MAX_ATTEMPTS = 3

interface Existing {
  readonly id: string
  readonly name: string
  readonly value: string
}

/** `zoneId` restricts the provider to one zone. */
export function createCloudflareProvider(
  client: CloudflareClient,
  zoneId: string | null,
  memo?: ZoneMemo,
): DnsProvider {
  const zones = createZoneFinder(
    {
      list: async (signal) => foundZones(await client.listZones(null, signal)),
      named: async (name, signal) => foundZones(await client.listZones(name, signal)),
      setting: 'zone_id',
      only: zoneId === null ? null : async (signal) => foundZone(await client.readZone(zoneId, signal)),
      failure: client.failure,
    },
    memo,
  )

  const change = async (
    zone: string,
    records: readonly TxtRecord[],
    apply: (id: string, existing: readonly Existing[]) => Promise<Result<void, CloudflareFailure>>,
    signal: AbortSignal,
  ): Promise<Result<void, DnsProviderError>> => {
    if (records.length === 0) return ok(undefined)
    const id = await zones.idOf(zone, signal)
    if (!id.ok) return id
    for (let attempt = 1; ; attempt += 1) {
      const existing = await readExisting(client, id.value, records, signal)
      if (!existing.ok) return err(existing.error.error)
      const applied = await apply(id.value, existing.value)
      if (applied.ok) return applied
      const crossed = applied.error.codes.some((code) => CROSSED_CODES.includes(code))
      if (!crossed || attempt === MAX_ATTEMPTS) return err(applied.error.error)
    }
  }

  return {
    listZones: zones.list,
    findZone: zones.find,

    present: (zone, records, signal) =>
      change(
        zone,
        records,
        async (id, existing) => {
          const missing = distinct(records).filter((record) => !existing.some((each) => isSame(each, record)))
          const posts = missing.map(({ name, value, ttlSeconds }) => ({
            type: 'TXT' as const,
            name,
            content: quoteTxt(value),
            ttl: Math.max(ttlSeconds, MIN_TTL_SECONDS),
          }))
          return inBatches(posts, (part) => client.batch(id, { posts: part }, 'create TXT', signal))
        },
        signal,
      ),

    cleanUp: (zone, records, signal) =>
      change(
        zone,
        records,
        async (id, existing) => {
          const deletes = existing
            .filter((each) => records.some((record) => isSame(each, record)))
            .map((each) => ({ id: each.id }))
          return inBatches(deletes, (part) => client.batch(id, { deletes: part }, 'delete TXT', signal))
        },
        signal,
      ),
  }
}

/** The TXT values now at the names of these records. */
async function readExisting(
  client: CloudflareClient,
  zoneId: string,
  records: readonly TxtRecord[],
  signal: AbortSignal,
): Promise<Result<readonly Existing[], CloudflareFailure>> {
  const names = [...new Set(records.map(({ name }) => name))]
  const lists = await mapBoundedResults(names, MAX_PARALLEL_LOOKUPS, async (name) => {
    const list = await client.listTxt(zoneId, name, signal)
    return list.ok ? ok(list.value.map(({ id, content }) => ({ id, name, value: unquoteTxt(content) }))) : list
  })
  return lists.ok ? ok(lists.value.flat()) : lists
}

async function inBatches<T>(
  items: readonly T[],
  send: (part: readonly T[]) => Promise<Result<void, CloudflareFailure>>,
): Promise<Result<void, CloudflareFailure>> {
  for (let at = 0; at < items.length; at += MAX_BATCH_CHANGES) {
    const sent = await send(items.slice(at, at + MAX_BATCH_CHANGES))
    if (!sent.ok) return sent
  }
  return ok(undefined)
}

function distinct(records: readonly TxtRecord[]): readonly TxtRecord[] {
  return records.filter((record, index) => records.findIndex((each) => isSame(each, record)) === index)
}

function isSame(a: { name: string; value: string }, b: { name: string; value: string }): boolean {
  return a.name === b.name && a.value === b.value
}

/** Every zone there is public. */
const publicZone = ({ id, name }: CloudflareZone): FoundZone => ({ id, name: name.toLowerCase(), isPrivate: false })

function foundZone(answer: Result<CloudflareZone, CloudflareFailure>): Result<FoundZone, DnsProviderError> {
  return answer.ok ? ok(publicZone(answer.value)) : err(answer.error.error)
}

function foundZones(
  answer: Result<readonly CloudflareZone[], CloudflareFailure>,
): Result<readonly FoundZone[], DnsProviderError> {
  return answer.ok ? ok(answer.value.map(publicZone)) : err(answer.error.error)
}
