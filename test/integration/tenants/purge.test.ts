/** Deleting a tenant for good: every table, broken off anywhere, and nothing of another tenant. */
import { getTableName } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { Ledger } from '../../../src/store/ledger.ts'
import { openDatabase, type Store } from '../../../src/store/store.ts'
import { TENANT_TABLES } from '../../../src/store/tenant-purge.ts'
import { type PurgeDependencies, purgeTenants } from '../../../src/tenants/purge-tenants.ts'
import { addAccount } from '../support/acme-rows.ts'
import { bindings } from '../support/bindings.ts'
import { insertCertificateRows } from '../support/pki-rows.ts'
import { bodyOf } from '../support/pki-world.ts'
import { ROW } from '../support/store-calls.ts'
import { TABLES } from '../support/tables.ts'
import { newTenant, type TestApp, testApp } from '../support/worker-app.ts'

const DAY_MS = 86_400_000
const SETTLED_MS = 20 * 60_000
/** More than a piece. */
const CERTIFICATES = 1_100

let app: TestApp
beforeAll(async () => {
  app = await testApp()
})

/** A tenant with a row in every table, more certificates than a piece has, and an object in the store of CRLs. */
async function filledTenant(name: string, from: number): Promise<string> {
  const id = await newTenant(name)
  const db = openDatabase(bindings.DB)
  const own = { tenantId: id, id: `x-${id}`, tokenHash: `hash-${id}`, token: `token-${id}` }
  for (const table of TENANT_TABLES) {
    const row = { ...ROW, ...own, status: 'pending', step: 'issued', seq: 1 }
    await db
      .insert(table)
      .values(row as never)
      .onConflictDoNothing()
  }
  await insertCertificateRows(id, { from, to: from + CERTIFICATES - 1 })
  await bindings.CRLS.put(`crl/${id}/ca_1/000000000001/0.crl`, 'list')
  return id
}

async function rowsOf(tenantId: string): Promise<Readonly<Record<string, number>>> {
  const answers = await bindings.DB.batch<{ count: number }>(
    TENANT_TABLES.map((table) =>
      bindings.DB.prepare(`SELECT count(*) AS count FROM ${getTableName(table)} WHERE tenant_id = ?`).bind(tenantId),
    ),
  )
  return Object.fromEntries(
    TENANT_TABLES.map((table, at) => [getTableName(table), answers[at]?.results[0]?.count ?? -1]),
  )
}

const NOTHING = Object.fromEntries(TENANT_TABLES.map((table) => [getTableName(table), 0]))
const listsOf = async (tenantId: string) => (await bindings.CRLS.list({ prefix: `crl/${tenantId}/` })).objects.length
const exists = async (id: string) =>
  (await bindings.DB.prepare('SELECT id FROM tenants WHERE id = ?').bind(id).first()) !== null

/** A database that answers so many statements and is then gone. */
function dyingDatabase(statements: number): D1Database {
  let left = statements
  return new Proxy(bindings.DB, {
    get(target, name) {
      if (name === 'prepare') {
        if (left === 0) {
          return () => {
            throw new Error('the process is dead')
          }
        }
        left -= 1
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function countingDatabase(): { readonly db: D1Database; statements(): number } {
  let count = 0
  const db = new Proxy(bindings.DB, {
    get(target, name) {
      if (name === 'prepare') count += 1
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { db, statements: () => count }
}

interface Run {
  readonly nowMs: number
  readonly erased: string[]
  readonly store?: Store
}

function dependenciesOf({ nowMs, erased, store = app.store }: Run): PurgeDependencies {
  const erase = (kind: string) => async (tenantId: string, id: string) => {
    erased.push(`${kind} ${tenantId} ${id}`)
  }
  return {
    store,
    now: () => nowMs,
    crls: app.deps.crls,
    eraseObject: {
      certificateAuthorities: erase('ca'),
      acmeAccounts: erase('account'),
      acmeOrders: erase('order'),
    },
  }
}

const remove = async (id: string, query: string) =>
  bodyOf(await app.request('DELETE', `/v1/tenants/${id}${query}`), 202)

it('ok: every table of the schema whose rows belong to a tenant is met', () => {
  const names = (tables: readonly (typeof TABLES)[number][]) => tables.map(getTableName).sort()
  const withTenant = TABLES.filter((table) => 'tenantId' in table)
  expect(names(TENANT_TABLES)).toEqual(names(withTenant))
})

describe('a tenant whose time of grace is over', () => {
  it('ok: is deleted with everything, however often that breaks off, and no other loses anything', async () => {
    const [gone, other] = [await filledTenant('gone', 1), await filledTenant('other', 10_000)]
    const before = [await rowsOf(other), await listsOf(other)]
    expect(Object.values(await rowsOf(gone)).every((count) => count > 0)).toBe(true)
    await remove(gone, '?grace=0s&confirm=gone')
    const erased: string[] = []
    let nowMs = app.nowMs
    let runs = 0
    for (; (await exists(gone)) && runs < 200; runs += 1) {
      const store = { ...app.store, db: openDatabase(dyingDatabase(3 + (runs % 7))) }
      nowMs += 60_000
      await purgeTenants(dependenciesOf({ nowMs, erased, store: runs < 120 ? store : app.store }))
    }
    expect([runs > 10, await exists(gone)]).toEqual([true, false])
    expect(await rowsOf(gone)).toEqual(NOTHING)
    expect(await listsOf(gone)).toBe(0)
    expect([await rowsOf(other), await listsOf(other)]).toEqual(before)
    expect(new Set(erased)).toEqual(
      new Set([`ca ${gone} x-${gone}`, `account ${gone} x-${gone}`, `order ${gone} x-${gone}`]),
    )
    const { results } = await bindings.DB.prepare(
      "SELECT event FROM journal WHERE tenant_id = 'ten_00000000000000000000000000' AND resource = ? ORDER BY seq",
    )
      .bind(`tenants/${gone}`)
      .all()
    expect(results.map(({ event }) => event)).toEqual([
      'tenant.deletion_scheduled',
      'tenant.deletion_started',
      'tenant.deleted',
    ])
  })

  it('ok: its own row stays until what was under way has ended, and what that left is found', async () => {
    const id = await filledTenant('late', 20_000)
    await remove(id, '?grace=0s&confirm=late')
    const erased: string[] = []
    const run = (nowMs: number) => purgeTenants(dependenciesOf({ nowMs, erased }))
    expect([await run(app.nowMs), await run(app.nowMs + SETTLED_MS - 1), await exists(id)]).toEqual([0, 0, true])
    await bindings.DB.prepare('INSERT INTO compromised_keys (tenant_id, key_hash, created_at_ms) VALUES (?, ?, 0)')
      .bind(id, 'late')
      .run()
    expect([await run(app.nowMs + SETTLED_MS), await run(app.nowMs + SETTLED_MS), await exists(id)]).toEqual([
      0,
      1,
      false,
    ])
  })

  it('fail: nothing is written for it any more, and it cannot be taken back', async () => {
    const id = await filledTenant('closed', 30_000)
    await remove(id, '?grace=0s&confirm=closed')
    await purgeTenants(dependenciesOf({ nowMs: app.nowMs, erased: [] }))
    const entry = { event: 'x', actor: 'x', resource: 'x', detail: {}, requestId: null }
    const ledger = new Ledger(bindings.DB, () => app.nowMs)
    expect(await ledger.commit({ tenantId: id, statements: [], entries: [entry] })).toEqual({ kind: 'conflict' })
    const answers = await Promise.all([
      app.request('PATCH', `/v1/tenants/${id}`, { body: { status: 'active' } }),
      app.request('DELETE', `/v1/tenants/${id}`),
    ])
    expect(answers.map(({ json }) => json.error.code)).toEqual(['conflict', 'conflict'])
  })

  it('fail: nothing is written for it once its own row is gone, either', async () => {
    const id = await filledTenant('bygone', 60_000)
    await remove(id, '?grace=0s&confirm=bygone')
    for (const nowMs of [app.nowMs, app.nowMs + SETTLED_MS, app.nowMs + SETTLED_MS]) {
      await purgeTenants(dependenciesOf({ nowMs, erased: [] }))
    }
    expect(await exists(id)).toBe(false)
    const entry = { event: 'x', actor: 'x', resource: 'x', detail: {}, requestId: null }
    const ledger = new Ledger(bindings.DB, () => app.nowMs)
    expect(await ledger.commit({ tenantId: id, statements: [], entries: [entry] })).toEqual({ kind: 'conflict' })
    expect(await rowsOf(id)).toEqual(NOTHING)
  })

  it('ok: an order that last reported long ago, and was closed by a run that broke off, is found again', async () => {
    const id = await filledTenant('closing', 70_000)
    await remove(id, '?grace=0s&confirm=closing')
    const broken = dependenciesOf({ nowMs: app.nowMs, erased: [] })
    const fail = async () => {
      throw new Error('the process is dead')
    }
    await purgeTenants({ ...broken, eraseObject: { ...broken.eraseObject, acmeOrders: fail } })
    const erased: string[] = []
    await purgeTenants(dependenciesOf({ nowMs: app.nowMs, erased }))
    expect(erased).toContain(`order ${id} x-${id}`)
  })

  it('ok: an object that cannot be ended keeps no other one, and its row stays until it can be', async () => {
    const id = await filledTenant('stuck', 80_000)
    const others = Array.from({ length: 45 }, (_, at) => `acme_${String(at).padStart(3, '0')}`)
    for (const other of others) await addAccount(app.store, { id: other, tenantId: id })
    await remove(id, '?grace=0s&confirm=stuck')
    const erased: string[] = []
    const working = dependenciesOf({ nowMs: app.nowMs, erased })
    // More than a piece of them, and the first ones.
    const isStuck = (owner: string) => others.indexOf(owner) >= 0 && others.indexOf(owner) < 25
    const acmeAccounts = async (tenantId: string, owner: string) => {
      if (isStuck(owner)) throw new Error('the object does not answer')
      await working.eraseObject.acmeAccounts(tenantId, owner)
    }
    await purgeTenants({ ...working, eraseObject: { ...working.eraseObject, acmeAccounts } })
    expect(erased.filter((each) => each.startsWith(`account ${id}`))).toHaveLength(others.length - 25 + 1)
    expect(erased).toContain(`order ${id} x-${id}`)
    expect(await rowsOf(id)).toMatchObject({ acme_accounts: 25 })
    await purgeTenants({ ...working, now: () => app.nowMs + SETTLED_MS })
    expect(await rowsOf(id)).toMatchObject({ acme_accounts: 0 })
  })

  it('ok: a run sends a bounded number of statements, however many tenants are due, and all come to their end', async () => {
    const ids: string[] = []
    for (let at = 0; at < 12; at += 1) ids.push(await filledTenant(`many-${at}`, 100_000 + at * 2_000))
    for (const [at, id] of ids.entries()) await remove(id, `?grace=0s&confirm=many-${at}`)
    let nowMs = app.nowMs
    const most: number[] = []
    const left = async () => (await Promise.all(ids.map(exists))).filter(Boolean).length
    for (let runs = 0; runs < 60 && (await left()) > 0; runs += 1) {
      nowMs += SETTLED_MS
      const counted = countingDatabase()
      const store = { ...app.store, db: openDatabase(counted.db) }
      await purgeTenants(dependenciesOf({ nowMs, erased: [], store }))
      most.push(counted.statements())
    }
    expect(await left()).toBe(0)
    expect(Math.max(...most)).toBeLessThan(320)
  }, 120_000)

  it('ok: within its time of grace, or taken back, nothing is deleted', async () => {
    const [waiting, back] = [await filledTenant('waiting', 40_000), await filledTenant('back', 50_000)]
    await remove(waiting, '')
    await remove(back, '?grace=0s&confirm=back')
    bodyOf(await app.request('PATCH', `/v1/tenants/${back}`, { body: { status: 'active' } }))
    const before = [await rowsOf(waiting), await rowsOf(back)]
    await purgeTenants(dependenciesOf({ nowMs: app.nowMs + 30 * DAY_MS - 1_000, erased: [] }))
    expect([await rowsOf(waiting), await rowsOf(back)]).toEqual(before)
  })
})
