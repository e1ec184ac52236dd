/** DNS providers as configured: rows and their sealed credentials. Does not know what the settings mean. */
import { and, desc, eq, lt } from 'drizzle-orm'
import { openText, type SealPlace, sealText } from './key-ring.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { dnsProviders } from './schema.ts'
import type { Store } from './store.ts'
import { mustChange, type Statement } from './work.ts'

export type DnsProviderRow = typeof dnsProviders.$inferSelect

/** A provider's row with its inline credentials opened. */
export interface DnsProviderConfig extends Omit<DnsProviderRow, 'sealedCredentials'> {
  readonly credentials: Readonly<Record<string, string>>
}

export async function findDnsProvider(store: Store, tenantId: string, id: string): Promise<DnsProviderConfig | null> {
  const row = await store.db
    .select()
    .from(dnsProviders)
    .where(and(eq(dnsProviders.tenantId, tenantId), eq(dnsProviders.id, id)))
    .get()
  return row === undefined ? null : open(store, row)
}

/** Every provider of a tenant, oldest first: the choice of a provider for a name looks at all of them. */
export function allDnsProviders(store: Store, tenantId: string): Promise<DnsProviderRow[]> {
  return store.db.select().from(dnsProviders).where(eq(dnsProviders.tenantId, tenantId)).orderBy(dnsProviders.id).all()
}

export function listDnsProviders(store: Store, tenantId: string, page: Page): Promise<DnsProviderRow[]> {
  return store.db
    .select()
    .from(dnsProviders)
    .where(and(eq(dnsProviders.tenantId, tenantId), lt(dnsProviders.id, page.before ?? AFTER_EVERY_ID)))
    .orderBy(desc(dnsProviders.id))
    .limit(page.limit)
    .all()
}

/** Adds a provider. */
export async function insertDnsProvider(store: Store, config: DnsProviderConfig): Promise<Statement> {
  return mustChange(store.db.insert(dnsProviders).values(await sealed(store, config)))
}

/** Replaces a provider that has not been changed since `readAtMs` (its `updatedAtMs`). */
export async function updateDnsProvider(store: Store, config: DnsProviderConfig, readAtMs: number): Promise<Statement> {
  const { tenantId, id, ...values } = await sealed(store, config)
  return mustChange(
    store.db
      .update(dnsProviders)
      .set(values)
      .where(and(eq(dnsProviders.tenantId, tenantId), eq(dnsProviders.id, id), eq(dnsProviders.updatedAtMs, readAtMs))),
  )
}

export function deleteDnsProvider(store: Store, tenantId: string, id: string): Statement {
  return mustChange(
    store.db.delete(dnsProviders).where(and(eq(dnsProviders.tenantId, tenantId), eq(dnsProviders.id, id))),
  )
}

async function open(store: Store, { sealedCredentials, ...row }: DnsProviderRow): Promise<DnsProviderConfig> {
  if (sealedCredentials === null) return { ...row, credentials: {} }
  const text = await openText(store.ring, placeOf(row), sealedCredentials)
  return { ...row, credentials: JSON.parse(text) as Record<string, string> }
}

async function sealed(store: Store, { credentials, ...row }: DnsProviderConfig): Promise<DnsProviderRow> {
  const sealedCredentials =
    Object.keys(credentials).length === 0 ? null : await sealText(store.ring, placeOf(row), JSON.stringify(credentials))
  return { ...row, sealedCredentials }
}

function placeOf(row: Pick<DnsProviderRow, 'tenantId' | 'id'>): SealPlace {
  return { tenantId: row.tenantId, column: 'dns_providers.sealed_credentials', row: row.id }
}
