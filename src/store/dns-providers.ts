/** DNS providers as configured: rows and their sealed credentials. Does not know what the settings mean. */
import { and, desc, eq, isNull, lt, lte, notExists, or, sql } from 'drizzle-orm'
import { logFault } from '../core/log.ts'
import { openText, type SealPlace, sealText } from './key-ring.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { dnsProviders } from './schema/dns.ts'
import type { Store } from './store.ts'
import {
  type Decoded,
  decodedPage,
  decodedRow,
  decodedRows,
  decodeJson,
  settingsSchema,
  Undecodable,
  UndecodableRow,
  withNulls,
} from './stored-json.ts'
import { mustChange, precondition, type Statement, statement } from './transaction.ts'

export type DnsProviderRow = Decoded<typeof dnsProviders.$inferSelect>

/** A provider's row with its inline credentials opened. */
export interface DnsProviderConfig
  extends Omit<DnsProviderRow, 'sealedCredentials' | 'usedSecrets' | 'removingAtMs'>,
    Partial<Pick<DnsProviderRow, 'usedSecrets' | 'removingAtMs'>> {
  /** Null where they cannot be opened: sealed under a key that the ring no longer has, or damaged. */
  readonly credentials: Readonly<Record<string, string>> | null
}

export async function findDnsProvider(store: Store, tenantId: string, id: string): Promise<DnsProviderConfig | null> {
  const row = await store.db
    .select()
    .from(dnsProviders)
    .where(and(eq(dnsProviders.tenantId, tenantId), eq(dnsProviders.id, id)))
    .get()
  return row === undefined ? null : openDnsProvider(store, decodedRow(dnsProviders, id, row))
}

/** What the removal of a provider needs. `managedZones` is null also where it does not decode. */
export interface RemovableProvider
  extends Pick<DnsProviderRow, 'tenantId' | 'id' | 'name' | 'type' | 'managedZones' | 'removingAtMs'> {
  /** Did all of its row decode? Else no record can be removed through it, and it is removed all the same. */
  readonly isReadable: boolean
}

export async function findRemovableProvider(
  store: Store,
  tenantId: string,
  id: string,
): Promise<RemovableProvider | null> {
  const row = await store.db
    .select()
    .from(dnsProviders)
    .where(and(eq(dnsProviders.tenantId, tenantId), eq(dnsProviders.id, id)))
    .get()
  if (row === undefined) return null
  const known = withNulls(dnsProviders, row)
  const { name, type, managedZones, removingAtMs } = known
  return { tenantId, id, name, type, managedZones, removingAtMs, isReadable: known === row }
}

/** The ids of a tenant's providers, of those too whose rows do not decode. */
export async function dnsProviderIds(store: Store, tenantId: string): Promise<readonly string[]> {
  const rows = await store.db
    .select({ id: dnsProviders.id })
    .from(dnsProviders)
    .where(eq(dnsProviders.tenantId, tenantId))
    .all()
  return rows.map(({ id }) => id)
}

/** Every provider of a tenant, oldest first: the choice of a provider for a name looks at all of them. */
export async function allDnsProviders(store: Store, tenantId: string): Promise<DnsProviderRow[]> {
  const rows = await store.db
    .select()
    .from(dnsProviders)
    .where(eq(dnsProviders.tenantId, tenantId))
    .orderBy(dnsProviders.id)
    .all()
  return decodedRows(dnsProviders, rows)
}

export function listDnsProviders(store: Store, tenantId: string, page: Page): Promise<DnsProviderRow[]> {
  return decodedPage(dnsProviders, page, ({ before, limit }) =>
    store.db
      .select()
      .from(dnsProviders)
      .where(and(eq(dnsProviders.tenantId, tenantId), lt(dnsProviders.id, before ?? AFTER_EVERY_ID)))
      .orderBy(desc(dnsProviders.id))
      .limit(limit)
      .all(),
  )
}

/** Adds a provider. */
export async function insertDnsProvider(store: Store, config: DnsProviderConfig): Promise<Statement> {
  return mustChange(store.db.insert(dnsProviders).values(await sealed(store, config)))
}

/** Replaces a provider that has not been changed since `readAtMs` (its `updatedAtMs`). */
export async function updateDnsProvider(store: Store, config: DnsProviderConfig, readAtMs: number): Promise<Statement> {
  // Which uses of secrets are journaled, and a removal, are written by others meanwhile.
  const { tenantId, id, usedSecrets: _used, removingAtMs: _removing, ...values } = await sealed(store, config)
  return mustChange(
    store.db
      .update(dnsProviders)
      .set(values)
      .where(and(eq(dnsProviders.tenantId, tenantId), eq(dnsProviders.id, id), eq(dnsProviders.updatedAtMs, readAtMs))),
  )
}

/** Notes versions of secrets whose use by the provider is journaled with this. No change of the provider itself. */
export function noteUsedSecrets(
  store: Store,
  { tenantId, id }: Pick<DnsProviderRow, 'tenantId' | 'id'>,
  usedSecrets: Readonly<Record<string, number>>,
): Statement {
  return statement(
    store.db
      .update(dnsProviders)
      .set({ usedSecrets })
      .where(and(eq(dnsProviders.tenantId, tenantId), eq(dnsProviders.id, id))),
  )
}

/** A removal that was not gone on with for this long was cut off, and counts no more. */
export const REMOVAL_PATIENCE_MS = 300_000

/** Is it being removed right now? */
export function isBeingRemoved({ removingAtMs }: Pick<DnsProviderConfig, 'removingAtMs'>, nowMs: number): boolean {
  return removingAtMs !== null && removingAtMs !== undefined && nowMs - removingAtMs < REMOVAL_PATIENCE_MS
}

/** Begins a removal: from now on it takes no new records. A conflict while another removal is under way. */
export function beginRemoval(
  store: Store,
  { tenantId, id }: Pick<DnsProviderRow, 'tenantId' | 'id'>,
  nowMs: number,
): Statement {
  return mustChange(
    store.db
      .update(dnsProviders)
      .set({ removingAtMs: nowMs })
      .where(
        and(
          eq(dnsProviders.tenantId, tenantId),
          eq(dnsProviders.id, id),
          or(isNull(dnsProviders.removingAtMs), lte(dnsProviders.removingAtMs, nowMs - REMOVAL_PATIENCE_MS)),
        ),
      ),
  )
}

/** Goes on with the removal that was last marked at `ownMs`, or gives it up (null). A conflict where it is another's by now. */
export function markRemoval(
  store: Store,
  { tenantId, id }: Pick<DnsProviderRow, 'tenantId' | 'id'>,
  ownMs: number,
  removingAtMs: number | null,
): Statement {
  return mustChange(
    store.db
      .update(dnsProviders)
      .set({ removingAtMs })
      .where(and(eq(dnsProviders.tenantId, tenantId), eq(dnsProviders.id, id), eq(dnsProviders.removingAtMs, ownMs))),
  )
}

/** Ends the removal that was last marked at `ownMs`: the provider is gone. A conflict where it is another's by now. */
export function deleteDnsProvider(
  store: Store,
  { tenantId, id }: Pick<DnsProviderRow, 'tenantId' | 'id'>,
  ownMs: number,
): Statement {
  return mustChange(
    store.db
      .delete(dnsProviders)
      .where(and(eq(dnsProviders.tenantId, tenantId), eq(dnsProviders.id, id), eq(dnsProviders.removingAtMs, ownMs))),
  )
}

/** The row with its credentials opened. Never throws for credentials that cannot be: one provider stops no other one. */
export async function openDnsProvider(
  store: Store,
  { sealedCredentials, ...row }: DnsProviderRow,
): Promise<DnsProviderConfig> {
  if (sealedCredentials === null) return { ...row, credentials: {} }
  try {
    const text = await openText(store.ring, placeOf(row), sealedCredentials)
    const credentials = decodeJson('sealed_credentials', settingsSchema, text)
    if (!(credentials instanceof Undecodable)) return { ...row, credentials }
    logFault('stored row', new UndecodableRow(dnsProviders, row.id, credentials))
    return { ...row, credentials: null }
  } catch {
    return { ...row, credentials: null }
  }
}

type SealedRow = Omit<DnsProviderConfig, 'credentials'> & Partial<Pick<DnsProviderRow, 'sealedCredentials'>>

/** Credentials that could not be opened stay as they are stored. */
async function sealed(store: Store, { credentials, ...row }: DnsProviderConfig): Promise<SealedRow> {
  if (credentials === null) return row
  const sealedCredentials =
    Object.keys(credentials).length === 0 ? null : await sealText(store.ring, placeOf(row), JSON.stringify(credentials))
  return { ...row, sealedCredentials }
}

function placeOf(row: Pick<DnsProviderRow, 'tenantId' | 'id'>): SealPlace {
  return { tenantId: row.tenantId, column: 'dns_providers.sealed_credentials', row: row.id }
}

/** The providers of a tenant with a setting that refers to that secret, by id and name. */
export function providersReferringTo(
  store: Store,
  tenantId: string,
  path: string,
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  return referring(store, tenantId, path).orderBy(dnsProviders.id).all()
}

/** Undoes the batch where a provider refers to that secret. */
export function mustBeUnreferenced(store: Store, tenantId: string, path: string): Statement {
  const found = referring(store, tenantId, path)
  return precondition(store.db.select({ is: sql`1` }).from(sql`(SELECT 1)`).where(notExists(found)))
}

/** Settings that end in `_path` refer to `path` or `path#field`. A row whose settings are no JSON refers to nothing that can be read. */
const referring = (store: Store, tenantId: string, path: string) =>
  store.db
    .select({ id: dnsProviders.id, name: dnsProviders.name })
    .from(dnsProviders)
    .where(
      and(
        eq(dnsProviders.tenantId, tenantId),
        sql`EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid(${dnsProviders.settings}) THEN ${dnsProviders.settings} ELSE '{}' END) AS setting
          WHERE substr(setting.key, -5) = '_path'
            AND (setting.value = ${path} OR substr(setting.value, 1, length(${path}) + 1) = ${path} || '#'))`,
      ),
    )
    .$dynamic()
