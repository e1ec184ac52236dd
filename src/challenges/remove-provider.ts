/**
 * Removing a DNS provider: not while orders or certificates need it, unless its owner insists; then its TXT records go
 * first. While it is being removed it takes no new records, so none is left behind by an order that starts meanwhile.
 */
import { isAnsweredInDns } from '../acme/challenge.ts'
import type { Actor } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import { mapBounded } from '../core/map-bounded.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import type { Result } from '../core/result.ts'
import { noOpenOrdersBut, OPEN_STATUSES, ordersCleaningUp, ordersOfStatus } from '../store/acme-orders.ts'
import {
  allDnsProviders,
  type DnsProviderRow,
  findRemovableProvider,
  isBeingRemoved,
  type RemovableProvider,
} from '../store/dns-providers.ts'
import { type AcmeRenewal, acmeCertificatesOf } from '../store/due-renewals.ts'
import type { OrderRequest } from '../store/order-request.ts'
import { zonesOfProvider } from '../store/zones.ts'
import type { ProviderDependencies } from './dependencies.ts'
import { servesDomain } from './provider-choice.ts'
import { leaseRemoval, type RemovalLease } from './removal-lease.ts'

export type RemovalDependencies = ProviderDependencies & {
  readonly orders: (tenantId: string, orderId: string) => RecordHolder
}

/** An order, which holds the TXT records of its challenges. */
export interface RecordHolder {
  /** How many TXT records the order has, or may have, at that DNS provider. */
  recordsAt(providerId: string): Promise<number>
  /** Removes these. The order goes on: where it still needs a record, it looks for another provider. */
  withdraw(providerId: string): Promise<Result<void, PeerFailure>>
}

/** An order that appears while the others are read makes the removal read them again, at most so often. */
const MAX_ROUNDS = 3
const PER_PAGE = 200
/** How many orders are asked at once. */
const MAX_AT_ONCE = 5
/** Where so many need the provider, no more are counted. */
const MAX_COUNTED = 100

interface Removal extends RemovalDependencies {
  readonly tenantId: string
  readonly config: RemovableProvider
  readonly lease: RemovalLease
}

/** Removes a provider; with `force` whatever needs it. Throws `not_found`, `conflict`, or `backend_error`. */
export async function removeProvider(
  dependencies: RemovalDependencies,
  actor: Actor,
  id: string,
  force: boolean,
): Promise<void> {
  const { store } = dependencies
  const { tenantId } = actor
  const config = await findRemovableProvider(store, tenantId, id)
  if (config === null) throw new AppError('not_found', `There is no DNS provider ${id}`)
  const lease = await leaseRemoval(dependencies, config)
  const removal = { ...dependencies, tenantId, config, lease }
  try {
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const { seen, unclean } = force ? await withdrawRecords(removal) : await refuseUsed(removal)
      const told = unclean.slice(0, MAX_COUNTED)
      if (await lease.remove(actor, [noOpenOrdersBut(store, tenantId, seen)], told)) return
    }
    throw new AppError('conflict', 'Orders keep coming that may need the provider: try again')
  } catch (error) {
    await lease.release()
    throw error
  }
}

type OpenOrder = Awaited<ReturnType<typeof ordersOfStatus>>[number]

/** Calls `visit` with the open orders, page by page, until it says that it has seen enough; the ids of all that it saw. */
async function eachPageOfOrders(
  { store, tenantId }: Removal,
  visit: (page: readonly OpenOrder[]) => Promise<boolean>,
): Promise<readonly string[]> {
  const seen: string[] = []
  for (const status of OPEN_STATUSES) {
    for (let after: string | undefined = ''; after !== undefined; ) {
      const page: readonly OpenOrder[] = await ordersOfStatus(store, tenantId, status, after, PER_PAGE)
      seen.push(...page.map(({ id }) => id))
      if (!(await visit(page))) return seen
      after = page.length < PER_PAGE ? undefined : page.at(-1)?.id
    }
  }
  return seen
}

/** Calls `work` with the orders that have their verdict and records to remove yet, a few at once. Throws the first error. */
async function eachCleanUp(
  { store, tenantId, lease }: Removal,
  work: (orderId: string) => Promise<void>,
): Promise<void> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const ids: readonly string[] = await ordersCleaningUp(store, tenantId, after, PER_PAGE)
    await mapBounded(ids, MAX_AT_ONCE, async (id) => {
      await lease.renew()
      await work(id)
    })
    after = ids.length < PER_PAGE ? undefined : ids.at(-1)
  }
}

/** What was read before the provider is deleted. */
interface Round {
  /** The open orders. */
  readonly seen: readonly string[]
  /** Orders whose records the provider did not let be removed. */
  readonly unclean: readonly string[]
}

/** Throws `conflict` where open orders, certificates or records that are to be removed yet need the provider. */
async function refuseUsed(removal: Removal): Promise<Round> {
  const { store, tenantId, config, lease, orders, now } = removal
  // Another one that is being removed is no help.
  const all = await allDnsProviders(store, tenantId)
  const rows = all.filter((row) => row.id === config.id || !isBeingRemoved(row, now()))
  let needing = 0
  const seen = await eachPageOfOrders(removal, async (page) => {
    await eachAtOnce(removal, page, async (orderId, request) => {
      if (needing >= MAX_COUNTED) return
      const needs =
        needsProvider(rows, request, config.id) || (await orders(tenantId, orderId).recordsAt(config.id)) > 0
      if (needs) needing += 1
    })
    return needing < MAX_COUNTED
  })
  let unclean = 0
  await eachCleanUp(removal, async (orderId) => {
    if (unclean < MAX_COUNTED && (await orders(tenantId, orderId).recordsAt(config.id)) > 0) unclean += 1
  })
  let renewed = 0
  for (let after: string | undefined = ''; after !== undefined && renewed < MAX_COUNTED; ) {
    await lease.renew()
    const page: readonly AcmeRenewal[] = await acmeCertificatesOf(store, tenantId, after, PER_PAGE)
    renewed += page.filter(
      ({ autoRenew, openOrderId, request }) =>
        autoRenew && openOrderId === null && needsProvider(rows, request, config.id),
    ).length
    after = page.length < PER_PAGE ? undefined : page.at(-1)?.id
  }
  const zones = (await zonesOfProvider(store, tenantId, config.id, MAX_COUNTED)).length
  if (needing + unclean + renewed + zones > 0) throw inUse(config.name, needing, unclean, renewed, zones)
  return { seen, unclean: [] }
}

function inUse(name: string, orders: number, unclean: number, certificates: number, zones: number): AppError {
  const count = (many: number, one: string, more: string): string[] => {
    if (many === 0) return []
    if (many >= MAX_COUNTED) return [`${MAX_COUNTED} or more ${more}`]
    return [`${many} ${many === 1 ? one : more}`]
  }
  const users = [
    ...count(orders, 'open order', 'open orders'),
    ...count(unclean, 'order that still removes its records', 'orders that still remove their records'),
    ...count(certificates, 'certificate that renews itself', 'certificates that renew themselves'),
    ...count(zones, 'imported zone', 'imported zones'),
  ]
  return new AppError(
    'conflict',
    `The DNS provider ${name} is needed by ${users.join(' and ')}: configure another one for these zones first, or add ?force=true`,
  )
}

/** Has every order take its records away from the provider. */
async function withdrawRecords(removal: Removal): Promise<Round> {
  const { tenantId, config, orders } = removal
  const unclean: string[] = []
  const withdraw = async (orderId: string): Promise<void> => {
    if (!config.isReadable) {
      if ((await orders(tenantId, orderId).recordsAt(config.id)) > 0) unclean.push(orderId)
      return
    }
    const withdrawn = await orders(tenantId, orderId).withdraw(config.id)
    if (withdrawn.ok) return
    const { message, transient } = withdrawn.error
    // A provider that cannot be used any more keeps nothing from being removed; one that fails in passing does.
    if (transient) {
      throw new AppError('backend_error', `Its TXT records could not be removed, so the provider stays: ${message}`)
    }
    unclean.push(orderId)
  }
  const seen = await eachPageOfOrders(removal, async (page) => {
    await eachAtOnce(removal, page, withdraw)
    return true
  })
  await eachCleanUp(removal, withdraw)
  return { seen, unclean }
}

/** For each order that may have records there, a few at once. Throws the first error. */
async function eachAtOnce(
  { config, lease }: Removal,
  page: readonly OpenOrder[],
  work: (orderId: string, request: OrderRequest | null) => Promise<void>,
): Promise<void> {
  const concerned = page.filter(({ request }) => mayUse(request, config.id))
  await mapBounded(concerned, MAX_AT_ONCE, async ({ id, request }) => {
    await lease.renew()
    await work(id, request)
  })
}

/** Is the order answered in DNS, and may this provider serve it? One whose request cannot be read may: its object knows its records. */
function mayUse(request: OrderRequest | null, id: string): boolean {
  if (request === null) return true
  return isInDns(request) && (request.dnsProviderIds?.includes(id) ?? true)
}

function isInDns(request: OrderRequest | null): boolean {
  if (request === null || request.solver === 'manual') return false
  return isAnsweredInDns(request.challengeType)
}

/**
 * Would a name be without a provider if that one went? By managed zones. A name that none of them covers is delegated, or
 * served by what credentials know: it needs a provider without zones, and the last one that is left.
 */
function needsProvider(rows: readonly DnsProviderRow[], request: OrderRequest | null, id: string): boolean {
  if (request === null || !isInDns(request)) return false
  const allowed = rows.filter((row) => request.dnsProviderIds?.includes(row.id) ?? true)
  const own = allowed.find((row) => row.id === id)
  if (own === undefined) return false
  const others = allowed.filter((row) => row.id !== id)
  return request.domains.some((domain) => {
    const name = domain.replace(/^\*\./, '')
    if (others.some((row) => servesDomain(row, name))) return false
    return servesDomain(own, name) || (own.managedZones ?? []).length === 0 || others.length === 0
  })
}
