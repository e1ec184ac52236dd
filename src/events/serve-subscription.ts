/**
 * The sender of one subscription: looks at the entries of the journal that it has not seen, makes deliveries of those that match, and sends
 * what is due, in the journal's order. One at a time for each subscription, by a lease; a bounded time at once, so that it ends within
 * what the platform gives; wherever it is broken off, the next one goes on.
 */

import { systemActor } from '../core/actor.ts'
import { randomBytes, toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { logFault } from '../core/log.ts'
import { resourceName } from '../core/resources.ts'
import {
  advance,
  type DueDelivery,
  firstDue,
  journalBehind,
  type Lease,
  recordAttempt,
  releaseLease,
  takeLease,
} from '../store/deliveries.ts'
import { entryBy } from '../store/journal.ts'
import { readDetail } from '../store/read-journal.ts'
import type { Store } from '../store/store.ts'
import {
  openSecrets,
  type SigningSecret,
  type SubscriptionKey,
  type SubscriptionRow,
  updateSubscription,
} from '../store/subscriptions.ts'
import { consequenceOf } from './backoff.ts'
import { matchesSubscription } from './matching.ts'
import { activeSecrets } from './signing.ts'
import type { Wake } from './wake.ts'
import { sendWebhook, type WebhookDependencies, type WebhookResult } from './webhook.ts'

export interface ServeDependencies extends WebhookDependencies {
  readonly store: Store
  readonly now: Clock
  readonly wake: Wake
}

/** No attempt begins after this; one that has begun takes ten seconds at most. The platform ends what goes on 30 seconds behind a message. */
const WORKING_MS = 15_000
/** Longer than a sender works at most: one that died is replaced after it. */
const LEASE_MS = 60_000
/** Entries of the journal that are looked at in one transaction. */
const PAGE_ENTRIES = 500
/** What is due sooner than this is woken by a message, later by the cron, which runs each minute. */
const WAKE_WITHIN_MS = 60_000

/** Does what there is to do, and leaves a message where it has to go on. Nothing where another sender is at work. */
export async function serveSubscription(dependencies: ServeDependencies, key: SubscriptionKey): Promise<void> {
  const { store, now, wake } = dependencies
  const endMs = now() + WORKING_MS
  const lease: Lease = { ...key, leaseId: toHex(randomBytes(8)) }
  for (;;) {
    const subscription = await takeLease(store, lease, now(), now() + LEASE_MS)
    if (subscription === null) return
    if (await lookAtJournal(dependencies, lease, subscription, endMs)) await sendDue(dependencies, lease, endMs)
    const left = await releaseLease(store, lease, now())
    if (left === null) return
    const waitMs = left.isBehind ? 0 : left.nextMs === null ? null : left.nextMs - now()
    if (waitMs === null) return
    if (waitMs <= 0 && now() < endMs) continue
    if (waitMs < WAKE_WITHIN_MS) await wake([key], Math.max(Math.ceil(waitMs / 1_000), 0))
    return
  }
}

/** True where the end of the journal was reached; false where time is up, or the lease or the subscription is another by now. */
async function lookAtJournal(
  { store, now }: ServeDependencies,
  lease: Lease,
  subscription: SubscriptionRow,
  endMs: number,
): Promise<boolean> {
  let { position } = subscription
  while (now() < endMs) {
    const entries = await journalBehind(store, lease.tenantId, position, PAGE_ENTRIES)
    const last = entries.at(-1)
    if (last === undefined) return true
    const matching = entries.filter((entry) => matchesSubscription(subscription, entry))
    const at = { position, revision: subscription.revision }
    const statements = advance(store, lease, at, last.seq, matching, now())
    const outcome = await store.commit({ tenantId: lease.tenantId, statements, entries: [] })
    if (outcome.kind !== 'committed') return false
    position = last.seq
    if (entries.length < PAGE_ENTRIES) return true
  }
  return false
}

async function sendDue(dependencies: ServeDependencies, lease: Lease, endMs: number): Promise<void> {
  const { store, now } = dependencies
  while (now() < endMs) {
    // Read anew for each: its owner may have changed or switched off the subscription meanwhile.
    const due = await firstDue(store, lease, now())
    if (due === 'lost' || due === null) return
    const result = await attemptOf(dependencies, due)
    await settle(dependencies, due, result)
    if (result.kind === 'gone') return
  }
}

async function attemptOf(
  dependencies: ServeDependencies,
  { subscription, delivery, entry }: DueDelivery,
): Promise<WebhookResult> {
  const { store, now } = dependencies
  if (entry === null) {
    const error = 'the event is no longer in the journal'
    const attempt = { atMs: now(), durationMs: 0, status: null, error, response: null }
    return { kind: 'unsendable', attempt, retryAtMs: null }
  }
  const secrets = await secretsOf(store, subscription, now())
  if (secrets === null) {
    // Tried again, not given up: the key ring may be mended meanwhile.
    const error = 'the signing secret cannot be opened'
    const attempt = { atMs: now(), durationMs: 0, status: null, error, response: null }
    return { kind: 'failed', attempt, retryAtMs: null }
  }
  return sendWebhook(
    dependencies,
    subscription.url,
    secrets.map(({ secret }) => secret),
    {
      id: delivery.eventId,
      type: delivery.event,
      atMs: entry.atMs,
      path: delivery.resource,
      data: readDetail(entry.detail),
    },
  )
}

/** The secrets that sign at that time. Null where they do not open. */
async function secretsOf(
  store: Store,
  subscription: SubscriptionRow,
  nowMs: number,
): Promise<readonly SigningSecret[] | null> {
  try {
    return activeSecrets(await openSecrets(store, subscription), nowMs)
  } catch (fault) {
    logFault(`secrets of subscription ${subscription.id}`, fault)
    return null
  }
}

/** Writes down what came of an attempt. Nothing, where the delivery is another by now: its owner had it sent again. */
async function settle(
  { store, now }: ServeDependencies,
  { subscription, delivery }: DueDelivery,
  result: WebhookResult,
): Promise<void> {
  const { tenantId, id, name, revision } = subscription
  const nowMs = now()
  const chance = (randomBytes(1)[0] ?? 0) / 256
  const { delivery: state, endpoint, isBack, switchOff } = consequenceOf(result, delivery, subscription, nowMs, chance)
  const record = recordAttempt(store, delivery, result.attempt, state, endpoint, isBack, nowMs)
  const recordAlone = { tenantId, statements: record, entries: [] }
  if (switchOff === null) {
    await store.commit(recordAlone)
    return
  }
  const off = updateSubscription(store, subscription, revision, {
    disabledAtMs: nowMs,
    disabledReason: switchOff,
    updatedAtMs: nowMs,
  })
  const detail = { subscription_id: id, name, reason: switchOff }
  const entry = entryBy(systemActor(tenantId), {
    event: 'subscription.disabled',
    resource: resourceName.subscription(id),
    detail,
  })
  const outcome = await store.commit({ tenantId, statements: [...record, off], entries: [entry] })
  // Its owner has changed it since it was read: it stays on, and the next failure decides anew.
  if (outcome.kind !== 'committed') await store.commit(recordAlone)
}
