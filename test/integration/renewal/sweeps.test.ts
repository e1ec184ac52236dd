import { describe, expect, it } from 'vitest'
import type { AccountObjects } from '../../../src/accounts/account-object.ts'
import { prune } from '../../../src/cron/prune.ts'
import { resumeOrders } from '../../../src/cron/resume-orders.ts'
import type { OrderObjects } from '../../../src/orders/order-object.ts'
import { insertAcmeAccount } from '../../../src/store/acme-accounts.ts'
import { staleOpenOrders } from '../../../src/store/acme-orders.ts'
import { findCertificate, insertCertificate } from '../../../src/store/certificates.ts'
import type { OrderRequest } from '../../../src/store/order-request.ts'
import { DEFAULT_TENANT_ID, type Store } from '../../../src/store/store.ts'
import { accountRow } from '../support/acme-rows.ts'
import { bindings } from '../support/bindings.ts'
import { ORDER_REQUEST } from '../support/stored-shapes.ts'
import { testApp } from '../support/worker-app.ts'
import { sweepRenewals } from './sweep.ts'

const ACCOUNT = 'acme_00000000000000000000000001'
const request = (domain: string, challengeType: OrderRequest['challengeType']): OrderRequest => ({
  ...ORDER_REQUEST,
  accountId: ACCOUNT,
  domains: [domain],
  challengeType,
})

/** Begun long ago, at a CA that never answered. */
async function registering(store: Store, id: string): Promise<void> {
  const account = accountRow({ id, accountUrl: '', status: 'registering', thumbprint: id })
  // Past a store that is broken.
  await bindings.TENANT_LEDGER.getByName(DEFAULT_TENANT_ID).commit({
    tenantId: DEFAULT_TENANT_ID,
    statements: [insertAcmeAccount(store, account)],
    entries: [],
  })
}

async function registrations(): Promise<string[]> {
  const { results } = await bindings.DB.prepare("SELECT id FROM acme_accounts WHERE status = 'registering'").all<{
    id: string
  }>()
  return results.map(({ id }) => id)
}

const expiredKey = () =>
  bindings.DB.prepare(
    `INSERT INTO idempotency_keys (tenant_id, token_id, key, request_hash, expires_at_ms)
      VALUES (?, 'tok_x', 'expired', 'x', 1)`,
  )
    .bind(DEFAULT_TENANT_ID)
    .run()

const expiredKeys = () =>
  bindings.DB.prepare("SELECT count(*) AS n FROM idempotency_keys WHERE key = 'expired'").first<number>('n')

describe('sweeps go on after one item that breaks', () => {
  it('fail: a provider that cannot be opened keeps no other certificate from its renewal', async () => {
    const begun: string[] = []
    const app = await testApp({
      objects: {
        orders: ((_tenant, id) => ({
          start: async () => void begun.push(id),
        })) as OrderObjects<'start'> as OrderObjects,
        accounts: (() => ({ reserveOrder: async () => ({ allowed: true }) })) as unknown as AccountObjects,
      },
    })
    const { store } = app
    const base = { tenantId: DEFAULT_TENANT_ID, createdAtMs: 1, updatedAtMs: 1 }
    const certificate = (number: number, domain: string, challengeType: OrderRequest['challengeType']) =>
      insertCertificate(store, {
        ...base,
        id: `cert_0000000000000000000000000${number}`,
        source: 'acme',
        version: 1,
        issuerCaId: null,
        roleName: null,
        keyOrigin: null,
        issueTerms: null,
        ariStartMs: null,
        ariEndMs: null,
        ariCheckAtMs: null,
        ariExplanationUrl: null,
        acmeAccountId: ACCOUNT,
        commonName: null,
        displayName: domain,
        names: { dns: [domain], ip: [], email: [], uri: [] },
        serialNumber: `0${number}`,
        notBeforeMs: app.nowMs - 1,
        notAfterMs: app.nowMs + 86_400_000,
        keyType: 'ec',
        keySize: 256,
        leafPem: '',
        chainPem: '',
        sealedPrivateKey: null,
        tags: [],
        description: null,
        autoRenew: true,
        nextRenewalAtMs: number,
        renewalReason: null,
        renewalFailures: 0,
        renewalError: null,
        renewalRequest: request(domain, challengeType),
        openOrderId: null,
        revokedAtMs: null,
        revocationReason: null,
      })
    const account = insertAcmeAccount(store, accountRow({ id: ACCOUNT }))
    const statements = [account, certificate(1, 'broken.example', 'dns-01'), certificate(2, 'whole.example', 'http-01')]
    await store.commit({ tenantId: DEFAULT_TENANT_ID, statements, entries: [] })
    // Without managed zones: its credentials are asked which names it serves.
    const body = { name: 'broken', type: 'cloudflare', config: { api_token: 'x' } }
    const provider = await app.request('POST', '/v1/pki/dns-providers', { body })
    expect(provider.status).toBe(201)
    await bindings.DB.prepare("UPDATE dns_providers SET sealed_credentials = 's1.gone.AAAA'").run()
    const swept = await sweepRenewals({ ...app.deps, now: () => app.nowMs })
    expect(swept).toEqual({ started: 1, failed: 1 })
    const [broken, whole] = await Promise.all(
      [1, 2].map((number) => findCertificate(store, DEFAULT_TENANT_ID, `cert_0000000000000000000000000${number}`)),
    )
    expect(broken).toMatchObject({ renewalFailures: 1, openOrderId: null })
    expect(broken?.nextRenewalAtMs).toBeGreaterThan(app.nowMs)
    expect(begun).toEqual([whole?.openOrderId])
  })

  it('fail: an error that nobody expected is noted with its certificate, which is tried again later', async () => {
    const app = await testApp()
    await bindings.DB.prepare(
      "UPDATE certificates SET open_order_id = NULL, next_renewal_at_ms = 1, renewal_request = '{}'",
    ).run()
    const swept = await sweepRenewals({ ...app.deps, now: () => app.nowMs })
    expect(swept).toEqual({ started: 0, failed: 2 })
    const { results } = await bindings.DB.prepare(
      'SELECT next_renewal_at_ms AS at, renewal_error AS error FROM certificates',
    ).all()
    for (const { at, error } of results) {
      expect(at).toBeGreaterThan(app.nowMs)
      expect(error).toMatch(/./)
    }
  })

  it('fail: a registration that cannot be given up keeps no other one, nor what else is pruned', async () => {
    const stuck = 'acme_0000000000000000000000stuck'
    const app = await testApp({
      wrapStore: (store) => ({
        ...store,
        async commit(work) {
          if (JSON.stringify(work).includes(stuck)) throw new Error('the ledger is away')
          return store.commit(work)
        },
      }),
    })
    await registering(app.store, stuck)
    await registering(app.store, 'acme_0000000000000000000000other')
    await expiredKey()
    await prune({ store: app.store, now: () => app.nowMs })
    expect([await registrations(), await expiredKeys()]).toEqual([[stuck], 0])
  })

  it('fail: a step of pruning that fails keeps no other one from running, and the run counts as failed', async () => {
    const app = await testApp()
    await expiredKey()
    let isBroken = true
    const store = {
      ...app.store,
      get db(): typeof app.store.db {
        if (!isBroken) return app.store.db
        isBroken = false
        throw new Error('a database that is overloaded')
      },
    }
    await expect(prune({ store, now: () => app.nowMs })).rejects.toThrow('overloaded')
    expect(await expiredKeys()).toBe(0)
  })

  it('ok: one run prunes at most 50,000 idempotency keys, the oldest first, and the next one the rest; none that stands', async () => {
    const app = await testApp()
    const insert = (from: number, to: number, expiresAtMs: string) =>
      bindings.DB.prepare(
        `WITH RECURSIVE numbers(n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM numbers WHERE n < ${to})
          INSERT INTO idempotency_keys (tenant_id, token_id, key, request_hash, expires_at_ms) SELECT 'ten_x', 'tok_x', n, '', ${expiresAtMs} FROM numbers`,
      ).run()
    await insert(1, 50_400, `${app.nowMs} - 60000 + n`)
    await insert(60_001, 60_002, `${app.nowMs + 1}`)
    const left = () =>
      bindings.DB.prepare(
        "SELECT count(*) AS count, min(CAST(key AS INTEGER)) AS first FROM idempotency_keys WHERE tenant_id = 'ten_x'",
      ).first()
    await prune({ store: app.store, now: () => app.nowMs })
    expect(await left()).toEqual({ count: 402, first: 50_001 })
    await prune({ store: app.store, now: () => app.nowMs })
    expect(await left()).toEqual({ count: 2, first: 60_001 })
  })

  it('ok: forgets tokens that have signed in once when they end by themselves, and no sooner', async () => {
    const app = await testApp()
    const insert = (hash: string, expiresAtMs: number) =>
      bindings.DB.prepare(
        "INSERT INTO used_sign_ins (tenant_id, issuer_id, jti_hash, expires_at_ms) VALUES ('ten_x', 'x', ?, ?)",
      )
        .bind(hash, expiresAtMs)
        .run()
    await insert('over', app.nowMs)
    await insert('stands', app.nowMs + 1)
    await prune({ store: app.store, now: () => app.nowMs })
    const { results } = await bindings.DB.prepare("SELECT jti_hash FROM used_sign_ins WHERE tenant_id = 'ten_x'").all()
    expect(results).toEqual([{ jti_hash: 'stands' }])
  })

  it('ok: deletes deliveries after 30 days, and no sooner', async () => {
    const app = await testApp()
    const day = 86_400_000
    for (const [id, ageMs] of [
      ['old', 30 * day + 1],
      ['young', 30 * day],
    ] as const) {
      await bindings.DB.prepare(
        `INSERT INTO deliveries (tenant_id, subscription_id, id, seq, event_id, event, resource, status, tries, attempts, created_at_ms, updated_at_ms)
          VALUES ('ten_x', 'sub_x', ?, 1, 'evt_x', 'x', 'x', 'delivered', 1, '[]', ?, 0)`,
      )
        .bind(id, app.nowMs - ageMs)
        .run()
    }
    await prune({ store: app.store, now: () => app.nowMs })
    const { results } = await bindings.DB.prepare("SELECT id FROM deliveries WHERE tenant_id = 'ten_x'").all()
    expect(results).toEqual([{ id: 'young' }])
  })

  it('fail: an order that cannot be started keeps no other one waiting', async () => {
    const app = await testApp()
    const insert = (id: string) =>
      bindings.DB.prepare(
        `INSERT INTO acme_orders (tenant_id, id, account_id, certificate_id, purpose, requested_by, status, step, domains, request, report, next_attempt_at_ms, created_at_ms, updated_at_ms)
         VALUES (?, ?, 'a', 'c', 'issue', 't', 'pending', 'new-order', '[]', '{}', '{}', 1, 1, 1)`,
      )
        .bind(DEFAULT_TENANT_ID, id)
        .run()
    await insert('acme_order_a')
    await insert('acme_order_b')
    const asked: string[] = []
    const start = async (_tenant: string, id: string) => {
      asked.push(id)
      if (id === 'acme_order_a') throw new Error('an object that is overloaded')
    }
    await resumeOrders({ store: app.store, orders: () => ({ start }), now: () => app.nowMs })
    expect(asked).toEqual(expect.arrayContaining(['acme_order_a', 'acme_order_b']))
    // In the next minutes it takes no place of others.
    const stale = async () => (await staleOpenOrders(app.store, app.nowMs - 60_000, 500)).map(({ id }) => id)
    expect(await stale()).not.toContain('acme_order_a')
    app.nowMs += 7 * 60_000
    // The longest overdue comes first.
    expect((await stale()).filter((id) => asked.includes(id))).toEqual(['acme_order_b', 'acme_order_a'])
  })

  it('ok: an order that can neither be started nor postponed keeps no other from being started', async () => {
    const app = await testApp()
    const asked: string[] = []
    const start = async (_tenant: string, id: string) => {
      asked.push(id)
      throw new Error('an object that is overloaded')
    }
    const commit: Store['commit'] = () => Promise.reject(new Error('a ledger that is overloaded'))
    const now = () => app.nowMs + 60 * 60_000
    await resumeOrders({ store: { ...app.store, commit }, orders: () => ({ start }), now })
    expect(asked).toEqual(expect.arrayContaining(['acme_order_a', 'acme_order_b']))
  })
})
