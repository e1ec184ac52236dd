/** What the catalogue says of events is what the service writes: flows by the API, and every entry that they leave. */
import { beforeAll, describe, expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import { EVENT_CATALOGUE, EVENT_NAMES } from '../../../src/events/catalogue.ts'
import { formatPem } from '../../../src/pki/pem.ts'
import { findCa, openCaKey } from '../../../src/store/authorities.ts'
import { failure, OrderWorld } from '../orders/scripted-order.ts'
import {
  approvedCsr,
  bodyOf,
  issued,
  newCa,
  newCsr,
  newRole,
  renew,
  revoke,
  revokeCa,
  rowsOf,
} from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestApp } from '../support/worker-app.ts'

interface Written {
  readonly event: string
  readonly resource: string
  readonly detail: Readonly<Record<string, unknown>>
}

let written: readonly Written[] = []
/** Written by the cron and by senders: expiry-notices.test.ts and subscriptions.test.ts hold them to the catalogue. */
const NOTICES = ['certificate.expiring', 'certificate.expired', 'ca.expiring', 'subscription.disabled']
const BY_REQUESTS = EVENT_CATALOGUE.filter(({ name }) => !NOTICES.includes(name))

const of = (event: string): readonly Written[] => written.filter((each) => each.event === event)

async function internalFlows(app: TestApp): Promise<void> {
  const root = await newCa(app)
  const below = await newCa(app, { parent: root })
  const role = await newRole(app, below)
  const leaf = await issued(app, role, { common_name: 'a.example.com', alt_names: ['b.example.com'] })
  bodyOf(await renew(app, leaf.id), 201)
  bodyOf(await revoke(app, leaf.id, 'certificate_hold'))
  bodyOf(await app.request('POST', `/v1/pki/certificates/${leaf.id}/unhold`, { body: {} }))
  bodyOf(await revoke(app, leaf.id))
  bodyOf(await app.request('POST', `/v1/pki/ca/${root}/reissue`, { body: {} }))
  await csrFlows(app, below)
  bodyOf(await revokeCa(app, root))
}

async function csrFlows(app: TestApp, caId: string): Promise<void> {
  const signed = await approvedCsr(app, 'csr.example.com')
  bodyOf(await app.request('POST', `/v1/pki/csr/${signed}/sign`, { body: { ca_id: caId } }), 201)
  const csrPem = bodyOf(await app.request('GET', `/v1/pki/csr/${await newCsr(app)}`)).csr_pem
  const rejected = bodyOf(await app.request('POST', '/v1/pki/csr/import', { body: { csr_pem: csrPem } }), 201)
  bodyOf(await app.request('POST', `/v1/pki/csr/${rejected.id}/reject`, { body: { reason: 'no' } }))
}

/** What another tenant has made comes from elsewhere. */
async function importFlows(app: TestApp): Promise<void> {
  const tenantId = await newTenant()
  const token = await newTestToken(app, ['pki:admin', 'pki:issue'], { tenantId })
  const caId = await newCa(app, { token })
  const row = await findCa(app.store, tenantId, caId)
  if (row === null) throw new Error('no such CA')
  const key = formatPem('PRIVATE KEY', await openCaKey(app.store, row))
  const role = await newRole(app, caId, {}, token)
  const names = { common_name: 'elsewhere.example.com' }
  const leaf = bodyOf(await app.request('POST', `/v1/pki/issue/${role}`, { token, body: names }), 201)
  const ca = { name: 'imported', certificate_pem: row.certificatePem, private_key_pem: key }
  bodyOf(await app.request('POST', '/v1/pki/certificates/import', { body: { certificate_pem: leaf.certificate } }), 201)
  bodyOf(await app.request('POST', '/v1/pki/ca/import', { body: ca }), 201)
}

async function orderFlows(world: OrderWorld): Promise<void> {
  const { app } = world
  const accountId = newId('acmeAccount', app.nowMs)
  await world.addAccount(accountId)
  const body = { account_id: accountId, domains: ['www.example.org'], challenge_type: 'dns-01', solver: 'manual' }
  const first = bodyOf(await app.request('POST', '/v1/pki/acme/issue', { body }), 202)
  await world.drive(first.order_id)
  const { certificate_id: id } = bodyOf(await app.request('GET', `/v1/pki/acme/orders/${first.order_id}`))
  await world.drive(bodyOf(await renew(app, id), 202).order_id)
  const { openOrder } = world.ca.port
  world.ca.port.openOrder = async () => ({ ok: false, error: failure('refused', { transient: false }) })
  await world.drive(bodyOf(await renew(app, id), 202).order_id)
  world.ca.port.openOrder = openOrder
}

beforeAll(async () => {
  const world = await OrderWorld.begin()
  await internalFlows(world.app)
  await importFlows(world.app)
  await orderFlows(world)
  const rows = await rowsOf<{ event: string; resource: string; detail: string }>(
    'SELECT event, resource, detail FROM journal ORDER BY tenant_id, seq',
  )
  written = rows.map((row) => ({ ...row, detail: JSON.parse(row.detail) }))
})

describe('every entry with an event of the catalogue', () => {
  it.each(BY_REQUESTS)(
    'ok: $name is written, with all that its schema names and nothing else',
    ({ name, data, path }) => {
      const entries = of(name)
      expect(entries.length).toBeGreaterThan(0)
      for (const { detail, resource } of entries) {
        expect({ name, detail, issues: data.strict().safeParse(detail).error?.issues }).toEqual({ name, detail })
        // About the same kind of resource as the example.
        expect(resource.replace(/_[0-9a-z]{26}$/, '')).toBe(path.replace(/_[0-9a-z]{26}$/, ''))
      }
    },
  )

  it('ok: no detail has a private key', () => {
    expect(JSON.stringify(written.filter(({ event }) => EVENT_NAMES.includes(event)))).not.toContain('PRIVATE')
  })
})
