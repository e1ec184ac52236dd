/**
 * The journal's hash chain. One chain per tenant: every entry's hash covers the entry and the hash before it, so that
 * a row that is changed, removed or put in later breaks every hash after it.
 */
import type { Actor } from '../core/actor.ts'
import { sha256, toHex, utf8 } from '../core/bytes.ts'
import { canonicalJson, type Json } from '../core/canonical-json.ts'
import { newId } from '../core/ids.ts'

/** What a use case says happened. No secrets: rows are read by `GET /v1/audit` and sent to subscribers. */
export interface JournalEntry {
  /** `evt_…`, where whoever writes it has to find it again. */
  readonly id?: string
  /** `certificate.issued`, `dns_record_create` … */
  readonly event: string
  /** A token's id, or `system`. */
  readonly actor: string
  /** As in token paths: `pki/certificates/cert_…` */
  readonly resource: string
  readonly detail: { readonly [name: string]: Json }
  readonly requestId: string | null
}

/** The journal entry of what an actor did: names the actor's token and request. */
export function entryBy(
  { tokenId, requestId }: Pick<Actor, 'tokenId' | 'requestId'>,
  entry: Omit<JournalEntry, 'actor' | 'requestId'>,
): JournalEntry {
  return { ...entry, actor: tokenId, requestId }
}

/** The end of a tenant's chain. */
export interface JournalHead {
  readonly seq: number
  readonly hash: string
}

/** A row as it is stored; see the `journal` table. */
export interface JournalRow {
  readonly tenantId: string
  readonly seq: number
  readonly id: string
  readonly event: string
  readonly actor: string
  readonly resource: string
  /** Canonical JSON. */
  readonly detail: string
  readonly requestId: string | null
  readonly atMs: number
  readonly prevHash: string
  readonly hash: string
}

/** What the first entry of a chain follows. */
export const GENESIS: JournalHead = { seq: 0, hash: '0'.repeat(64) }

/** Links an entry to the head. */
export async function chainEntry(
  tenantId: string,
  head: JournalHead,
  entry: JournalEntry,
  nowMs: number,
): Promise<JournalRow> {
  const row = {
    tenantId,
    seq: head.seq + 1,
    id: entry.id ?? newId('event', nowMs),
    event: entry.event,
    actor: entry.actor,
    resource: entry.resource,
    detail: canonicalJson(entry.detail),
    requestId: entry.requestId,
    atMs: nowMs,
    prevHash: head.hash,
  }
  return { ...row, hash: await hashRow(row) }
}

/** The hash that a row must have: SHA-256 of its fields as canonical JSON, in hex. */
async function hashRow(row: Omit<JournalRow, 'hash'>): Promise<string> {
  const { tenantId, seq, id, event, actor, resource, detail, requestId, atMs, prevHash } = row
  const text = canonicalJson([tenantId, seq, id, event, actor, resource, detail, requestId, atMs, prevHash])
  return toHex(await sha256(utf8(text)))
}

/** The first row that does not follow from the one before it, or null where the chain holds. */
export async function findBrokenLink(start: JournalHead, rows: readonly JournalRow[]): Promise<JournalRow | null> {
  let head = start
  for (const row of rows) {
    if (row.seq !== head.seq + 1 || row.prevHash !== head.hash || row.hash !== (await hashRow(row))) return row
    head = row
  }
  return null
}
