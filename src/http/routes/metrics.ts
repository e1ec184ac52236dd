/** `/v1/metrics`: how the whole deployment does, for Prometheus. Numbers and ids, no names of certificates. For operators. */
import { RELEASE } from '../../core/release.ts'
import { allCronRuns } from '../../store/cron-runs.ts'
import {
  CRL_OVERDUE_MS,
  crlFigures,
  DATABASE_LIMIT_BYTES,
  databaseSize,
  dueRenewalFigures,
  failingRenewalFigures,
  LATE_RENEWAL_MS,
  LOST_RENEWAL_DAYS,
  MAX_NAMED,
  oldestDueDelivery,
  openOrderFigures,
  overdueCrls,
  pendingDeliveries,
  type TenantCount,
} from '../../store/figures.ts'
import { findUnopenable } from '../../store/reseal.ts'
import type { Store } from '../../store/store.ts'
import { EXPIRY_DAYS, readTallies, type Tally, type TallyKind } from '../../store/tally.ts'
import { raw } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import { EXPOSITION_TYPE, exposition, type Gauge, type Sample } from '../exposition.ts'

const readMetrics = defineRoute({
  method: 'get',
  path: '/v1/metrics',
  tag: 'Service',
  summary: 'How the deployment does, for Prometheus',
  description:
    'Prometheus text format 0.0.4, of all tenants together. What each metric means stands in its HELP line; alerts to copy, and what to do about each, in docs/operations.md.',
  access: { scope: 'operator', resource: 'metrics' },
  responses: { 200: { description: 'The metrics', mediaTypes: ['text/plain'] } },
  async handler({ deps }) {
    const gauges = await readGauges(deps.store, deps.now())
    return raw(200, EXPOSITION_TYPE, exposition(gauges))
  },
})

export const metricsRoutes: readonly Route[] = [readMetrics]

async function readGauges(store: Store, nowMs: number): Promise<readonly Gauge[]> {
  const [tallies, orders, renewals, crls, webhooks, service] = await Promise.all([
    readTallies(store),
    orderGauges(store, nowMs),
    renewalGauges(store, nowMs),
    crlGauges(store, nowMs),
    webhookGauges(store, nowMs),
    serviceGauges(store, nowMs),
  ])
  return [
    ...certificateGauges(tallies),
    classGauge(tallies, 'tenants', 'tenants', 'status', 'Tenants by status, as of the last count.'),
    ...orders,
    ...finishedOrders(tallies),
    ...renewals,
    ...crls,
    ...webhooks,
    classGauge(
      tallies,
      'deliveries',
      'webhook_deliveries',
      'status',
      'Deliveries of the last 30 days by status, as of the last count.',
    ),
    classGauge(
      tallies,
      'subscriptions',
      'subscriptions',
      'state',
      'Subscriptions that are on, and why others are off, as of the last count.',
    ),
    ...service,
    tallyAges(tallies, nowMs),
  ]
}

const DAY_MS = 86_400_000
const seconds = (ms: number): number => ms / 1_000

const gauge = (name: string, help: string, samples: readonly Sample[] | number): Gauge => ({
  name: `certwright_${name}`,
  help,
  samples: typeof samples === 'number' ? [{ value: samples }] : samples,
})

const countsOf = (tallies: readonly Tally[], kind: TallyKind): readonly (readonly [string, number])[] =>
  Object.entries(tallies.find((tally) => tally.kind === kind)?.counts ?? {})

/** Of the classes that store/tally.ts counts. */
function certificateGauges(tallies: readonly Tally[]): Gauge[] {
  const classes = countsOf(tallies, 'certificates').map(([name, count]) => {
    const [source = '', state = '', days = ''] = name.split(' ')
    return { source, state, days: Number(days), count }
  })
  const sources = [...new Set(classes.map(({ source }) => source))].sort()
  const sum = (of: typeof classes): number => of.reduce((total, { count }) => total + count, 0)
  const states = sources.flatMap((source) =>
    ['active', 'expired', 'revoked'].map((state) => ({
      labels: { source, state },
      value: sum(classes.filter((each) => each.source === source && each.state === state)),
    })),
  )
  const expiring = sources.flatMap((source) =>
    EXPIRY_DAYS.map((within) => ({
      labels: { source, within_days: String(within) },
      value: sum(
        classes.filter(({ source: of, state, days }) => of === source && state === 'active' && days <= within),
      ),
    })),
  )
  return [
    gauge('certificates', 'Certificates by source and state, as of the last count.', states),
    gauge(
      'certificates_expiring',
      'Active certificates that end within so many days, those of fewer days included, as of the last count.',
      expiring,
    ),
  ]
}

async function orderGauges(store: Store, nowMs: number): Promise<Gauge[]> {
  const open = await openOrderFigures(store)
  const oldest = open.map(({ status, step, oldestMs }) => ({
    labels: { status, step },
    value: seconds(nowMs - oldestMs),
  }))
  return [
    gauge(
      'orders_open',
      'ACME orders under way, by status and step.',
      open.map(({ status, step, count }) => ({ labels: { status, step }, value: count })),
    ),
    gauge('orders_open_oldest_seconds', 'How long ago the oldest of them was made.', oldest),
  ]
}

function finishedOrders(tallies: readonly Tally[]): Gauge[] {
  const finished = countsOf(tallies, 'orders').filter(([status]) => status !== 'pending' && status !== 'processing')
  const samples = finished.map(([status, value]) => ({ labels: { status }, value }))
  return [gauge('orders_finished', 'ACME orders that are at their end, by status, as of the last count.', samples)]
}

/** The classes of a table as they were counted. */
function classGauge(tallies: readonly Tally[], kind: TallyKind, name: string, label: string, help: string): Gauge {
  const samples = countsOf(tallies, kind).map(([value, count]) => ({ labels: { [label]: value }, value: count }))
  return gauge(name, help, samples)
}

async function webhookGauges(store: Store, nowMs: number): Promise<Gauge[]> {
  const [{ pending, oldestMs }, dueMs] = await Promise.all([pendingDeliveries(store), oldestDueDelivery(store, nowMs)])
  const age = (sinceMs: number | null): number => (sinceMs === null ? 0 : seconds(nowMs - sinceMs))
  return [
    gauge('webhooks_pending', 'Deliveries that wait to be sent, or to be sent again.', pending),
    gauge('webhooks_oldest_pending_seconds', 'Since the oldest of them was made; 0 where none waits.', age(oldestMs)),
    gauge(
      'webhooks_late_seconds',
      'Since the delivery that waits longest could have been sent; 0 where none waits for a sender.',
      age(dueMs),
    ),
  ]
}

async function renewalGauges(store: Store, nowMs: number): Promise<Gauge[]> {
  const [due, late, failing, lost] = await Promise.all([
    dueRenewalFigures(store, nowMs),
    dueRenewalFigures(store, nowMs - LATE_RENEWAL_MS),
    failingRenewalFigures(store, nowMs, Number.MAX_SAFE_INTEGER),
    failingRenewalFigures(store, nowMs - LOST_RENEWAL_DAYS * DAY_MS, nowMs),
  ])
  const nearest = failing.slice(0, 1).map(({ nearestExpiryMs }) => ({ value: seconds(nearestExpiryMs - nowMs) }))
  return [
    gauge('renewals_due', 'Certificates whose renewal is due and not under way.', total(due)),
    gauge('renewals_late', 'Those of them that have been due for more than an hour.', total(late)),
    gauge('renewals_failing', 'Active certificates whose last renewal failed; each is tried again.', total(failing)),
    gauge('renewals_failing_nearest_expiry_seconds', 'Until the first of them ends. Absent where none fails.', nearest),
    gauge(
      'renewals_lost',
      `Certificates that ended in the last ${LOST_RENEWAL_DAYS} days while their renewal failed.`,
      total(lost),
    ),
    gauge(
      'tenant_renewals_late',
      `Late renewals of one tenant; of the ${MAX_NAMED} tenants with most of them.`,
      byTenant(late),
    ),
    gauge(
      'tenant_renewals_failing',
      `Failing renewals of one tenant; of the ${MAX_NAMED} tenants whose certificates end first.`,
      byTenant(failing),
    ),
  ]
}

/** A list says whole seconds; the milliseconds of its row tell lists of the same second apart: store/crl-parts.ts. */
const wholeSeconds = (ms: number): number => ms - (ms % 1_000)

const total = (counts: readonly TenantCount[]): number => counts.reduce((sum, { count }) => sum + count, 0)

const byTenant = (counts: readonly TenantCount[]): Sample[] =>
  counts.slice(0, MAX_NAMED).map(({ tenantId, count }) => ({ labels: { tenant_id: tenantId }, value: count }))

async function crlGauges(store: Store, nowMs: number): Promise<Gauge[]> {
  const [crls, overdue] = await Promise.all([crlFigures(store), overdueCrls(store, nowMs - CRL_OVERDUE_MS)])
  const which = `of the ${MAX_NAMED} CAs whose next list is due first`
  const samples = (pick: (crl: (typeof crls)[number]) => number | null): Sample[] =>
    crls.flatMap((crl) => {
      const value = pick(crl)
      return value === null ? [] : [{ labels: { tenant_id: crl.tenantId, ca_id: crl.caId }, value }]
    })
  return [
    gauge('crls_overdue', 'CAs whose next CRL has been due for more than ten minutes.', overdue),
    gauge(
      'crl_age_seconds',
      `Since the thisUpdate of the CRL; ${which}.`,
      samples(({ thisUpdateMs }) => (thisUpdateMs === null ? null : seconds(nowMs - wholeSeconds(thisUpdateMs)))),
    ),
    gauge(
      'crl_valid_seconds',
      `Until the nextUpdate of the CRL, negative where it has passed; ${which}.`,
      samples(({ nextUpdateMs }) => (nextUpdateMs === null ? null : seconds(nextUpdateMs - nowMs))),
    ),
  ]
}

async function serviceGauges(store: Store, nowMs: number): Promise<Gauge[]> {
  const [runs, size, unopenable] = await Promise.all([allCronRuns(store), databaseSize(store), findUnopenable(store)])
  return [
    gauge(
      'cron_age_seconds',
      'Since the job last ran to its end. Absent where it never has.',
      runs.map(({ job, finishedAtMs }) => ({ labels: { job }, value: seconds(nowMs - finishedAtMs) })),
    ),
    gauge('database_size_bytes', 'Size of the database. Absent where D1 does not say it.', size === null ? [] : size),
    gauge('database_size_limit_bytes', 'What a D1 database may hold on the paid plan.', DATABASE_LIMIT_BYTES),
    gauge('key_ring_ok', '1 where the key ring opens what is stored, else 0.', unopenable === null ? 1 : 0),
    gauge('build_info', 'Always 1; the release is its label.', [{ labels: { version: RELEASE }, value: 1 }]),
  ]
}

function tallyAges(tallies: readonly Tally[], nowMs: number): Gauge {
  const samples = tallies.map(({ kind, atMs }) => ({ labels: { kind }, value: seconds(nowMs - atMs) }))
  return gauge('count_age_seconds', 'Since the last count of a whole table began; absent before the first.', samples)
}
