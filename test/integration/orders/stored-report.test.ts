/** Reports of an earlier release, in an order's row and from its object: orders are shown as they were. */
import { expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import type { OrderObjects } from '../../../src/orders/order-object.ts'
import type { OrderProgress } from '../../../src/orders/order-report.ts'
import type { OrderReport } from '../../../src/store/order-report.ts'
import { bindings } from '../support/bindings.ts'
import { failure, OrderWorld } from './scripted-order.ts'

it('ok: the same order is shown from a report of version 2 and from one of before', async () => {
  const world = await OrderWorld.begin()
  const accountId = newId('acmeAccount', world.app.nowMs)
  await world.addAccount(accountId)
  const body = { account_id: accountId, domains: ['www.example.org'], challenge_type: 'dns-01', solver: 'manual' }
  const id = (await world.app.request('POST', '/v1/pki/acme/issue', { body })).json.order_id
  const authorization = { url: 'https://ca.example/authorization', domain: 'www.example.org', wildcard: false }
  const challenge = {
    id: `acme_chal_${id.slice('acme_order_'.length)}_0`,
    type: 'dns-01',
    url: 'https://ca.example/challenge',
    token: 't',
    keyAuthorization: 't.k',
    recordValue: 'v',
    status: 'invalid',
    error: 'no TXT record',
    answered: true,
  } as const
  const state = await world.drive(id, 'finalize')
  world.states.set(id, { ...state, authorizations: [{ ...authorization, status: 'invalid', challenge, record: null }] })
  world.ca.port.finalizeOrder = async () => ({ ok: false, error: failure('refused', { transient: false }) })
  await world.drive(id)
  const shown = async () => (await world.app.request('GET', `/v1/pki/acme/orders/${id}`)).json
  const listed = async () => (await world.app.request('GET', '/v1/pki/acme/orders')).json.data
  const order = await shown()
  expect(order.challenges).toEqual([
    {
      id: challenge.id,
      domain: 'www.example.org',
      type: 'dns-01',
      status: 'invalid',
      token: 't',
      key_authorization: 't.k',
      record_name: '_acme-challenge.www.example.org',
      record_value: 'v',
      error: 'no TXT record',
    },
  ])
  expect(order).toMatchObject({ status: 'invalid', error: { code: 'backend_error', message: 'refused' }, attempt: 1 })
  // What is shown has the names and the times of the reports before version 2.
  const { challenges, log, error, warnings } = order
  await bindings.DB.prepare('UPDATE acme_orders SET report = ? WHERE id = ?')
    .bind(JSON.stringify({ challenges, log, error, warnings }), id)
    .run()
  expect(await shown()).toEqual(order)
  expect(await listed()).toEqual([order])
})

/** An object of the release before answers with a report of version 1, which has the API's names. */
const AT_OWNER = {
  id: `acme_chal_${'0'.repeat(26)}_0`,
  domain: 'www.example.org',
  type: 'dns-01',
  status: 'pending',
  token: 't',
  key_authorization: 't.k',
  record_name: '_acme-challenge.www.example.org',
  record_value: 'v',
  error: null,
}
const VERSION_1 = {
  challenges: [AT_OWNER],
  log: [{ at: '2026-01-02T03:04:05Z', message: 'begun' }],
  error: null,
  warnings: [],
  waiting_for: 'its owner',
}

it('ok: an order whose object is of the release before is read, refreshed, listed and cancelled', async () => {
  const world = await OrderWorld.begin()
  const accountId = newId('acmeAccount', world.app.nowMs)
  await world.addAccount(accountId)
  const formerly = async (known: Promise<OrderProgress | null>) => {
    const progress = await known
    return progress === null ? null : { ...progress, report: VERSION_1 as unknown as OrderReport }
  }
  const orders: OrderObjects = (tenantId, orderId) => {
    const object = world.orders(tenantId, orderId) as ReturnType<OrderObjects>
    return {
      ...object,
      progress: (reads) => formerly(object.progress(reads)),
      refresh: (reads) => formerly(object.refresh(reads)),
    }
  }
  Object.assign(world.app.deps, { orders })
  const body = { account_id: accountId, domains: ['www.example.org'], challenge_type: 'dns-01', solver: 'manual' }
  const ordered = await world.app.request('POST', '/v1/pki/acme/issue', { body })
  const path = `/v1/pki/acme/orders/${ordered.json.order_id}`
  const order = (await world.app.request('GET', path)).json
  expect(order).toMatchObject({
    challenges: [AT_OWNER],
    log: VERSION_1.log,
    waiting_for: 'its owner',
    last_error: null,
  })
  expect((await world.app.request('POST', `${path}/refresh`)).json).toEqual(order)
  const { data } = (await world.app.request('GET', '/v1/pki/acme/orders')).json
  expect(data.find(({ order_id }: { order_id: string }) => order_id === order.order_id)).toEqual(order)
  expect((await world.app.request('POST', `${path}/cancel`)).json).toEqual(order)
})
