/**
 * A world in which years pass: the real store on the real database, a clock that jumps to the next thing that happens, and
 * in the place of the orders' objects ones that come to the same ends by the rules of this file: a CA that is down at times
 * and has limits, DNS providers whose credentials expire.
 */
import type { AcmeError } from '../../../src/acme/acme-error.ts'
import type { RenewalInfo } from '../../../src/acme/renewal-info.ts'
import { type Bytes, concatBytes, randomBytes } from '../../../src/core/bytes.ts'
import { createLog } from '../../../src/core/log.ts'
import { err, ok, type Result } from '../../../src/core/result.ts'
import type { IssuedCertificate } from '../../../src/orders/issued-certificate.ts'
import type { OrderFailure } from '../../../src/orders/order-machine.ts'
import type { OrderObjects } from '../../../src/orders/order-object.ts'
import { newOrderState, type OrderState } from '../../../src/orders/order-state.ts'
import { closeOrder } from '../../../src/orders/report-order.ts'
import { storeIssued } from '../../../src/orders/store-issued.ts'
import { buildLeaf } from '../../../src/pki/build-certificate.ts'
import { EKU } from '../../../src/pki/oids.ts'
import { formatCertificatesPem } from '../../../src/pki/pem.ts'
import { certificateIdOf } from '../../../src/renewal/certificate-id.ts'
import { checkRenewalInfo } from '../../../src/renewal/renewal-checks.ts'
import { findAcmeOrder } from '../../../src/store/acme-orders.ts'
import { insertDnsProvider } from '../../../src/store/dns-providers.ts'
import { Ledger } from '../../../src/store/ledger.ts'
import type { OrderPurpose, OrderRequest } from '../../../src/store/order-request.ts'
import { openDatabase, type Store, DEFAULT_TENANT_ID as TENANT } from '../../../src/store/store.ts'
import { nameDer, type TestAuthority, testLeaf, testRoot } from '../../support/pki-hierarchy.ts'
import { addAccount } from '../support/acme-rows.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'
import { sweepRenewals } from './sweep.ts'

const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

/** Runs of the cron are so far apart. */
const SWEEP_MS = 2 * MINUTE_MS
/** What is alone may wait a little for company: fewer sweeps in a year, and rules that count in minutes at least. */
const ROUND_MS = 10 * MINUTE_MS
/** As the order machine has it: how long an order goes on trying to be opened at the CA. */
const OPENING_MS = 120 * MINUTE_MS
/** From an order to its certificate. */
const ISSUING_MS = MINUTE_MS

export interface Fleet {
  readonly lifetimeDays: number
  readonly count: number
  readonly account: string
  readonly zone: string
}

/** A stretch of time, of what is out of order meanwhile. */
export interface Outage {
  readonly fromMs: number
  readonly untilMs: number
  /** An account's name, or a zone. */
  readonly of: string
}

export interface WorldRules {
  readonly startMs: number
  readonly caDown: readonly Outage[]
  readonly credentialsExpired: readonly Outage[]
  /** Orders in three hours, by account; any number for others. */
  readonly orderLimits: ReadonlyMap<string, number>
  /** Accounts whose CA has renewal information, and by when it wants what was issued before that replaced. */
  readonly advised: ReadonlyMap<string, { readonly incidentMs: number }>
}

interface OpenOrder {
  readonly certificateId: string
  readonly endsAtMs: number
  readonly failure: OrderFailure | null
}

interface Life {
  readonly lifetimeMs: number
  readonly account: string
  readonly zone: string
  /** All versions'. */
  readonly issuedAtMs: number[]
  notBeforeMs: number
  notAfterMs: number
}

export class RenewalWorld {
  nowMs: number
  readonly store: Store
  readonly lives = new Map<string, Life>()
  /** Orders that were started. */
  readonly started: string[] = []
  /** The least time that a certificate had left when its successor was stored, by its lifetime in days. */
  readonly closest = new Map<number, number>()
  readonly expired: string[] = []
  readonly orderedTwice: string[] = []
  readonly #database: D1Database
  readonly #rules: WorldRules
  readonly #app: TestApp
  readonly #open = new Map<string, OpenOrder>()
  readonly #opened = new Map<string, number[]>()
  /** Certificates by their certID, of the CAs that give advice. */
  readonly #known = new Map<string, { readonly life: Life; readonly notBeforeMs: number }>()
  readonly #root: TestAuthority
  readonly #template: Bytes

  private constructor(database: D1Database, rules: WorldRules, app: TestApp, root: TestAuthority, template: Bytes) {
    this.#rules = rules
    this.#app = app
    this.#root = root
    this.#template = template
    this.nowMs = rules.startMs
    this.#database = database
    const ledger = new Ledger(database, () => this.nowMs)
    this.store = { db: openDatabase(database), ring: app.store.ring, commit: (work) => ledger.commit(work) }
  }

  static async begin(database: D1Database, rules: WorldRules, fleets: readonly Fleet[]): Promise<RenewalWorld> {
    const app = await testApp()
    const root = await testRoot({ type: 'ec', size: 256 })
    const { certificate } = await testLeaf(root, { type: 'ec', size: 256 })
    const world = new RenewalWorld(database, rules, app, root, certificate.der)
    for (const name of new Set(fleets.map(({ account }) => account))) await world.#addAccount(name)
    for (const zone of new Set(fleets.map((fleet) => fleet.zone))) await world.#addProvider(zone)
    for (const fleet of fleets) await world.#addFleet(fleet)
    return world
  }

  /** One run of the cron, as it is in `renew-due`. */
  async sweep(): Promise<{ readonly started: number; readonly failed: number; readonly asked: number }> {
    const log = createLog(() => undefined)
    const orders: OrderObjects<'start'> = () => ({ start: (tenantId, orderId) => this.#start(tenantId, orderId) })
    const accounts = (_tenant: string, account: string) => ({
      readRenewalInfo: (id: string) => Promise.resolve(this.#advise(account, id)),
      // This world's CAs have limits of their own, which the order meets at the CA.
      reserveOrder: () => Promise.resolve({ allowed: true } as const),
    })
    const dependencies = { ...this.#app.deps, store: this.store, now: () => this.nowMs, orders, accounts, log }
    const { answered, failed: unheard } = await checkRenewalInfo(dependencies)
    return { ...(await sweepRenewals(dependencies)), asked: answered + unheard }
  }

  /** Lets time pass. */
  async runUntil(endMs: number): Promise<void> {
    for (;;) {
      const nextMs = await this.#nextEventMs()
      const roundMs = nextMs <= this.nowMs ? SWEEP_MS : ROUND_MS
      this.nowMs = Math.max(this.nowMs + SWEEP_MS, Math.ceil(nextMs / roundMs) * roundMs)
      if (this.nowMs >= endMs) break
      for (const [orderId, order] of this.#open) {
        if (order.endsAtMs <= this.nowMs) await this.#end(orderId, order)
      }
      await this.sweep()
    }
    this.nowMs = endMs
    for (const [id, life] of this.lives) if (life.notAfterMs <= endMs) this.expired.push(id)
  }

  /** Orders that have not come to their end. */
  underWay(): readonly string[] {
    return [...this.#open.keys()]
  }

  /** How many certificates of the account have a version that was issued in that time. */
  renewedBetween(fromMs: number, untilMs: number, account: string): number {
    const lives = [...this.lives.values()].filter((life) => life.account === account)
    return lives.filter(({ issuedAtMs }) => issuedAtMs.some((atMs) => atMs >= fromMs && atMs < untilMs)).length
  }

  async #nextEventMs(): Promise<number> {
    const row = await this.#database
      .prepare(
        `SELECT (SELECT min(next_renewal_at_ms) FROM certificates
                WHERE next_renewal_at_ms IS NOT NULL AND open_order_id IS NULL) AS renewal,
              (SELECT min(ari_check_at_ms) FROM certificates WHERE ari_check_at_ms IS NOT NULL) AS asking`,
      )
      .first<{ renewal: number | null; asking: number | null }>()
    const ends = [...this.#open.values()].map(({ endsAtMs }) => endsAtMs)
    return Math.min(row?.renewal ?? Infinity, row?.asking ?? Infinity, ...ends)
  }

  /** What the order's object would do: decided at once by what the future holds, and done when its time comes. */
  async #start(tenantId: string, orderId: string): Promise<void> {
    const row = await findAcmeOrder(this.store, tenantId, orderId)
    const life = this.lives.get(row?.certificateId ?? '')
    if (row === null || life === undefined) throw new Error(`no order ${orderId}`)
    const { certificateId } = row
    if ([...this.#open.values()].some((each) => each.certificateId === certificateId)) {
      this.orderedTwice.push(certificateId)
    }
    this.started.push(orderId)
    this.#open.set(orderId, { certificateId, ...this.#fate(life) })
  }

  #fate(life: Life): { readonly endsAtMs: number; readonly failure: OrderFailure | null } {
    const giveUpMs = this.nowMs + OPENING_MS
    const downUntilMs = outageEnd(this.#rules.caDown, life.account, this.nowMs)
    if (downUntilMs > giveUpMs) return fails(giveUpMs, 'too_many_errors', 'the CA did not answer')
    const limit = this.#rules.orderLimits.get(life.account) ?? Infinity
    const opened = this.#opened.get(life.account) ?? []
    const recent = opened.filter((atMs) => atMs > this.nowMs - 3 * HOUR_MS)
    const freeMs = recent.length < limit ? this.nowMs : (recent.at(-limit) ?? 0) + 3 * HOUR_MS
    if (freeMs > giveUpMs) return fails(giveUpMs, 'backend_rate_limited', "the CA's limit of orders is reached")
    const openedMs = Math.max(freeMs, downUntilMs)
    this.#opened.set(life.account, [...recent, openedMs])
    if (outageEnd(this.#rules.credentialsExpired, life.zone, openedMs) > openedMs) {
      return fails(openedMs + ISSUING_MS, 'backend_error', 'the DNS provider refused the credentials')
    }
    return { endsAtMs: openedMs + ISSUING_MS, failure: null }
  }

  async #end(orderId: string, { certificateId, failure }: OpenOrder): Promise<void> {
    this.#open.delete(orderId)
    const row = await findAcmeOrder(this.store, TENANT, orderId)
    const life = this.lives.get(certificateId)
    if (row === null || life === undefined) throw new Error(`no order ${orderId}`)
    const request = row.request as OrderRequest
    const state = orderState(orderId, certificateId, row.purpose as OrderPurpose, request, failure, row.createdAtMs)
    if (failure === null) {
      if (life.notAfterMs <= this.nowMs) this.expired.push(certificateId)
      const days = Math.round(life.lifetimeMs / DAY_MS)
      const leftMs = life.notAfterMs - this.nowMs
      this.closest.set(days, Math.min(this.closest.get(days) ?? Infinity, leftMs))
      const issued = await this.#issue(certificateId, life, this.nowMs)
      const stored = await storeIssued(this.store, state, issued, this.nowMs)
      if (!stored.ok) throw new Error(stored.error)
    }
    await closeOrder(this.store, state, this.nowMs)
  }

  async #issue(certificateId: string, life: Life, notBeforeMs: number): Promise<IssuedCertificate> {
    life.issuedAtMs.push(notBeforeMs)
    life.notBeforeMs = notBeforeMs
    life.notAfterMs = notBeforeMs + life.lifetimeMs
    // Above zero and below 2^63: content octets as they are.
    const serial = concatBytes(new Uint8Array([1]), randomBytes(15))
    const isAdvised = this.#rules.advised.has(life.account)
    const leafDer = isAdvised ? await this.#leaf(serial, life) : this.#template
    if (isAdvised) {
      const id = certificateIdOf(formatCertificatesPem([leafDer]))
      if (id === null) throw new Error('a leaf without a key identifier of its issuer')
      this.#known.set(id, { life, notBeforeMs })
    }
    const name = `${certificateId.slice(-6)}.${life.zone}`
    return {
      serial,
      notBeforeMs,
      notAfterMs: life.notAfterMs,
      commonName: null,
      names: { dns: [name], ip: [], email: [], uri: [] },
      keyType: 'ec',
      keySize: 256,
      leafDer,
      chainDers: [],
    }
  }

  async #leaf(serialNumber: Bytes, { notBeforeMs, notAfterMs }: Life): Promise<Bytes> {
    const { der } = await buildLeaf(
      {
        subjectDer: nameDer({ commonName: 'advised.example' }),
        spkiDer: this.#root.keyPair.spkiDer,
        notBeforeMs: Math.floor(notBeforeMs / 1_000) * 1_000,
        notAfterMs: Math.floor(notAfterMs / 1_000) * 1_000,
        altNames: [{ type: 'dns', value: 'advised.example' }],
        extKeyUsage: [EKU.serverAuth],
        serialNumber,
      },
      this.#root.issuer,
    )
    return der
  }

  /** Around two thirds of the lifetime; in the past once the CA wants what it issued before replaced. */
  #advise(account: string, certificateId: string): Result<RenewalInfo, AcmeError> {
    const rule = this.#rules.advised.get(nameOfAccount(account))
    if (rule === undefined) return err({ reason: 'unsupported', feature: 'renewalInfo', message: 'not here' })
    if (outageEnd(this.#rules.caDown, nameOfAccount(account), this.nowMs) > this.nowMs) {
      return err({ reason: 'transport', failure: 'timeout', url: 'https://ca.example', message: 'no answer' })
    }
    const known = this.#known.get(certificateId)
    if (known === undefined) throw new Error(`the CA never issued ${certificateId}`)
    const { lifetimeMs } = known.life
    const isRecalled = known.notBeforeMs < rule.incidentMs && this.nowMs >= rule.incidentMs
    const startMs = isRecalled ? rule.incidentMs - DAY_MS : known.notBeforeMs + 0.66 * lifetimeMs
    const window = { startMs, endMs: startMs + 0.02 * lifetimeMs, explanationUrl: null }
    return ok({ ...window, retryAfterMs: this.nowMs + DAY_MS })
  }

  async #addAccount(name: string): Promise<void> {
    await addAccount(this.store, { id: accountId(name), name })
  }

  async #addProvider(zone: string): Promise<void> {
    const row = {
      tenantId: TENANT,
      id: `dnsp_${zone}`,
      name: zone,
      type: 'rfc2136',
      settings: {},
      credentials: {},
      managedZones: [zone],
      createdAtMs: this.nowMs,
      updatedAtMs: this.nowMs,
    }
    await this.store.commit({ tenantId: TENANT, statements: [await insertDnsProvider(this.store, row)], entries: [] })
  }

  /** Certificates that were issued one after another during the first half of a lifetime. */
  async #addFleet({ lifetimeDays, count, account, zone }: Fleet): Promise<void> {
    const lifetimeMs = lifetimeDays * DAY_MS
    for (let index = 0; index < count; index += 1) {
      const certificateId = `cert_${account}${zone.slice(0, 1)}${lifetimeDays}x${String(index).padStart(6, '0')}`
      const life: Life = { lifetimeMs, account, zone, issuedAtMs: [], notBeforeMs: 0, notAfterMs: 0 }
      this.lives.set(certificateId, life)
      const notBeforeMs = this.nowMs - Math.floor((index / count) * 0.5 * lifetimeMs)
      const issued = await this.#issue(certificateId, life, notBeforeMs)
      const request: OrderRequest = {
        accountId: accountId(account),
        domains: issued.names.dns,
        challengeType: 'dns-01',
        autoRenew: true,
        key: { type: 'ec', size: 256 },
        csrBase64: null,
        dnsProviderIds: null,
        preferredChain: null,
        profile: null,
        notAfterMs: null,
        solver: 'auto',
        retry: false,
      }
      const state = orderState('acme_order_first', certificateId, 'issue', request, null, this.nowMs)
      const stored = await storeIssued(this.store, state, issued, this.nowMs)
      if (!stored.ok) throw new Error(stored.error)
    }
  }
}

const accountId = (name: string): string => `acme_${name}`
const nameOfAccount = (id: string): string => id.slice('acme_'.length)

/** When the outage that lasts at that moment ends; that moment where there is none. */
function outageEnd(outages: readonly Outage[], of: string, atMs: number): number {
  return outages.find((each) => each.of === of && each.fromMs <= atMs && atMs < each.untilMs)?.untilMs ?? atMs
}

const fails = (endsAtMs: number, code: string, message: string) => ({ endsAtMs, failure: { code, message } })

function orderState(
  orderId: string,
  certificateId: string,
  purpose: OrderPurpose,
  request: OrderRequest,
  failure: OrderFailure | null,
  createdAtMs: number,
): OrderState {
  const row = { tenantId: TENANT, id: orderId, certificateId, purpose, requestedBy: 'system', request, createdAtMs }
  const state = newOrderState(row, createdAtMs)
  const phase = failure === null ? 'issued' : 'failed'
  return { ...state, job: { ...state.job, phase, failure }, finalizeSent: true }
}

/** The entries of the journal with one of these names, oldest first. */
export async function journal(
  database: D1Database,
  ...events: readonly string[]
): Promise<
  readonly {
    readonly event: string
    readonly detail: Readonly<Record<string, string | number | null>>
  }[]
> {
  const marks = events.map(() => '?').join(', ')
  const { results } = await database
    .prepare(`SELECT event, detail FROM journal WHERE tenant_id = ? AND event IN (${marks}) ORDER BY seq`)
    .bind(TENANT, ...events)
    .all<{ event: string; detail: string }>()
  return results.map(({ event, detail }) => ({ event, detail: JSON.parse(detail) }))
}
