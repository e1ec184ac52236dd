/** Subscriptions: making, changing and deleting them, trying them out, and sending a delivery again. */
import type { Actor } from '../core/actor.ts'
import { canonicalJson } from '../core/canonical-json.ts'
import type { Clock } from '../core/clock.ts'
import { AppError, invalidField, missing } from '../core/errors.ts'
import { checkTarget } from '../core/http-client.ts'
import { newId } from '../core/ids.ts'
import { resourceName } from '../core/resources.ts'
import {
  type DeliveryRow,
  deleteDeliveriesOf,
  findDelivery,
  giveUpPending,
  listDeliveries,
  makeAllDue,
  redeliver,
} from '../store/deliveries.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import { journalAfter } from '../store/journal-event.ts'
import type { Page } from '../store/page.ts'
import type { Store } from '../store/store.ts'
import {
  deleteSubscription,
  findSubscription,
  findSubscriptionName,
  insertSubscription,
  mustTakeAnotherSubscription,
  openSecrets,
  type SigningSecret,
  type SubscriptionChange,
  type SubscriptionRow,
  sealSecrets,
  updateSubscription,
} from '../store/subscriptions.ts'
import { type Alongside, nothingElse, type Statement } from '../store/transaction.ts'
import { HEALTHY } from './backoff.ts'
import { activeSecrets, newSigningSecret, readSigningSecret } from './signing.ts'
import { sendWebhook, type WebhookDependencies, type WebhookResult } from './webhook.ts'

export interface SubscriptionDependencies extends WebhookDependencies {
  readonly store: Store
  readonly now: Clock
  readonly settings: { readonly allowPrivateTargets: boolean }
}

/** Each event of a tenant is held to all of its subscriptions. */
const MAX_SUBSCRIPTIONS = 100
/** How long a subscription that is off keeps its place in the journal: on again within it, it gets what it has missed. */
const PLACE_KEPT_MS = 7 * 24 * 3_600_000
/** How long the secret before a new one signs too, unless it is said. */
const PREVIOUS_SECRET_MS = 24 * 3_600_000
/** Signatures of one delivery. */
const MAX_SECRETS = 5
/** Deliveries that are deleted with their subscription; older ones go with the daily tidying. */
const DELETE_PAGE_ROWS = 500
const MAX_DELETE_PAGES = 20

export interface SubscriptionRequest {
  readonly name: string
  /** Globs that the caller's token covers. */
  readonly paths: readonly string[]
  readonly events: readonly string[]
  readonly url: string
  /** Null: one is made. */
  readonly secret: string | null
}

export interface MadeSubscription {
  readonly row: Omit<SubscriptionRow, 'position'>
  /** The secret that was made, to be shown now or never; null where the caller gave one. */
  readonly newSecret: string | null
}

/** Makes a subscription to what happens from now on. Throws AppError for an address or a secret that will not do. */
export async function createSubscription(
  dependencies: SubscriptionDependencies,
  actor: Actor,
  request: SubscriptionRequest,
  alongside: Alongside<MadeSubscription> = nothingElse,
): Promise<MadeSubscription> {
  const { store, now } = dependencies
  const { tenantId, tokenId } = actor
  const nowMs = now()
  const url = checkUrl(dependencies, request.url)
  const newSecret = request.secret === null ? newSigningSecret() : null
  const secret = newSecret ?? checkSecret(request.secret ?? '')
  const id = newId('subscription', nowMs)
  const row: MadeSubscription['row'] = {
    tenantId,
    id,
    name: request.name,
    paths: request.paths,
    events: request.events,
    url,
    sealedSecrets: await sealSecrets(store, { tenantId, id }, [{ secret, untilMs: null }]),
    revision: 1,
    disabledAtMs: null,
    disabledReason: null,
    ...HEALTHY,
    dueAtMs: null,
    leaseId: null,
    leaseUntilMs: 0,
    createdBy: tokenId,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  }
  const made = { row, newSecret }
  const outcome = await store.commit({
    tenantId,
    statements: [
      mustTakeAnotherSubscription(store, tenantId, MAX_SUBSCRIPTIONS),
      insertSubscription(store, row),
      ...(await alongside(made)),
    ],
    entries: [entryAbout('subscription.created', row, actor)],
  })
  if (outcome.kind === 'exists') throw nameIsTaken(row.name)
  if (outcome.kind === 'conflict') {
    throw new AppError('conflict', `There are ${MAX_SUBSCRIPTIONS} subscriptions: delete one first`)
  }
  return made
}

/** Throws `not_found`. */
export async function requireSubscription(
  { store }: Pick<SubscriptionDependencies, 'store'>,
  tenantId: string,
  id: string,
): Promise<SubscriptionRow> {
  const row = await findSubscription(store, tenantId, id)
  if (row === null) throw missing(resourceName.subscription(id))
  return row
}

/** What is not given stays. */
export interface ChangeRequest {
  readonly name?: string | undefined
  readonly paths?: readonly string[] | undefined
  readonly events?: readonly string[] | undefined
  readonly url?: string | undefined
  /** Signs from now on. */
  readonly secret?: string | undefined
  /** How long every secret before it signs too, never longer than was said before. Without it, the last one does for a day. */
  readonly previousSecretMs?: number | undefined
  readonly enabled?: boolean | undefined
}

/** Changes a subscription as it was read; writes nothing where nothing differs. Throws `conflict` where it was changed since. */
export async function changeSubscription(
  dependencies: SubscriptionDependencies,
  actor: Actor,
  row: SubscriptionRow,
  request: ChangeRequest,
): Promise<SubscriptionRow> {
  const { store, now } = dependencies
  const nowMs = now()
  const url = request.url === undefined ? row.url : checkUrl(dependencies, request.url)
  const secrets =
    request.secret === undefined && request.previousSecretMs === undefined
      ? null
      : await rotated(store, row, request, nowMs)
  const { name = row.name, paths = row.paths, events = row.events } = request
  const standing = standingAfter(store, row, request.enabled, url !== row.url, nowMs)
  const isSame =
    canonicalJson([name, [...paths], [...events], url]) ===
    canonicalJson([row.name, [...row.paths], [...row.events], row.url])
  if (isSame && secrets === null && Object.keys(standing.change).length === 0) return row
  const change: SubscriptionChange = {
    name,
    paths,
    events,
    url,
    sealedSecrets: secrets === null ? row.sealedSecrets : await sealSecrets(store, row, secrets),
    updatedAtMs: nowMs,
    ...standing.change,
  }
  const changed = { ...row, ...change, revision: row.revision + 1 }
  const outcome = await store.commit({
    tenantId: row.tenantId,
    statements: [updateSubscription(store, row, row.revision, change), ...standing.statements],
    entries: [entryAbout('subscription.updated', changed, actor)],
  })
  if (outcome.kind === 'exists') throw nameIsTaken(changed.name)
  if (outcome.kind === 'conflict') {
    throw new AppError('conflict', 'The subscription was changed at the same time: read it and try again')
  }
  return changed
}

/** Whether it is on, and what that means for what waits. */
function standingAfter(
  store: Store,
  row: SubscriptionRow,
  enabled: boolean | undefined,
  isElsewhere: boolean,
  nowMs: number,
): { readonly change: SubscriptionChange; readonly statements: readonly Statement[] } {
  const isOn = row.disabledAtMs === null
  if (isOn && enabled === false) {
    return { change: { disabledAtMs: nowMs, disabledReason: 'caller' }, statements: [] }
  }
  const goesOn = { ...HEALTHY, dueAtMs: nowMs }
  if (row.disabledAtMs !== null && enabled === true) {
    const on = { ...goesOn, disabledAtMs: null, disabledReason: null }
    return nowMs - row.disabledAtMs < PLACE_KEPT_MS
      ? { change: on, statements: [makeAllDue(store, row, nowMs)] }
      : { change: { ...on, startAnew: true }, statements: [giveUpPending(store, row, nowMs)] }
  }
  // Failures of the address before say nothing of this one.
  return isOn && isElsewhere
    ? { change: goesOn, statements: [makeAllDue(store, row, nowMs)] }
    : { change: {}, statements: [] }
}

/** The secrets with a new one in front, where one is given, and the end of those before. Null where nothing differs. */
async function rotated(
  store: Store,
  row: SubscriptionRow,
  { secret, previousSecretMs }: Pick<ChangeRequest, 'secret' | 'previousSecretMs'>,
  nowMs: number,
): Promise<readonly SigningSecret[] | null> {
  const active = activeSecrets(await openSecrets(store, row), nowMs)
  const current = secret === undefined ? active[0]?.secret : checkSecret(secret)
  if (current === undefined || (active[0]?.secret === current && previousSecretMs === undefined)) return null
  const usualEndMs = nowMs + PREVIOUS_SECRET_MS
  const latestMs = previousSecretMs === undefined ? null : nowMs + previousSecretMs
  const before = active
    .filter((each) => each.secret !== current)
    .map(({ secret: earlier, untilMs }) => ({
      secret: earlier,
      untilMs: latestMs === null ? (untilMs ?? usualEndMs) : Math.min(untilMs ?? latestMs, latestMs),
    }))
  const secrets = activeSecrets([{ secret: current, untilMs: null }, ...before], nowMs).slice(0, MAX_SECRETS)
  return JSON.stringify(secrets) === JSON.stringify(active) ? null : secrets
}

/** Deletes a subscription with its deliveries: nothing more is sent. Throws `not_found`. */
export async function removeSubscription({ store }: SubscriptionDependencies, actor: Actor, id: string): Promise<void> {
  const { tenantId } = actor
  const name = await findSubscriptionName(store, tenantId, id)
  if (name === null) throw missing(resourceName.subscription(id))
  const outcome = await store.commit({
    tenantId,
    statements: [deleteSubscription(store, tenantId, id)],
    entries: [
      entryBy(actor, { event: 'subscription.deleted', resource: resourceName.subscription(id), detail: { name } }),
    ],
  })
  // Another request has deleted it since it was read: for this caller it is not there.
  if (outcome.kind !== 'committed') throw missing(resourceName.subscription(id))
  for (let pages = 0; pages < MAX_DELETE_PAGES; pages += 1) {
    if ((await deleteDeliveriesOf(store, { tenantId, id }, DELETE_PAGE_ROWS)) < DELETE_PAGE_ROWS) return
  }
}

/** Sends an event of the type `test` at once, whether the subscription is on or off. It is not repeated. */
export async function testSubscription(
  dependencies: SubscriptionDependencies,
  actor: Actor,
  row: SubscriptionRow,
): Promise<WebhookResult & { readonly eventId: string }> {
  const { store, now } = dependencies
  const eventId = newId('event', now())
  const path = resourceName.subscription(row.id)
  const secrets = activeSecrets(await openSecrets(store, row), now()).map(({ secret }) => secret)
  const data = { subscription_id: row.id, name: row.name }
  const event = { id: eventId, type: 'test', atMs: now(), path, data }
  const result = await sendWebhook(dependencies, row.url, secrets, event)
  await journalAfter(store, actor, {
    event: 'subscription.tested',
    resource: path,
    detail: { name: row.name, delivered: result.kind === 'delivered', status: result.attempt.status },
  })
  return { ...result, eventId }
}

/** Newest first. */
export function deliveriesOf(
  { store }: Pick<SubscriptionDependencies, 'store'>,
  row: SubscriptionRow,
  page: Page,
): Promise<readonly DeliveryRow[]> {
  return listDeliveries(store, row, page)
}

/** Makes a delivery due again, whatever became of it. Throws `not_found`, and `conflict` while the subscription is off. */
export async function redeliverDelivery(
  { store, now }: SubscriptionDependencies,
  actor: Actor,
  row: SubscriptionRow,
  deliveryId: string,
): Promise<DeliveryRow> {
  const delivery = await findDelivery(store, row, deliveryId)
  if (delivery === null) throw missingDelivery(deliveryId)
  if (row.disabledAtMs !== null) {
    throw new AppError('conflict', 'The subscription is off: switch it on first, by PATCH with enabled')
  }
  const nowMs = now()
  const detail = { delivery_id: deliveryId, event_id: delivery.eventId }
  const outcome = await store.commit({
    tenantId: row.tenantId,
    statements: redeliver(store, row, deliveryId, nowMs),
    entries: [
      entryBy(actor, { event: 'subscription.redelivered', resource: resourceName.subscription(row.id), detail }),
    ],
  })
  if (outcome.kind !== 'committed') throw missingDelivery(deliveryId)
  return { ...delivery, status: 'pending', tries: 0, nextAttemptAtMs: nowMs, updatedAtMs: nowMs }
}

const missingDelivery = (id: string): AppError => new AppError('not_found', `There is no delivery ${id}`)

const nameIsTaken = (name: string): AppError =>
  new AppError('already_exists', `There is a subscription with the name ${name} already`)

/** As it is stored: fragments are not sent. Throws `invalid_request`; the message never quotes the address. */
function checkUrl({ settings }: SubscriptionDependencies, url: string): string {
  const target = checkTarget(url, settings.allowPrivateTargets)
  if (!target.ok) throw invalidField('delivery.url', target.error)
  const stored = new URL(target.value)
  stored.hash = ''
  return stored.href
}

function checkSecret(secret: string): string {
  const read = readSigningSecret(secret)
  if (!read.ok) throw invalidField('delivery.secret', read.error)
  return secret
}

/** Of the address, only where it leads: what is behind that may be a secret. */
function entryAbout(event: string, row: Omit<SubscriptionRow, 'position'>, actor: Actor): JournalEntry {
  const detail = {
    name: row.name,
    paths: [...row.paths],
    events: [...row.events],
    endpoint: new URL(row.url).origin,
    enabled: row.disabledAtMs === null,
    revision: row.revision,
  }
  return entryBy(actor, { event, resource: resourceName.subscription(row.id), detail })
}
