/** A request with an Idempotency-Key whose process dies: what it did is there with its answer, or not there at all. */

import { beforeAll, describe, expect, it } from 'vitest'
import type { AccountObjects } from '../../../src/accounts/account-object.ts'
import type { ZoneObjects } from '../../../src/challenges/zone-object.ts'
import { err, ok } from '../../../src/core/result.ts'
import { ROUTES } from '../../../src/http/routes.ts'
import type { OrderObjects } from '../../../src/orders/order-object.ts'
import { formatPem } from '../../../src/pki/pem.ts'
import { findCa, openCaKey } from '../../../src/store/authorities.ts'
import type { Store } from '../../../src/store/store.ts'
import type { Transaction } from '../../../src/store/transaction.ts'
import { forgeCsr, subjectOf } from '../../support/csr-forge.ts'
import { addAccount } from '../support/acme-rows.ts'
import { bindings } from '../support/bindings.ts'
import { approvedCsr, bodyOf, freshName, issued, newCa, newRole, rowsOf } from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

const ACCOUNT_ID = 'acme_00000000000000000000000099'
const CLAIM_MS = 200_000

const isEffect = ({ entries }: Transaction): boolean => entries.length > 0

/** An app whose process dies at the first commit of an effect: right after it was written, or right before. Nothing is written from then on. */
async function dyingApp(moment: 'after' | 'before'): Promise<TestApp> {
  let isDead = false
  const dead = () => Promise.reject(new Error('the process is dead'))
  const wrapStore = (store: Store): Store => ({
    ...store,
    async commit(work) {
      if (isDead) return dead()
      isDead = isEffect(work)
      if (!isDead) return store.commit(work)
      if (moment === 'after') await store.commit(work)
      return dead()
    },
  })
  return testApp({ wrapStore, objects })
}

const objects = {
  orders: (() => ({ start: async () => undefined, progress: async () => null })) as unknown as OrderObjects,
  accounts: ((_tenantId, accountId) => ({
    registerAtCa: async () => ok(`https://ca.example/account/${accountId}`),
    reserveOrder: async () => ({ allowed: true }),
  })) satisfies AccountObjects<'registerAtCa' | 'reserveOrder'> as unknown as AccountObjects,
  // Every name is a zone of the provider's, which takes no record: a zone is imported, and not verified.
  zones: (() => ({
    findZone: async ({ name }) => ok(name),
    apply: async () =>
      err({ code: 'backend_error', message: 'no', transient: true, retryAtMs: null, problemType: null }),
  })) satisfies ZoneObjects,
}

let app: TestApp
let caId: string
let role: string
let otherTenant: string
let otherToken: string

beforeAll(async () => {
  app = await testApp({ objects })
  caId = await newCa(app)
  role = await newRole(app, caId)
  otherTenant = await newTenant('crash')
  otherToken = await newTestToken(app, ['pki:admin', 'pki:issue'], { tenantId: otherTenant })
  await addAccount(app.store, { id: ACCOUNT_ID })
})

async function foreignCa(): Promise<Record<string, unknown>> {
  const id = await newCa(app, { token: otherToken })
  const row = await findCa(app.store, otherTenant, id)
  if (row === null) throw new Error('no such CA')
  const key = formatPem('PRIVATE KEY', await openCaKey(app.store, row))
  return { name: freshName('imported'), certificate_pem: row.certificatePem, private_key_pem: key }
}

async function foreignLeaf(): Promise<Record<string, unknown>> {
  const theirs = await newRole(app, await newCa(app, { token: otherToken }), {}, otherToken)
  const body = { common_name: 'elsewhere.example.com' }
  const answer = await app.request('POST', `/v1/pki/issue/${theirs}`, { token: otherToken, body })
  return { certificate_pem: bodyOf(answer, 201).certificate }
}

type Asked = readonly [path: string, body: Record<string, unknown>]

/** A request of every route that takes a key. */
const REQUESTS: Readonly<Record<string, () => Promise<Asked>>> = {
  '/v1/tenants': async () => ['/v1/tenants', { name: 'crash', plan: 'pro' }],
  '/v1/tokens': async () => ['/v1/tokens', { name: 'crash', scopes: ['pki:read'] }],
  '/v1/sign-in/issuers': async () => {
    const name = freshName('issuer')
    return ['/v1/sign-in/issuers', { name, issuer: `https://${name}.example` }]
  },
  '/v1/subscriptions': async () => [
    '/v1/subscriptions',
    {
      name: freshName('subscription'),
      paths: ['pki/certificates/cert_*'],
      events: ['*'],
      delivery: { type: 'webhook', url: 'https://ops.acme.example/events' },
    },
  ],
  '/v1/pki/roles': async () => ['/v1/pki/roles', { name: freshName('role'), ca_id: caId }],
  '/v1/pki/trust-anchors': async () => {
    const { certificate_pem } = await foreignCa()
    return ['/v1/pki/trust-anchors', { name: freshName('anchor'), certificate_pem }]
  },
  '/v1/pki/csr': async () => ['/v1/pki/csr', { subject: { common_name: 'csr.example.com' } }],
  '/v1/pki/csr/import': async () => [
    '/v1/pki/csr/import',
    { csr_pem: await forgeCsr({ subjectDer: subjectOf('crash.example.com') }) },
  ],
  '/v1/pki/csr/{id}/sign': async () => [
    `/v1/pki/csr/${await approvedCsr(app, 'approved.example.com')}/sign`,
    { ca_id: caId },
  ],
  '/v1/pki/ca': async () => {
    const name = freshName('ca')
    return ['/v1/pki/ca', { name, common_name: name, ca_type: 'root', key_type: 'ec' }]
  },
  '/v1/pki/ca/import': async () => ['/v1/pki/ca/import', await foreignCa()],
  '/v1/pki/ca/{id}/reissue': async () => [`/v1/pki/ca/${await newCa(app)}/reissue`, {}],
  '/v1/pki/ca/{id}/cross-sign': async () => [`/v1/pki/ca/${await newCa(app)}/cross-sign`, { issuer_ca_id: caId }],
  '/v1/pki/issue/{role}': async () => [`/v1/pki/issue/${role}`, { common_name: 'crash.example.com' }],
  '/v1/pki/sign/{role}': async () => [
    `/v1/pki/sign/${role}`,
    { csr_pem: await forgeCsr({ subjectDer: subjectOf('crash.example.com') }) },
  ],
  '/v1/pki/certificates/import': async () => ['/v1/pki/certificates/import', await foreignLeaf()],
  '/v1/pki/certificates/{id}/renew': async () => [`/v1/pki/certificates/${(await issued(app, role)).id}/renew`, {}],
  '/v1/pki/acme/accounts': async () => [
    '/v1/pki/acme/accounts',
    { name: freshName('account'), provider: 'custom', directory_url: 'https://ca.example/directory' },
  ],
  '/v1/pki/acme/issue': async () => [
    '/v1/pki/acme/issue',
    { account_id: ACCOUNT_ID, domains: ['crash.example.com'], challenge_type: 'http-01' },
  ],
  '/v1/pki/dns-providers': async () => ['/v1/pki/dns-providers', provider()],
  '/v1/dns/providers': async () => ['/v1/dns/providers', provider()],
  '/v1/certificates': async () => {
    const name = `${freshName('crash')}.net`
    const made = await app.request('POST', '/v1/dns/providers', { body: provider() })
    const zone = await app.request('POST', '/v1/zones', { body: { name, dns_provider_id: bodyOf(made, 201).id } })
    const { id } = bodyOf(zone, 201)
    await bindings.DB.prepare("UPDATE zones SET status = 'verified' WHERE id = ?").bind(id).run()
    return ['/v1/certificates', { zone_id: id, domain: name, account_id: ACCOUNT_ID }]
  },
  '/v1/certificates/{id}/renew': async () => [`/v1/certificates/${await acmeCertificate()}/renew`, {}],
  '/v1/zones': async () => {
    const made = await app.request('POST', '/v1/dns/providers', { body: provider() })
    return ['/v1/zones', { name: `${freshName('crash')}.net`, dns_provider_id: bodyOf(made, 201).id }]
  },
}

/** The id of a certificate that came by ACME, by its row. */
async function acmeCertificate(): Promise<string> {
  const { id } = await issued(app, role)
  const request = {
    accountId: ACCOUNT_ID,
    domains: ['crash.example.com'],
    challengeType: 'http-01',
    autoRenew: false,
    key: { type: 'ec', size: 256 },
    csrBase64: null,
    dnsProviderIds: null,
    preferredChain: null,
    profile: null,
    notAfterMs: null,
    solver: 'auto',
  }
  await bindings.DB.prepare("UPDATE certificates SET source = 'acme', renewal_request = ? WHERE id = ?")
    .bind(JSON.stringify(request), id)
    .run()
  return id
}

const provider = () => ({ name: freshName('dns'), type: 'cloudflare', credentials: { api_token: 'x'.repeat(40) } })

/** The rest of the claim, a minute at most. */
const waitOf = (path: string): number =>
  Math.min((ROUTES.find((route) => route.path === path && route.idempotent)?.claimMs ?? 0) / 1_000, 60)

const ask = (of: TestApp, [path, body]: Asked, key: string): Promise<TestAnswer> =>
  of.request('POST', path, { body, headers: { 'idempotency-key': key } })

const entries = async (): Promise<number> => (await rowsOf('SELECT seq FROM journal')).length

describe('after a crash', () => {
  it('ok: every route that takes a key is asked below', () => {
    const taking = ROUTES.filter(({ idempotent }) => idempotent).map(({ path }) => path)
    expect(Object.keys(REQUESTS).sort()).toEqual([...taking].sort())
  })

  it.each(Object.keys(REQUESTS))(
    'ok: between commit and answer: %s gives what was done, and does nothing twice',
    async (path) => {
      const asked = await (REQUESTS[path] as () => Promise<Asked>)()
      const before = await entries()
      await ask(await dyingApp('after'), asked, `after ${path}`)
      const after = await entries()
      const again = await ask(await testApp({ objects }), asked, `after ${path}`)
      const third = await ask(app, asked, `after ${path}`)
      expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([expect.any(Number), 'true'])
      expect(again.status, again.text).toBeLessThan(300)
      expect(third.json).toEqual(again.json)
      expect([after > before, await entries()]).toEqual([true, after])
    },
  )

  it.each(Object.keys(REQUESTS))(
    'ok: before the commit: %s is free when the claim ends, and is done once',
    async (path) => {
      const asked = await (REQUESTS[path] as () => Promise<Asked>)()
      const before = await entries()
      await ask(await dyingApp('before'), asked, `before ${path}`)
      expect(await entries()).toBe(before)
      const next = await testApp({ objects })
      const early = await ask(next, asked, `before ${path}`)
      expect([early.status, early.json.error.code, early.json.error.retry_after]).toEqual([
        409,
        'conflict',
        waitOf(path),
      ])
      next.nowMs += CLAIM_MS
      const done = await ask(next, asked, `before ${path}`)
      expect([done.status < 300, done.headers.get('idempotent-replayed')], done.text).toEqual([true, null])
      const replayed = await ask(next, asked, `before ${path}`)
      expect([replayed.json, replayed.headers.get('idempotent-replayed')]).toEqual([done.json, 'true'])
    },
  )

  it('ok: the private key that was made is shown again, as no other one opens the certificate', async () => {
    const asked = [`/v1/pki/issue/${role}`, { common_name: 'key.example.com' }] as const
    await ask(await dyingApp('after'), asked, 'with its key')
    const again = await ask(app, asked, 'with its key')
    const [row] = await rowsOf<{ leaf_pem: string }>('SELECT leaf_pem FROM certificates WHERE id = ?', again.json.id)
    expect(row?.leaf_pem).toBe(again.json.certificate)
    expect(again.json.private_key).toMatch(/^-----BEGIN EC PRIVATE KEY-----/)
  })

  it('ok: a request that outlived its claim does nothing beside the one that took over, and tells what that one did', async () => {
    const waits: (() => void)[] = []
    const wrapStore = (store: Store): Store => ({
      ...store,
      async commit(work) {
        if (isEffect(work)) await new Promise<void>((resolve) => waits.push(resolve))
        return store.commit(work)
      },
    })
    const slowApp = await testApp({ wrapStore, objects })
    const asked = [
      '/v1/pki/acme/issue',
      { account_id: ACCOUNT_ID, domains: ['late.example.com'], challenge_type: 'http-01' },
    ] as const
    const slow = ask(slowApp, asked, 'late')
    await expect.poll(() => waits.length).toBe(1)
    const next = await testApp({ objects })
    next.nowMs += CLAIM_MS
    const quick = await ask(next, asked, 'late')
    waits[0]?.()
    expect([(await slow).status, (await slow).json]).toEqual([202, quick.json])
    const rows = await rowsOf("SELECT id FROM acme_orders WHERE domains LIKE '%late.example.com%'")
    expect(rows).toHaveLength(1)
  })
})

describe('after the commit', () => {
  const order = { account_id: ACCOUNT_ID, domains: ['unreached.example.com'], challenge_type: 'http-01' }

  it('ok: an order whose object cannot be reached is ordered all the same, with a key and without', async () => {
    const orders: OrderObjects<'start'> = () => ({ start: () => Promise.reject(new Error('the object is away')) })
    const away = await testApp({ objects: { ...objects, orders: orders as OrderObjects } })
    const plain = await away.request('POST', '/v1/pki/acme/issue', { body: order })
    const keyed = await ask(away, ['/v1/pki/acme/issue', order], 'unreached')
    const again = await ask(away, ['/v1/pki/acme/issue', order], 'unreached')
    expect([plain.status, keyed.status, again.json]).toEqual([202, 202, keyed.json])
    expect(await rowsOf("SELECT id FROM acme_orders WHERE domains LIKE '%unreached.example.com%'")).toHaveLength(2)
  })
})
