/** What a revocation, or a hold, means for the renewals of an ACME certificate, whichever comes first. */
import { beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import { createLog } from '../../../src/core/log.ts'
import { err, ok } from '../../../src/core/result.ts'
import { requestFor } from '../../../src/orders/certificate-key.ts'
import { renewAcmeCertificate } from '../../../src/orders/issue.ts'
import { generateKeyPair } from '../../../src/pki/keys.ts'
import { formatPem } from '../../../src/pki/pem.ts'
import { checkRenewalInfo } from '../../../src/renewal/renewal-checks.ts'
import { type CertificateRow, findCertificate, findCertificateVersions } from '../../../src/store/certificates.ts'
import { openDatabase, DEFAULT_TENANT_ID as TENANT } from '../../../src/store/store.ts'
import { ACTOR, failure, OrderWorld } from '../orders/scripted-order.ts'
import { bindings } from '../support/bindings.ts'
import { testApp } from '../support/worker-app.ts'
import { sweepRenewals } from './sweep.ts'

const YEAR_MS = 365 * 86_400_000

let world: OrderWorld
let accountId = ''
beforeEach(async () => {
  world = await OrderWorld.begin()
  accountId = newId('acmeAccount', world.app.nowMs)
  await world.addAccount(accountId)
  // Each test has the sweeps to itself.
  await bindings.DB.prepare('UPDATE certificates SET next_renewal_at_ms = NULL, ari_check_at_ms = NULL').run()
})

async function certificate(): Promise<string> {
  const body = { account_id: accountId, domains: ['www.example.org'], challenge_type: 'dns-01', solver: 'manual' }
  const ordered = await world.app.request('POST', '/v1/pki/acme/issue', { body })
  await world.drive(ordered.json.order_id)
  const order = await world.app.request('GET', `/v1/pki/acme/orders/${ordered.json.order_id}`)
  return order.json.certificate_id
}

const read = async (id: string): Promise<CertificateRow> => {
  const row = await findCertificate(world.app.store, TENANT, id)
  if (row === null) throw new Error(`no certificate ${id}`)
  return row
}

const revoke = (id: string, reason = 'superseded') =>
  world.app.request('POST', '/v1/pki/revoke', { body: { certificate_id: id, reason } })
const unhold = (id: string) => world.app.request('POST', `/v1/pki/certificates/${id}/unhold`)
const renew = (id: string) => world.app.request('POST', `/v1/pki/certificates/${id}/renew`, { body: {} })

/** The database, in which something changes once the first batch of reads is over. */
function afterFirstBatch(change: () => Promise<unknown>): D1Database {
  let isOver = false
  return new Proxy(bindings.DB, {
    get(target, name) {
      if (name === 'batch') {
        return async (statements: D1PreparedStatement[]) => {
          const found = await target.batch(statements)
          if (!isOver) await change()
          isOver = true
          return found
        }
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Starts a renewal and runs it until that phase. */
async function renewal(id: string, phase: string): Promise<string> {
  const { order_id } = (await renew(id)).json
  await world.drive(order_id, phase)
  return order_id
}

const sweep = () => sweepRenewals(world.app.deps)

async function events(id: string): Promise<readonly string[]> {
  const audit = await world.app.request('GET', `/v1/audit?resource=pki/certificates/${id}&limit=100`)
  return audit.json.data.map(({ event }: { event: string }) => event).reverse()
}

/** No version of a revoked certificate stands, and nothing is going to renew it. */
async function expectRevoked(id: string, reason: string): Promise<CertificateRow> {
  const row = await read(id)
  const versions = [row, ...((await findCertificateVersions(world.app.store, TENANT, id, 100))?.earlier ?? [])]
  expect(versions.map(({ revocationReason }) => revocationReason)).toEqual(versions.map(() => reason))
  expect(versions.map(({ revokedAtMs }) => revokedAtMs)).not.toContain(null)
  expect(row).toMatchObject({ nextRenewalAtMs: null, ariCheckAtMs: null, openOrderId: null })
  world.app.nowMs += YEAR_MS
  expect(await sweep()).toEqual({ started: 0, failed: 0 })
  return row
}

describe('a revoked certificate', () => {
  it('fail: is renewed by nobody: not by hand, not by auto_renew, not by the sweep', async () => {
    const id = await certificate()
    expect((await revoke(id)).status).toBe(200)
    const byHand = await renew(id)
    expect([byHand.status, byHand.json.error.code]).toEqual([409, 'conflict'])
    expect(byHand.json.error.message).toContain('revoked (superseded)')
    const patched = await world.app.request('PATCH', `/v1/pki/certificates/${id}`, { body: { auto_renew: true } })
    expect([patched.status, patched.json.error.code]).toEqual([409, 'conflict'])
    const off = await world.app.request('PATCH', `/v1/pki/certificates/${id}`, { body: { auto_renew: false } })
    expect([off.status, off.json.next_renewal_at]).toEqual([200, null])
    await expectRevoked(id, 'superseded')
  })

  it('fail: is not claimed by a renewal that has read it before', async () => {
    const id = await certificate()
    const before = await read(id)
    await revoke(id)
    await expect(renewAcmeCertificate(world.app.deps, ACTOR, before, 'renewal')).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('revoked'),
    })
    await expectRevoked(id, 'superseded')
  })

  it('fail: does not come back by an old schedule in its row', async () => {
    const id = await certificate()
    await revoke(id)
    await bindings.DB.prepare('UPDATE certificates SET next_renewal_at_ms = 1 WHERE id = ?').bind(id).run()
    expect(await sweep()).toEqual({ started: 0, failed: 0 })
    expect((await read(id)).openOrderId).toBeNull()
  })

  it('fail: gets no schedule from a CA that answers about its renewal after the revocation', async () => {
    const id = await certificate()
    await bindings.DB.prepare('UPDATE certificates SET ari_check_at_ms = 1 WHERE id = ?').bind(id).run()
    const window = { startMs: 1, endMs: 2, explanationUrl: null, retryAfterMs: world.app.nowMs + 1 }
    let asked = 0
    const accounts = () => ({
      readRenewalInfo: async () => {
        asked += 1
        await revoke(id)
        return ok(window)
      },
    })
    await checkRenewalInfo({ ...world.app.deps, accounts, log: createLog(() => undefined) })
    expect(asked).toBe(1)
    await expectRevoked(id, 'superseded')
  })

  it('fail: is given no auto_renew by a request that has read it before', async () => {
    const id = await certificate()
    const { store } = world.app
    let isFirst = true
    Object.assign(world.app.deps, {
      store: {
        ...store,
        commit: async (work: Parameters<typeof store.commit>[0]) => {
          const isPatch = work.entries.some(({ event }) => event === 'certificate.updated')
          if (isPatch && isFirst) {
            isFirst = false
            await revoke(id)
          }
          return store.commit(work)
        },
      },
    })
    const patched = await world.app.request('PATCH', `/v1/pki/certificates/${id}`, { body: { auto_renew: true } })
    expect(patched.status).toBe(409)
    await expectRevoked(id, 'superseded')
  })
})

describe('a renewal whose certificate is revoked', () => {
  it.each(['new-order', 'finalize'])('ok: is cancelled in %s, and arms nothing', async (phase) => {
    const id = await certificate()
    const orderId = await renewal(id, phase)
    await revoke(id)
    const end = await world.drive(orderId)
    expect(end.job).toMatchObject({ phase: 'failed', failure: { code: 'cancelled' } })
    expect(end.job.failure?.message).toContain('revoked')
    expect(world.ca.issued).toHaveLength(1)
    expect(await expectRevoked(id, 'superseded')).toMatchObject({ version: 1, renewalFailures: 0 })
    expect(await events(id)).toEqual(['certificate.issued', 'certificate.revoked'])
  })

  it.each(['new-order', 'finalize'])('ok: ends in %s by itself where nobody could reach it', async (phase) => {
    const id = await certificate()
    const orderId = await renewal(id, phase)
    const cancel = () => Promise.reject(new Error('the object is out of reach'))
    const orders: OrderWorld['orders'] = (tenantId, order) => ({ ...world.orders(tenantId, order), cancel })
    Object.assign(world.app.deps, { orders })
    expect((await revoke(id)).status).toBe(200)
    Object.assign(world.app.deps, { orders: world.orders })
    const end = await world.drive(orderId)
    expect(end.job).toMatchObject({ phase: 'failed', failure: { code: 'cancelled' } })
    expect(world.ca.issued).toHaveLength(1)
    await expectRevoked(id, 'superseded')
  })

  it('ok: brings a version that is stored as revoked, and revoked at the CA, where the CSR was sent', async () => {
    const id = await certificate()
    const orderId = await renewal(id, 'download')
    await revoke(id, 'key_compromise')
    const end = await world.drive(orderId)
    expect(end.job).toMatchObject({ phase: 'failed', failure: { code: 'conflict' } })
    expect(end.job.failure?.message).toContain('the CA has revoked it too')
    const row = await expectRevoked(id, 'key_compromise')
    expect(row).toMatchObject({ version: 2, renewalFailures: 0 })
    expect(world.ca.revoked).toMatchObject([{ certificateDer: world.ca.issued[1], reason: 1, by: 'account' }])
    expect(await events(id)).toEqual(['certificate.issued', 'certificate.revoked', 'certificate.revoked'])
  })

  it('ok: is asked of the CA until it is revoked there, and said where it cannot be', async () => {
    const id = await certificate()
    const orderId = await renewal(id, 'download')
    await revoke(id)
    const { revokeCertificate: done } = world.ca.port
    let refusals = 0
    world.ca.port.revokeCertificate = async (revocation) => {
      refusals += 1
      if (refusals >= 3) return done(revocation)
      return err({ reason: 'transport', failure: 'unreachable', url: 'https://ca.example', message: 'down' })
    }
    expect((await world.drive(orderId)).job.failure?.message).toContain('the CA has revoked it too')
    expect([refusals, world.ca.revoked.length]).toEqual([3, 1])

    const other = await certificate()
    const second = await renewal(other, 'download')
    await revoke(other)
    world.ca.port.revokeCertificate = async () =>
      err({ reason: 'invalid_argument', argument: 'certificate', message: 'not yours' })
    expect((await world.drive(second)).job.failure?.message).toContain('the CA did not revoke it: not yours')
    await expectRevoked(other, 'superseded')
  })

  it('ok: revoked in the very moment in which the version is stored', async () => {
    const id = await certificate()
    const orderId = await renewal(id, 'download')
    const { downloadChain: fetchChain } = world.ca.port
    world.ca.port.downloadChain = async (url) => {
      const chain = await fetchChain(url)
      await revoke(id)
      return chain
    }
    await world.drive(orderId)
    expect(await expectRevoked(id, 'superseded')).toMatchObject({ version: 2 })
    expect(world.ca.revoked).toHaveLength(1)
  })

  it('ok: revoked between the reading of the row and the batch', async () => {
    const id = await certificate()
    const orderId = await renewal(id, 'download')
    const { store } = world.app
    const commit = store.commit
    let isFirst = true
    Object.assign(store, {
      commit: async (work: Parameters<typeof commit>[0]) => {
        if (work.entries.some(({ event }) => event === 'certificate.renewed') && isFirst) {
          isFirst = false
          await revoke(id)
        }
        return commit(work)
      },
    })
    await world.drive(orderId)
    expect(isFirst).toBe(false)
    expect(await expectRevoked(id, 'superseded')).toMatchObject({ version: 2 })
    expect(world.ca.revoked).toHaveLength(1)
  })

  it('ok: a renewal that fails after the revocation arms nothing', async () => {
    const id = await certificate()
    const orderId = await renewal(id, 'finalize')
    world.ca.port.finalizeOrder = async () => {
      await revoke(id)
      return { ok: false, error: failure('badCSR', { transient: false }) }
    }
    expect((await world.drive(orderId)).job.failure?.message).toContain('badCSR')
    await expectRevoked(id, 'superseded')
    expect(await events(id)).toEqual(['certificate.issued', 'certificate.revoked'])
  })

  it('ok: revoked between the reading of the row and the end of an order that failed', async () => {
    const id = await certificate()
    const orderId = await renewal(id, 'finalize')
    world.ca.port.finalizeOrder = async () => ({ ok: false, error: failure('badCSR', { transient: false }) })
    const { store } = world.app
    const commit = store.commit
    let isFirst = true
    Object.assign(store, {
      commit: async (work: Parameters<typeof commit>[0]) => {
        if (work.entries.some(({ event }) => event === 'order.invalid') && isFirst) {
          isFirst = false
          await revoke(id)
        }
        return commit(work)
      },
    })
    await world.drive(orderId)
    expect(isFirst).toBe(false)
    await expectRevoked(id, 'superseded')
  })
})

describe('a certificate on hold', () => {
  it('ok: renews again once the hold is lifted', async () => {
    const id = await certificate()
    const { nextRenewalAtMs } = await read(id)
    await revoke(id, 'certificate_hold')
    expect(await read(id)).toMatchObject({ nextRenewalAtMs: null, ariCheckAtMs: null })
    expect((await renew(id)).json.error.message).toContain('lift the hold')
    expect((await unhold(id)).json).toMatchObject({ status: 'active', auto_renew: true })
    expect(await read(id)).toMatchObject({ nextRenewalAtMs, ariCheckAtMs: world.app.nowMs, revokedAtMs: null })
    world.app.nowMs += 80 * 86_400_000
    expect(await sweep()).toEqual({ started: 1, failed: 0 })
  })

  it('fail: is not lifted with the schedule of a version that another request replaces after it was read', async () => {
    const id = await certificate()
    await revoke(id, 'certificate_hold')
    const replace = bindings.DB.prepare(
      'UPDATE certificates SET version = version + 1, not_after_ms = not_after_ms + ? WHERE id = ?',
    ).bind(YEAR_MS, id)
    const app = await testApp({
      wrapStore: (store) => ({ ...store, db: openDatabase(afterFirstBatch(() => replace.run())) }),
    })
    const { status, json } = await app.request('POST', `/v1/pki/certificates/${id}/unhold`)
    expect([status, json.error?.code]).toEqual([409, 'conflict'])
    expect(await read(id)).toMatchObject({ version: 2, revocationReason: 'certificate_hold', nextRenewalAtMs: null })
  })

  it('ok: keeps what auto_renew is set to meanwhile', async () => {
    const id = await certificate()
    const patch = (auto_renew: boolean) =>
      world.app.request('PATCH', `/v1/pki/certificates/${id}`, { body: { auto_renew } })
    await revoke(id, 'certificate_hold')
    expect((await patch(false)).json).toMatchObject({ auto_renew: false, next_renewal_at: null })
    await unhold(id)
    expect(await read(id)).toMatchObject({ autoRenew: false, nextRenewalAtMs: null, ariCheckAtMs: null })
    await revoke(id, 'certificate_hold')
    expect((await patch(true)).json).toMatchObject({ auto_renew: true, next_renewal_at: null })
    await unhold(id)
    expect((await read(id)).nextRenewalAtMs).not.toBeNull()
  })

  it('ok: a renewal that was under way is cancelled, counts as no failure, and comes again after the hold', async () => {
    const id = await certificate()
    const orderId = await renewal(id, 'finalize')
    await revoke(id, 'certificate_hold')
    expect((await world.drive(orderId)).job.failure?.code).toBe('cancelled')
    expect(await read(id)).toMatchObject({ openOrderId: null, renewalFailures: 0, nextRenewalAtMs: null })
    await unhold(id)
    expect((await read(id)).nextRenewalAtMs).not.toBeNull()
  })

  it('ok: the version of a renewal that the CA went on with is on hold too, and is released or revoked with it', async () => {
    const id = await certificate()
    const orderId = await renewal(id, 'download')
    await revoke(id, 'certificate_hold')
    expect((await world.drive(orderId)).job).toMatchObject({ phase: 'issued', failure: null })
    expect(world.ca.revoked).toEqual([])
    const held = await read(id)
    expect(held).toMatchObject({ version: 2, revocationReason: 'certificate_hold', nextRenewalAtMs: null })
    await unhold(id)
    const released = await read(id)
    expect(released).toMatchObject({ version: 2, revokedAtMs: null })
    expect(released.nextRenewalAtMs).not.toBeNull()
    await revoke(id, 'certificate_hold')
    await revoke(id, 'superseded')
    await expectRevoked(id, 'superseded')
  })

  it('ok: a hold that is lifted while the version is stored leaves a version that stands', async () => {
    const id = await certificate()
    const orderId = await renewal(id, 'download')
    await revoke(id, 'certificate_hold')
    const { store } = world.app
    const commit = store.commit
    let isFirst = true
    Object.assign(store, {
      commit: async (work: Parameters<typeof commit>[0]) => {
        if (work.entries.some(({ detail }) => JSON.stringify(detail).includes(orderId)) && isFirst) {
          isFirst = false
          await unhold(id)
        }
        return commit(work)
      },
    })
    expect((await world.drive(orderId)).job.phase).toBe('issued')
    const row = await read(id)
    expect(row).toMatchObject({ version: 2, revokedAtMs: null })
    expect(row.nextRenewalAtMs).not.toBeNull()
  })
})

describe('a certificate for a request of its owner, whose key was revoked for key_compromise', () => {
  const order = (csr_pem: string) =>
    world.app.request('POST', '/v1/pki/acme/issue', {
      body: {
        account_id: accountId,
        domains: ['www.example.org'],
        challenge_type: 'dns-01',
        solver: 'manual',
        csr_pem,
      },
    })
  const ownRequest = async (): Promise<string> => {
    const pair = await generateKeyPair({ type: 'ec', size: 256 })
    return formatPem('CERTIFICATE REQUEST', await requestFor(pair, ['www.example.org']))
  }
  const revokeSerial = (serial_number: string, reason: string) =>
    world.app.request('POST', '/v1/pki/revoke', { body: { serial_number, reason } })

  /** Renewed once; its first version. */
  async function renewedOnce(): Promise<{ id: string; first: CertificateRow; csr: string }> {
    const csr = await ownRequest()
    const ordered = await order(csr)
    await world.drive(ordered.json.order_id)
    const done = await world.app.request('GET', `/v1/pki/acme/orders/${ordered.json.order_id}`)
    const first = await read(done.json.certificate_id)
    await world.drive((await renew(first.id)).json.order_id)
    return { id: first.id, first, csr }
  }
  const COMPROMISED = [422, 'policy_violation', expect.stringContaining('was revoked for key_compromise')]
  const refused = ({ status, json }: Awaited<ReturnType<typeof order>>): unknown[] => [
    status,
    json.error?.code,
    json.error?.message,
  ]

  it('fail: is not renewed, by hand or by the sweep, and not ordered again', async () => {
    const { id, first, csr } = await renewedOnce()
    expect((await revokeSerial(first.serialNumber, 'key_compromise')).status).toBe(200)
    expect([refused(await renew(id)), refused(await order(csr))]).toEqual([COMPROMISED, COMPROMISED])
    await bindings.DB.prepare('UPDATE certificates SET next_renewal_at_ms = 1 WHERE id = ?').bind(id).run()
    expect(await sweep()).toEqual({ started: 0, failed: 1 })
    expect(await read(id)).toMatchObject({ version: 2, openOrderId: null, renewalError: COMPROMISED[2] })
    expect((await order(await ownRequest())).status).toBe(202)
  })

  it('fail: is not claimed by a renewal that has looked before', async () => {
    const { id, first } = await renewedOnce()
    const { store } = world.app
    let isFirst = true
    Object.assign(world.app.deps, {
      store: {
        ...store,
        commit: async (work: Parameters<typeof store.commit>[0]) => {
          if (isFirst && work.entries.some(({ event }) => event === 'order.created')) {
            isFirst = false
            expect((await revokeSerial(first.serialNumber, 'key_compromise')).status).toBe(200)
          }
          return store.commit(work)
        },
      },
    })
    expect(refused(await renew(id))).toEqual(COMPROMISED)
    expect(await read(id)).toMatchObject({ version: 2, openOrderId: null })
  })

  it('ok: is renewed after a revocation for another reason', async () => {
    const { id, first } = await renewedOnce()
    expect((await revokeSerial(first.serialNumber, 'superseded')).status).toBe(200)
    await world.drive((await renew(id)).json.order_id)
    expect(await read(id)).toMatchObject({ version: 3 })
  })

  it('fail: a renewal under way ends before its request is sent', async () => {
    const { id, first } = await renewedOnce()
    const orderId = await renewal(id, 'finalize')
    expect((await revokeSerial(first.serialNumber, 'key_compromise')).status).toBe(200)
    const end = await world.drive(orderId)
    expect(end.job).toMatchObject({ phase: 'failed', failure: { message: COMPROMISED[2] } })
    expect(world.ca.issued).toHaveLength(2)
    expect(await read(id)).toMatchObject({ version: 2, openOrderId: null })
  })
})
