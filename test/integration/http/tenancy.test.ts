import { beforeAll, describe, expect, it } from 'vitest'
import { ROUTES } from '../../../src/http/routes.ts'
import { insertAcmeAccount } from '../../../src/store/acme-accounts.ts'
import { insertAcmeOrder } from '../../../src/store/acme-orders.ts'
import { insertCertificate } from '../../../src/store/certificates.ts'
import { insertDnsProvider } from '../../../src/store/dns-providers.ts'
import { EMPTY_REPORT } from '../../../src/store/order-report.ts'
import { accountRow } from '../support/acme-rows.ts'
import { bindings } from '../support/bindings.ts'
import { ORDER_REQUEST } from '../support/stored-shapes.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'

const OTHER = 'ten_0000000000000000000000other'
const IDS = {
  account: 'acme_00000000000000000000000001',
  order: 'acme_order_00000000000000000000000001',
  certificate: 'cert_00000000000000000000000001',
  provider: 'dnsp_00000000000000000000000001',
}

let app: TestApp

/** One of each in another tenant, marked. */
beforeAll(async () => {
  app = await testApp()
  await bindings.DB.prepare(
    "INSERT INTO tenants (id, name, plan, created_at_ms) VALUES (?, 'MARKED-other', 'unlimited', 0)",
  )
    .bind(OTHER)
    .run()
  const { store } = app
  const base = { tenantId: OTHER, createdAtMs: 1, updatedAtMs: 1 }
  const outcome = await store.commit({
    tenantId: OTHER,
    statements: [
      insertAcmeAccount(
        store,
        accountRow({
          ...base,
          id: IDS.account,
          name: 'MARKED-account',
          directoryUrl: 'https://marked.example/dir',
          accountUrl: 'https://marked.example/account',
        }),
      ),
      insertAcmeOrder(store, {
        ...base,
        id: IDS.order,
        accountId: IDS.account,
        certificateId: IDS.certificate,
        purpose: 'issue',
        requestedBy: 'tok_x',
        status: 'valid',
        step: 'issued',
        domains: ['marked.example'],
        request: ORDER_REQUEST,
        report: EMPTY_REPORT,
        notAfterMs: null,
        nextAttemptAtMs: null,
      }),
      insertCertificate(store, {
        ...base,
        id: IDS.certificate,
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
        acmeAccountId: IDS.account,
        commonName: 'MARKED',
        displayName: 'MARKED',
        names: { dns: ['marked.example'], ip: [], email: [], uri: [] },
        serialNumber: '01',
        notBeforeMs: 1,
        notAfterMs: 2,
        keyType: 'ec',
        keySize: 256,
        leafPem: 'MARKED',
        chainPem: 'MARKED',
        sealedPrivateKey: null,
        tags: [],
        description: null,
        autoRenew: false,
        nextRenewalAtMs: null,
        renewalReason: null,
        renewalFailures: 0,
        renewalError: null,
        renewalRequest: null,
        openOrderId: null,
        revokedAtMs: null,
        revocationReason: null,
      }),
      await insertDnsProvider(store, {
        ...base,
        id: IDS.provider,
        name: 'MARKED-provider',
        type: 'rfc2136',
        settings: {},
        credentials: {},
        managedZones: ['marked.example'],
      }),
    ],
    entries: [{ event: 'MARKED', actor: 'x', resource: 'x', detail: {}, requestId: null }],
  })
  expect(outcome).toEqual({ kind: 'committed' })
})

describe('another tenant', () => {
  it('ok: no list and no document shows anything of it', async () => {
    const lists = ROUTES.filter(({ method, path }) => method === 'get' && !path.includes('{'))
    expect(lists.length).toBeGreaterThan(8)
    const answers = await Promise.all(lists.map(({ path }) => app.request('GET', `${path}?limit=500`)))
    expect(answers.filter(({ text }) => /MARKED|marked\.example/.test(text))).toEqual([])
  })

  const ITEMS = [
    ['GET', '/v1/pki/acme/accounts/', IDS.account, ''],
    ['GET', '/v1/pki/acme/accounts/', IDS.account, '/limits'],
    ['PATCH', '/v1/pki/acme/accounts/', IDS.account, ''],
    ['POST', '/v1/pki/acme/accounts/', IDS.account, '/rollover'],
    ['DELETE', '/v1/pki/acme/accounts/', IDS.account, ''],
    ['GET', '/v1/pki/acme/orders/', IDS.order, ''],
    ['POST', '/v1/pki/acme/orders/', IDS.order, '/refresh'],
    ['POST', '/v1/pki/acme/orders/', IDS.order, '/cancel'],
    ['GET', '/v1/pki/certificates/', IDS.certificate, ''],
    ['PATCH', '/v1/pki/certificates/', IDS.certificate, ''],
    ['GET', '/v1/pki/certificates/', IDS.certificate, '/pem'],
    ['GET', '/v1/pki/certificates/', IDS.certificate, '/versions'],
    ['POST', '/v1/pki/certificates/', IDS.certificate, '/private-key'],
    ['POST', '/v1/pki/certificates/', IDS.certificate, '/renew'],
    ['GET', '/v1/pki/dns-providers/', IDS.provider, ''],
    ['PATCH', '/v1/pki/dns-providers/', IDS.provider, ''],
    ['DELETE', '/v1/dns/providers/', IDS.provider, ''],
    ['POST', '/v1/dns/providers/', IDS.provider, '/verify'],
  ] as const

  it.each(ITEMS)('fail: %s %s%s%s answers as for what does not exist', async (method, base, id, rest) => {
    const missing = id.replace(/1$/, '9')
    const [theirs, nobodys] = await Promise.all(
      [id, missing].map((each) => app.request(method, `${base}${each}${rest}`, method === 'PATCH' ? { body: {} } : {})),
    )
    expect(theirs?.status).toBe(404)
    const plain = (answer: typeof theirs, own: string) =>
      answer?.text.replaceAll(own, 'ID').replaceAll(/req_\w+/g, 'REQUEST')
    expect(plain(theirs, id)).toBe(plain(nobodys, missing))
  })

  it('fail: an order for its account, by its provider', async () => {
    const body = { account_id: IDS.account, domains: ['www.acme.example'], challenge_type: 'dns-01' }
    expect(await app.request('POST', '/v1/pki/acme/issue', { body })).toMatchObject({ status: 404 })
  })
})
