/**
 * Removing a DNS provider: not while orders or certificates need it, unless its owner insists; then its TXT records go
 * first. While it is being removed it takes no new records, so none is left behind by an order that starts meanwhile.
 */
import type { Actor } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import { noOpenOrdersBut, openOrdersOf } from '../store/acme-orders.ts'
import { acmeCertificatesOf } from '../store/certificates.ts'
import { allDnsProviders, type DnsProviderRow, deleteDnsProvider, markRemoving } from '../store/dns-providers.ts'
import { providerEntry, requireProvider } from './dns-providers.ts'
import type { OrderObjects } from './objects.ts'
import type { OrderRequest } from './order-request.ts'
import { closeness } from './provider-choice.ts'
import type { ProviderDependencies } from './provider-config.ts'

export type RemovalDependencies = ProviderDependencies & {
  readonly orders: Pick<OrderObjects, 'recordsAt' | 'withdraw'>
}

/** Orders that appear while the others are looked at make it look again. */
const MAX_LOOKS = 3

/** Removes a provider; with `force` whatever needs it. Throws `not_found`, `conflict`, or `backend_error`. */
export async function removeProvider(
  dependencies: RemovalDependencies,
  actor: Actor,
  id: string,
  force: boolean,
): Promise<void> {
  const { store, now } = dependencies
  const { tenantId } = actor
  const config = await requireProvider(dependencies, tenantId, id)
  const mark = (atMs: number | null) =>
    store.commit({ tenantId, statements: [markRemoving(store, config, atMs)], entries: [] })
  if ((await mark(now())).kind !== 'committed') throw gone(id)
  try {
    for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
      const use = await findUse(dependencies, tenantId, id)
      if (!force && use.orders.length + use.certificates > 0) throw inUse(config.name, use)
      if (force) await withdrawAll(dependencies, tenantId, id, use.open)
      const outcome = await store.commit({
        tenantId,
        statements: [deleteDnsProvider(store, tenantId, id), noOpenOrdersBut(store, tenantId, use.open)],
        entries: [providerEntry('dns_provider.deleted', actor, config)],
      })
      if (outcome.kind === 'committed') return
      if (!(await allDnsProviders(store, tenantId)).some((row) => row.id === id)) throw gone(id)
    }
    throw new AppError('conflict', 'Orders keep coming that may need the provider: try again')
  } catch (error) {
    await mark(null)
    throw error
  }
}

const gone = (id: string): AppError => new AppError('not_found', `There is no DNS provider ${id}`)

interface ProviderUse {
  /** Orders that answer challenges in DNS and are not at their end. */
  readonly open: readonly string[]
  /** Those of them that need this provider. */
  readonly orders: readonly string[]
  /** Certificates whose renewal needs it. */
  readonly certificates: number
}

function inUse(name: string, { orders, certificates }: ProviderUse): AppError {
  const count = (many: number, one: string, more: string) => (many === 0 ? [] : [`${many} ${many === 1 ? one : more}`])
  const users = [
    ...count(orders.length, 'open order', 'open orders'),
    ...count(certificates, 'certificate that renews itself', 'certificates that renew themselves'),
  ]
  return new AppError(
    'conflict',
    `The DNS provider ${name} is needed by ${users.join(' and ')}: configure another one for these zones first, or add ?force=true`,
  )
}

async function findUse(dependencies: RemovalDependencies, tenantId: string, id: string): Promise<ProviderUse> {
  const { store, orders } = dependencies
  const rows = await allDnsProviders(store, tenantId)
  const running = await openOrdersOf(store, tenantId)
  const certificates = await acmeCertificatesOf(store, tenantId)
  // An order that is at its end but for its records is open for its certificate alone.
  const ending = certificates.flatMap(({ openOrderId, request }) =>
    openOrderId === null ? [] : [{ id: openOrderId, request }],
  )
  const open = new Map([...running, ...ending].map((order) => [order.id, order.request as OrderRequest | null]))
  const inDns = [...open].filter(([, request]) => isInDns(request))
  const needing: string[] = []
  for (const [orderId, request] of inDns) {
    const needs = needsProvider(rows, request, id) || (await orders.recordsAt(tenantId, orderId, id)) > 0
    if (needs) needing.push(orderId)
  }
  const renewed = certificates.filter(({ autoRenew, openOrderId }) => autoRenew && openOrderId === null)
  return {
    open: [...open.keys()],
    orders: needing,
    certificates: renewed.filter(({ request }) => needsProvider(rows, request as OrderRequest | null, id)).length,
  }
}

function isInDns(request: OrderRequest | null): boolean {
  if (request === null || request.solver === 'manual') return false
  return request.challengeType === 'dns-01' || request.challengeType === 'dns-persist-01'
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
    if (others.some((row) => closeness(row, name) > 0)) return false
    return closeness(own, name) > 0 || (own.managedZones ?? []).length === 0 || others.length === 0
  })
}

/** A provider that cannot be used any more keeps nothing from being removed; one that fails in passing does. */
async function withdrawAll(
  { orders }: RemovalDependencies,
  tenantId: string,
  id: string,
  orderIds: readonly string[],
): Promise<void> {
  for (const orderId of orderIds) {
    const withdrawn = await orders.withdraw(tenantId, orderId, id)
    if (withdrawn.ok || !withdrawn.error.transient) continue
    const { message } = withdrawn.error
    throw new AppError('backend_error', `Its TXT records could not be removed, so the provider stays: ${message}`)
  }
}
