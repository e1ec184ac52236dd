/** What is done without a change of a row, and is in the journal all the same. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { HttpClient } from '../../../src/core/http-client.ts'
import { err } from '../../../src/core/result.ts'
import type { OrderObjects } from '../../../src/orders/order-object.ts'
import { insertAcmeOrder } from '../../../src/store/acme-orders.ts'
import { EMPTY_REPORT } from '../../../src/store/order-report.ts'
import { DEFAULT_TENANT_ID, type Store } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import { bodyOf, eventsOf, issued, newCa, newRole, rowsOf, watchedApp } from '../support/pki-world.ts'
import { ORDER_REQUEST } from '../support/stored-shapes.ts'
import { newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const ORDER = '00000000000000000000000077'
const ORDER_ID = `acme_order_${ORDER}`
const CHALLENGE_ID = `acme_chal_${ORDER}_0`
const ABSENT_ID = `acme_chal_${'1'.repeat(26)}_0`
const RESOURCE = `pki/acme/orders/${ORDER_ID}`

const challenge = {
  id: CHALLENGE_ID,
  domain: 'alpn.example.com',
  type: 'tls-alpn-01',
  status: 'pending',
  token: 'a-token-of-the-ca',
  keyAuthorization: 'a-token-of-the-ca.MARKED-thumbprint',
  recordName: null,
  recordValue: null,
  error: null,
}

let waits = true
let progress = async (): Promise<null> => null
const orders = (() => ({ progress: () => progress(), complete: async () => waits })) as unknown as OrderObjects

let app: TestApp

beforeAll(async () => {
  const http: HttpClient = async ({ url }) => err({ reason: 'unreachable', url, message: 'nobody there' })
  app = await testApp({ objects: { orders, http } })
  await app.store.commit({
    tenantId: DEFAULT_TENANT_ID,
    statements: [
      insertAcmeOrder(app.store, {
        tenantId: DEFAULT_TENANT_ID,
        id: ORDER_ID,
        accountId: 'acme_00000000000000000000000001',
        certificateId: 'cert_00000000000000000000000077',
        purpose: 'issue',
        requestedBy: 'tok_x',
        status: 'pending',
        step: 'respond',
        domains: ['alpn.example.com'],
        request: ORDER_REQUEST,
        report: { ...EMPTY_REPORT, challenges: [challenge] },
        notAfterMs: null,
        nextAttemptAtMs: null,
        createdAtMs: 1,
        updatedAtMs: 1,
      }),
    ],
    entries: [],
  })
})

describe('the journal', () => {
  it('ok: has the completion of a challenge; a refused one is none', async () => {
    const complete = () => app.request('POST', `/v1/pki/acme/challenges/${CHALLENGE_ID}/complete`, { body: {} })
    waits = false
    expect([(await complete()).status, await eventsOf('challenge.completed', RESOURCE)]).toEqual([409, 0])
    waits = true
    expect([(await complete()).status, await eventsOf('challenge.completed', RESOURCE)]).toEqual([200, 1])
  })

  it('ok: has the completion of a challenge whose order cannot be read afterwards', async () => {
    const before = await eventsOf('challenge.completed', RESOURCE)
    progress = async () => Promise.reject(new Error('the object is gone'))
    const { status } = await app.request('POST', `/v1/pki/acme/challenges/${CHALLENGE_ID}/complete`, { body: {} })
    progress = async () => null
    expect([status, await eventsOf('challenge.completed', RESOURCE)]).toEqual([500, before + 1])
  })

  it('ok: has the key of a tls-alpn-01 answer, once an hour, without what is secret of it', async () => {
    const read = () => app.request('GET', `/v1/pki/acme/challenges/${CHALLENGE_ID}/tls-alpn-01`)
    expect(bodyOf(await read()).private_key_pem).toContain('PRIVATE KEY')
    bodyOf(await read())
    const rows = await rowsOf("SELECT * FROM journal WHERE event = 'challenge.private_key_read'")
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({ resource: RESOURCE, actor: 'tok_admin' })
    expect(JSON.stringify(rows)).not.toMatch(/MARKED|PRIVATE KEY/)
  })

  it('fail: no key of a tls-alpn-01 answer leaves without an entry, the first time or after one that could not be written', async () => {
    const own = await testApp({ objects: { orders } })
    const token = await newTestToken(own, ['pki:issue'])
    const read = () => own.request('GET', `/v1/pki/acme/challenges/${CHALLENGE_ID}/tls-alpn-01`, { token })
    const reads = () => eventsOf('challenge.private_key_read', RESOURCE)
    const before = await reads()
    await bindings.DB.prepare('ALTER TABLE journal RENAME TO journal_of_later').run()
    const unwritten = await Promise.all([read(), read()])
    await bindings.DB.prepare('ALTER TABLE journal_of_later RENAME TO journal').run()
    expect(unwritten.map(({ text }) => text.includes('PRIVATE KEY'))).toEqual([false, false])
    expect(await reads()).toBe(before)
    expect(bodyOf(await read()).private_key_pem).toContain('PRIVATE KEY')
    expect(await reads()).toBe(before + 1)
  })

  it.each([
    ['GET', 'tls-alpn-01'],
    ['POST', 'complete'],
  ])(
    'fail: %s …/%s says the same of a challenge that is not there and of one outside of the paths',
    async (method, part) => {
      const paths = [`pki/acme/orders/acme_order_${'1'.repeat(26)}`]
      const token = await newTestToken(app, ['pki:issue'], { paths })
      const ask = (id: string) => app.request(method, `/v1/pki/acme/challenges/${id}/${part}`, { token })
      const said = await Promise.all([ABSENT_ID, CHALLENGE_ID].map(ask))
      expect(said.map(({ status, json }) => [status, json.error.message])).toEqual([
        [404, `There is no challenge ${ABSENT_ID}`],
        [404, `There is no challenge ${CHALLENGE_ID}`],
      ])
    },
  )

  it('fail: no key of a tls-alpn-01 answer leaves where the ledger refuses the entry', async () => {
    const wrapStore = (store: Store): Store => ({ ...store, commit: async () => ({ kind: 'conflict' }) })
    const own = await testApp({ objects: { orders }, wrapStore })
    const answer = await own.request('GET', `/v1/pki/acme/challenges/${CHALLENGE_ID}/tls-alpn-01`)
    expect([answer.status, answer.text.includes('PRIVATE KEY')]).toEqual([500, false])
  })

  it('ok: has the verification of a provider, whatever came of it', async () => {
    const provider = {
      name: 'verified',
      type: 'cloudflare',
      credentials: { api_token: 'MARKED-token-of-the-provider' },
    }
    const { id } = bodyOf(await app.request('POST', '/v1/dns/providers', { body: provider }), 201)
    const answer = await app.request('POST', `/v1/dns/providers/${id}/verify`, { body: {} })
    const rows = await rowsOf<{ detail: string }>("SELECT detail FROM journal WHERE event = 'dns_provider.verified'")
    expect([answer.status, rows.map(({ detail }) => JSON.parse(detail))]).toEqual([
      200,
      [{ dns_provider_id: id, verified: false, zones: 0 }],
    ])
  })

  it('fail: an export that is refused is no read of the key', async () => {
    const role = await newRole(app, await newCa(app), { store_private_keys: true })
    const { id } = await issued(app, role)
    const exported = (passphrase: string) =>
      app.request('POST', `/v1/pki/certificates/${id}/export`, { body: { passphrase } })
    const reads = () => eventsOf('certificate.private_key_read', `pki/certificates/${id}`)
    expect([(await exported('a pässphrase')).status, await reads()]).toEqual([400, 0])
    expect([(await exported('a passphrase')).status, await reads()]).toEqual([200, 1])
  })

  it.each(['private-key', 'export'])('fail: no key leaves by %s where the journal cannot be written', async (way) => {
    const watched = await watchedApp()
    const role = await newRole(watched.app, await newCa(watched.app), { store_private_keys: true })
    const { id } = await issued(watched.app, role)
    watched.commits.before = () => Promise.reject(new Error('the ledger is away'))
    const body = way === 'export' ? { passphrase: 'a passphrase' } : {}
    const answer = await watched.app.request('POST', `/v1/pki/certificates/${id}/${way}`, { body })
    expect([answer.status, answer.text.includes('PRIVATE KEY')]).toEqual([500, false])
  })
})
