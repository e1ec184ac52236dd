/**
 * Deletes tenants whose time of grace is over, with everything that they have: what Durable Objects hold, CRLs in the object store, the rows
 * of every table, and at the end the tenant's own row. In bounded pieces, each of which finds out from the data what is left: a run
 * that breaks off anywhere is continued by the next one. Tells no CA: accounts are not deactivated, nothing is revoked.
 */
import { systemActor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import { logFault } from '../core/log.ts'
import { mapBounded } from '../core/map-bounded.ts'
import { resourceName } from '../core/resources.ts'
import type { CrlObjects } from '../store/crl-objects.ts'
import { entryBy } from '../store/journal.ts'
import { DEFAULT_TENANT_ID, type Store } from '../store/store.ts'
import {
  beginPurge,
  closeOrders,
  deleteOwners,
  deleteTenant,
  deleteTenantRows,
  type OwnerOfObject,
  ownersOfObjects,
  TENANT_TABLES,
  tenantsToPurge,
} from '../store/tenant-purge.ts'
import type { TenantRow } from '../store/tenants.ts'

/** Ends the Durable Objects of what a tenant has, with all that they store. Each is idempotent. */
export type EraseObject = Readonly<Record<OwnerOfObject, (tenantId: string, id: string) => Promise<void>>>

export interface PurgeDependencies {
  readonly store: Store
  readonly now: Clock
  readonly crls: Pick<CrlObjects, 'removePage'>
  readonly eraseObject: EraseObject
}

const MAX_TENANTS = 10
/** Pieces of one tenant in one run: far below the platform's limit of subrequests, and the next run is minutes away. */
const MAX_PIECES = 200
const ROWS_PER_PIECE = 500
const OBJECTS_PER_PIECE = 20
const CONCURRENCY = 5
/**
 * After this, what was under way when the deletion began has ended: a cron job or an alarm has 15 minutes (platform limit). What it wrote past the
 * ledger until then is found by the last run.
 */
const SETTLED_MS = 20 * 60_000
/** The object of an order that was reported longer ago, and is at its end, has cleared itself. */
const ORDERS_SETTLED_MS = 7 * 86_400_000

/** CAs first: their lists are made every hour. */
const OWNERS: readonly OwnerOfObject[] = ['certificateAuthorities', 'acmeAccounts', 'acmeOrders']

/** Goes on with every deletion that is due. A fault in one does not keep the others. Returns how many tenants are gone. */
export async function purgeTenants(dependencies: PurgeDependencies): Promise<number> {
  let gone = 0
  for (const tenant of await tenantsToPurge(dependencies.store, dependencies.now(), MAX_TENANTS)) {
    try {
      if (await purgeOne(dependencies, tenant)) gone += 1
    } catch (fault) {
      logFault(`deletion of ${tenant.id}`, fault)
    }
  }
  return gone
}

/** True where the tenant is gone. */
async function purgeOne(dependencies: PurgeDependencies, tenant: TenantRow): Promise<boolean> {
  const { store, now } = dependencies
  const startedAtMs = tenant.purgeStartedAtMs ?? (await begin(dependencies, tenant))
  if (startedAtMs === null) return false
  let foundAny = false
  let left = MAX_PIECES
  for (const piece of piecesOf(dependencies, tenant.id)) {
    for (let state: Piece = 'more'; state === 'more'; ) {
      if (left === 0) return false
      left -= 1
      state = await piece()
      if (state !== 'nothing') foundAny = true
    }
  }
  if (foundAny || now() < startedAtMs + SETTLED_MS) return false
  const outcome = await store.commit({
    tenantId: DEFAULT_TENANT_ID,
    statements: [deleteTenant(store, tenant.id)],
    entries: [entryOf(tenant, 'tenant.deleted')],
  })
  return outcome.kind === 'committed'
}

/** Null where another run has begun, or the deletion was taken back at the last moment. */
async function begin({ store, now }: PurgeDependencies, tenant: TenantRow): Promise<number | null> {
  const startedAtMs = now()
  const outcome = await store.commit({
    tenantId: DEFAULT_TENANT_ID,
    statements: [beginPurge(store, tenant.id, startedAtMs)],
    entries: [entryOf(tenant, 'tenant.deletion_started')],
  })
  return outcome.kind === 'committed' ? startedAtMs : null
}

const entryOf = ({ id, name }: TenantRow, event: 'tenant.deletion_started' | 'tenant.deleted') =>
  entryBy(systemActor(DEFAULT_TENANT_ID), {
    event,
    resource: resourceName.tenant(id),
    detail: { tenant_id: id, name },
  })

/** What a piece of work found: nothing, the last of it, or as much as it takes at a time. */
type Piece = 'nothing' | 'last' | 'more'

const pieceOf = (found: number, limit: number): Piece => (found === 0 ? 'nothing' : found < limit ? 'last' : 'more')

function piecesOf({ store, now, crls, eraseObject }: PurgeDependencies, tenantId: string): (() => Promise<Piece>)[] {
  const objects = OWNERS.map((owner) => async () => {
    const settledBeforeMs = now() - ORDERS_SETTLED_MS
    const ids = await ownersOfObjects(store, owner, tenantId, settledBeforeMs, OBJECTS_PER_PIECE)
    if (owner === 'acmeOrders') await closeOrders(store, tenantId, ids)
    await mapBounded(ids, CONCURRENCY, (id) => eraseObject[owner](tenantId, id))
    await deleteOwners(store, owner, tenantId, ids)
    return pieceOf(ids.length, OBJECTS_PER_PIECE)
  })
  const lists = async (): Promise<Piece> => ((await crls.removePage(tenantId)) === 0 ? 'nothing' : 'more')
  const rows = TENANT_TABLES.map(
    (table) => async () => pieceOf(await deleteTenantRows(store, table, tenantId, ROWS_PER_PIECE), ROWS_PER_PIECE),
  )
  return [...objects, lists, ...rows]
}
