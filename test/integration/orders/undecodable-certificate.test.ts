/** An order whose certificate's row holds JSON that does not decode: it comes to its end all the same, and frees the certificate. */
import { beforeEach, expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import { findCertificateState } from '../../../src/store/certificates.ts'
import { DEFAULT_TENANT_ID as TENANT } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import { failure, OrderWorld } from './scripted-order.ts'

let world: OrderWorld
let id = ''
beforeEach(async () => {
  world = await OrderWorld.begin()
  const accountId = newId('acmeAccount', world.app.nowMs)
  await world.addAccount(accountId)
  const body = { account_id: accountId, domains: ['www.example.org'], challenge_type: 'dns-01', solver: 'manual' }
  const ordered = await world.app.request('POST', '/v1/pki/acme/issue', { body })
  await world.drive(ordered.json.order_id)
  id = (await world.app.request('GET', `/v1/pki/acme/orders/${ordered.json.order_id}`)).json.certificate_id
})

const renew = async (): Promise<string> =>
  (await world.app.request('POST', `/v1/pki/certificates/${id}/renew`, { body: {} })).json.order_id
const spoil = () => bindings.DB.prepare("UPDATE certificates SET tags = '{' WHERE id = ?").bind(id).run()

it('fail: the CA refuses: the renewal has failed, and its next try is set', async () => {
  const orderId = await renew()
  await spoil()
  world.ca.port.finalizeOrder = async () => ({ ok: false, error: failure('refused', { transient: false }) })
  expect((await world.drive(orderId)).job.failure?.message).toBe('refused')
  const row = await findCertificateState(world.app.store, TENANT, id)
  expect(row).toMatchObject({ openOrderId: null, renewalFailures: 1, renewalError: 'refused' })
  const order = await world.app.request('GET', `/v1/pki/acme/orders/${orderId}`)
  expect(order.json.status).toBe('invalid')
})

it('ok: it is cancelled: the certificate is free', async () => {
  const orderId = await renew()
  await spoil()
  expect((await world.app.request('POST', `/v1/pki/acme/orders/${orderId}/cancel`)).status).toBe(200)
  expect((await world.drive(orderId)).job.failure?.code).toBe('cancelled')
  expect((await findCertificateState(world.app.store, TENANT, id))?.openOrderId).toBeNull()
})

it('ok: its CA is asked to revoke it', async () => {
  const accounts = () => ({ revokeCertificate: world.ca.port.revokeCertificate })
  Object.assign(world.app.deps, { accounts })
  await spoil()
  const body = { certificate_id: id, reason: 'superseded', use_acme: true }
  expect((await world.app.request('POST', '/v1/pki/revoke', { body })).status).toBe(200)
  expect(world.ca.revoked).toHaveLength(1)
})
