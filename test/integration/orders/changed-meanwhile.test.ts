/** Changes of an ACME certificate that another one overtakes between the reading and the writing. */
import { beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import { renewAcmeCertificate } from '../../../src/orders/issue.ts'
import { type CertificateRow, findCertificate } from '../../../src/store/certificates.ts'
import { DEFAULT_TENANT_ID as TENANT } from '../../../src/store/store.ts'
import { sweepRenewals } from '../renewal/sweep.ts'
import { bindings } from '../support/bindings.ts'
import { ACTOR, OrderWorld } from './scripted-order.ts'

let world: OrderWorld
let [own, other, third] = ['', '', '']
beforeEach(async () => {
  world = await OrderWorld.begin()
  ;[own, other, third] = [1, 2, 3].map(() => newId('acmeAccount', world.app.nowMs)) as [string, string, string]
  for (const id of [own, other, third]) await world.addAccount(id)
  // Each test has the sweeps to itself.
  await bindings.DB.prepare('UPDATE certificates SET next_renewal_at_ms = NULL, ari_check_at_ms = NULL').run()
})

const request = (method: string, path: string, body?: unknown) => world.app.request(method, path, { body })

async function certificate(): Promise<string> {
  const body = { account_id: own, domains: ['www.example.org'], challenge_type: 'dns-01', solver: 'manual' }
  const { order_id } = (await request('POST', '/v1/pki/acme/issue', body)).json
  await world.drive(order_id)
  return (await request('GET', `/v1/pki/acme/orders/${order_id}`)).json.certificate_id
}

const read = async (id: string): Promise<CertificateRow> => {
  const row = await findCertificate(world.app.store, TENANT, id)
  if (row === null) throw new Error(`no certificate ${id}`)
  return row
}
const patch = (id: string, body: unknown) => request('PATCH', `/v1/pki/certificates/${id}`, body)
const renew = async (id: string): Promise<string> =>
  (await request('POST', `/v1/pki/certificates/${id}/renew`, {})).json.order_id
const accountOf = ({ renewalRequest }: CertificateRow) => (renewalRequest as { readonly accountId: string }).accountId

/** The first work with that event is overtaken. */
function overtake(event: string, by: () => Promise<unknown>): void {
  const { store } = world.app
  let isFirst = true
  const commit = async (work: Parameters<typeof store.commit>[0]) => {
    if (isFirst && work.entries.some((entry) => entry.event === event)) {
      isFirst = false
      await by()
    }
    return store.commit(work)
  }
  Object.assign(world.app, { store: { ...store, commit } })
  Object.assign(world.app.deps, { store: { ...store, commit } })
}

/** Its renewals have failed: a move to another account makes it due. */
const failing = (id: string) =>
  bindings.DB.prepare('UPDATE certificates SET renewal_failures = 3, next_renewal_at_ms = ? WHERE id = ?')
    .bind(world.app.nowMs + 1e9, id)
    .run()

describe('a move to another account', () => {
  it.each<[string, (id: string) => Promise<unknown>, Partial<CertificateRow>]>([
    [
      'a revocation',
      (id) => request('POST', '/v1/pki/revoke', { certificate_id: id, reason: 'superseded' }),
      { revocationReason: 'superseded', nextRenewalAtMs: null },
    ],
    ['the end of auto_renew', (id) => patch(id, { auto_renew: false }), { autoRenew: false, nextRenewalAtMs: null }],
    [
      'the end of the account that it goes to',
      () => bindings.DB.prepare("UPDATE acme_accounts SET status = 'deactivated' WHERE id = ?").bind(other).run(),
      { revokedAtMs: null },
    ],
  ])('fail: is not written over %s', async (_name, by, left) => {
    const id = await certificate()
    await failing(id)
    overtake('certificate.updated', () => by(id))
    const moved = await patch(id, { account_id: other })
    expect([moved.status, moved.json.error?.code]).toEqual([409, 'conflict'])
    const row = await read(id)
    expect(row).toMatchObject(left)
    expect(accountOf(row)).toBe(own)
  })

  it('fail: is not written over another move', async () => {
    const id = await certificate()
    overtake('certificate.updated', () => patch(id, { account_id: third }))
    expect((await patch(id, { account_id: other })).status).toBe(409)
    expect(accountOf(await read(id))).toBe(third)
  })
})

describe('a renewal', () => {
  it('fail: is not ordered with an account that the certificate has left', async () => {
    const id = await certificate()
    const before = await read(id)
    await patch(id, { account_id: other })
    const renewal = renewAcmeCertificate(world.app.deps, ACTOR, before, 'forced')
    await expect(renewal).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('read it again') })
    expect((await read(id)).openOrderId).toBeNull()
  })

  it('fail: is not ordered for a version that has been replaced', async () => {
    const id = await certificate()
    const before = await read(id)
    await world.drive(await renew(id))
    await expect(renewAcmeCertificate(world.app.deps, ACTOR, before, 'renewal')).rejects.toMatchObject({
      code: 'conflict',
    })
    expect(await read(id)).toMatchObject({ version: 2, openOrderId: null })
  })

  it('ok: that the sweep could not claim as it was read is no failure', async () => {
    const id = await certificate()
    await bindings.DB.prepare('UPDATE certificates SET next_renewal_at_ms = 1 WHERE id = ?').bind(id).run()
    overtake('order.created', () => patch(id, { account_id: other }))
    expect(await sweepRenewals(world.app.deps)).toEqual({ started: 0, failed: 0 })
    expect(await read(id)).toMatchObject({ renewalFailures: 0, openOrderId: null, nextRenewalAtMs: 1 })
    expect(await sweepRenewals(world.app.deps)).toEqual({ started: 1, failed: 0 })
  })

  it('fail: one that was refused says nothing of a version that came meanwhile', async () => {
    const id = await certificate()
    await bindings.DB.prepare('UPDATE certificates SET next_renewal_at_ms = 1 WHERE id = ?').bind(id).run()
    await bindings.DB.prepare("UPDATE acme_accounts SET status = 'lost' WHERE id = ?").bind(own).run()
    overtake('certificate.renewal_failed', async () => {
      await bindings.DB.prepare("UPDATE acme_accounts SET status = 'active' WHERE id = ?").bind(own).run()
      await world.drive(await renew(id))
    })
    await sweepRenewals(world.app.deps)
    expect(await read(id)).toMatchObject({ version: 2, renewalFailures: 0, renewalError: null })
  })

  it('ok: hears of the end of auto_renew, even while its version is stored', async () => {
    const id = await certificate()
    const orderId = await renew(id)
    overtake('certificate.renewed', () => patch(id, { auto_renew: false }))
    expect((await world.drive(orderId)).job.phase).toBe('issued')
    expect(await read(id)).toMatchObject({ version: 2, autoRenew: false, nextRenewalAtMs: null, openOrderId: null })
  })
})
