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
/** Statements in one run, for all tenants together: an invocation may send 1,000 (platform limit), and has other jobs. The next run is minutes away. */
const MAX_STATEMENTS = 300
/** What a tenant may have of them at least, while there are some: more than it takes to see that nothing is left of it. */
const MIN_SHARE = 100
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
  let left = MAX_STATEMENTS
  const tenants = await tenantsToPurge(dependencies.store, dependencies.now(), MAX_TENANTS)
  for (const [at, tenant] of tenants.entries()) {
    const share = Math.min(left, Math.max(MIN_SHARE, Math.floor(left / (tenants.length - at))))
    const allowance: Allowance = { statements: share }
    try {
      if (await purgeOne(dependencies, tenant, allowance)) gone += 1
    } catch (fault) {
      logFault(`deletion of ${tenant.id}`, fault)
    }
    left -= share - allowance.statements
    if (left <= 0) break
  }
  return gone
}

/** How many statements a tenant's deletion may still send in this run. Its last piece may take two more. */
interface Allowance {
  statements: number
}

/** True where the tenant is gone. */
async function purgeOne(dependencies: PurgeDependencies, tenant: TenantRow, allowance: Allowance): Promise<boolean> {
  const { store, now } = dependencies
  const startedAtMs = tenant.purgeStartedAtMs ?? (await begin(dependencies, tenant))
  if (startedAtMs === null) return false
  const objects = await endObjects(dependencies, tenant.id, allowance)
  // The rows say which objects there are: they stay until the last one has ended.
  if (objects === 'unfinished') return false
  const rows = await runPieces(rowPieces(dependencies, tenant.id), allowance)
  if (objects === 'found' || rows !== 'nothing' || now() < startedAtMs + SETTLED_MS) return false
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

/** What is left behind pieces of work: they have found nothing, or what they found is done, or there is more for the next run. */
type Progress = 'nothing' | 'found' | 'unfinished'

async function runPieces(pieces: readonly (() => Promise<Piece>)[], allowance: Allowance): Promise<Progress> {
  let progress: Progress = 'nothing'
  for (const piece of pieces) {
    for (let state: Piece = 'more'; state === 'more'; ) {
      if (allowance.statements <= 0) return 'unfinished'
      allowance.statements -= 1
      state = await piece()
      if (state !== 'nothing') progress = 'found'
    }
  }
  return progress
}

/** Ends all objects of a tenant. One that fails keeps no other: it is logged, its row stays, and the next run tries it again. */
async function endObjects(
  { store, now, eraseObject }: PurgeDependencies,
  tenantId: string,
  allowance: Allowance,
): Promise<Progress> {
  let failures = 0
  const pieces = OWNERS.map((owner) => {
    let after = ''
    return async (): Promise<Piece> => {
      const page = { after, limit: OBJECTS_PER_PIECE }
      const ids = await ownersOfObjects(store, owner, tenantId, now() - ORDERS_SETTLED_MS, page)
      if (ids.length === 0) return 'nothing'
      allowance.statements -= 2
      after = ids.at(-1) ?? after
      if (owner === 'acmeOrders') await closeOrders(store, tenantId, ids, now())
      const ended: string[] = []
      await mapBounded(ids, CONCURRENCY, async (id) => {
        try {
          await eraseObject[owner](tenantId, id)
          ended.push(id)
        } catch (fault) {
          failures += 1
          logFault(`deletion of ${tenantId}`, fault)
        }
      })
      await deleteOwners(store, owner, tenantId, ended)
      return pieceOf(ids.length, OBJECTS_PER_PIECE)
    }
  })
  const progress = await runPieces(pieces, allowance)
  return failures > 0 ? 'unfinished' : progress
}

function rowPieces({ store, crls }: PurgeDependencies, tenantId: string): (() => Promise<Piece>)[] {
  const lists = async (): Promise<Piece> => ((await crls.removePage(tenantId)) === 0 ? 'nothing' : 'more')
  const rows = TENANT_TABLES.map(
    (table) => async () => pieceOf(await deleteTenantRows(store, table, tenantId, ROWS_PER_PIECE), ROWS_PER_PIECE),
  )
  return [lists, ...rows]
}
