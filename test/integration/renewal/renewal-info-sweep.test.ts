/** What one CA answers about one certificate keeps no other one waiting. */
import { beforeEach, expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import { createLog } from '../../../src/core/log.ts'
import { ok } from '../../../src/core/result.ts'
import { checkRenewalInfo, checkRenewalNow } from '../../../src/renewal/renewal-checks.ts'
import { findCertificate } from '../../../src/store/certificates.ts'
import { DEFAULT_TENANT_ID as TENANT } from '../../../src/store/store.ts'
import { ACTOR, OrderWorld } from '../orders/scripted-order.ts'
import { bindings } from '../support/bindings.ts'

let world: OrderWorld
let accountId = ''
beforeEach(async () => {
  world = await OrderWorld.begin()
  accountId = newId('acmeAccount', world.app.nowMs)
  await world.addAccount(accountId)
  await bindings.DB.prepare('UPDATE certificates SET next_renewal_at_ms = NULL, ari_check_at_ms = NULL').run()
})

async function order(): Promise<string> {
  const body = { account_id: accountId, domains: ['www.example.org'], challenge_type: 'dns-01', solver: 'manual' }
  return (await world.app.request('POST', '/v1/pki/acme/issue', { body })).json.order_id
}

async function certificate(): Promise<string> {
  const id = await order()
  await world.drive(id)
  return (await world.app.request('GET', `/v1/pki/acme/orders/${id}`)).json.certificate_id
}

const set = (id: string, column: string, value: number | string) =>
  bindings.DB.prepare(`UPDATE certificates SET ${column} = ? WHERE id = ?`).bind(value, id).run()

const log = createLog(() => undefined)

it('ok: a certificate about which the CA says what no calendar has', async () => {
  const [broken, whole] = [await certificate(), await certificate()]
  await set(broken, 'ari_check_at_ms', 1)
  await set(whole, 'ari_check_at_ms', 2)
  const startMs = world.app.nowMs + 86_400_000
  let asked = 0
  const accounts = () => ({
    readRenewalInfo: async () => {
      asked += 1
      const window = asked === 1 ? { startMs: -9e15, endMs: -8e15 } : { startMs, endMs: startMs + 1 }
      return ok({ ...window, explanationUrl: null, retryAfterMs: null })
    },
  })
  await checkRenewalInfo({ ...world.app.deps, accounts, log })
  expect(asked).toBe(2)
  expect(await findCertificate(world.app.store, TENANT, whole)).toMatchObject({ renewalReason: 'ari' })
  const row = await findCertificate(world.app.store, TENANT, broken)
  expect(row).toMatchObject({ renewalReason: 'lifetime', ariStartMs: null })
  expect(row?.ariCheckAtMs).toBeGreaterThan(world.app.nowMs)
})

it('ok: asked about by hand, a CA is not asked again before the time that it gave', async () => {
  const id = await certificate()
  const [startMs, endMs] = [world.app.nowMs + 86_400_000, world.app.nowMs + 2 * 86_400_000]
  const retryAfterMs = world.app.nowMs + 3_600_000
  let asked = 0
  const accounts = () => ({
    readRenewalInfo: async () => {
      asked += 1
      return ok({ startMs, endMs, explanationUrl: null, retryAfterMs })
    },
  })
  const check = async () => {
    const row = await findCertificate(world.app.store, TENANT, id)
    if (row === null) throw new Error(`no ${id}`)
    return checkRenewalNow({ ...world.app.deps, accounts }, ACTOR, row)
  }
  expect(await check()).toMatchObject({ isNew: true, info: { startMs, endMs } })
  world.app.nowMs = retryAfterMs - 1
  expect(await check()).toMatchObject({ isNew: false, info: { startMs, endMs } })
  expect(asked).toBe(1)
  world.app.nowMs = retryAfterMs
  expect(await check()).toMatchObject({ isNew: true })
  expect(asked).toBe(2)
})
