/** An app with tenants that have one of everything. CAs and order objects answer as if all went well; there is no network. */
import type { AccountObjects } from '../../../src/accounts/account-object.ts'
import type { ZoneObjects } from '../../../src/challenges/zone-object.ts'
import type { HttpClient } from '../../../src/core/http-client.ts'
import { err, ok } from '../../../src/core/result.ts'
import type { TcpConnect } from '../../../src/core/tcp.ts'
import type { OrderObjects } from '../../../src/orders/order-object.ts'
import { insertCertificate } from '../../../src/store/certificates.ts'
import { putHttpChallenges } from '../../../src/store/http-challenges.ts'
import { EMPTY_REPORT } from '../../../src/store/order-report.ts'
import { type FilledTenant, fillTenant, type Surroundings } from '../../support/every-route/filled-tenant.ts'
import { bindings } from './bindings.ts'
import { ORDER_REQUEST } from './stored-shapes.ts'
import { newTestToken, type TestApp, testApp } from './worker-app.ts'

const ALL_SCOPES = ['pki:read', 'pki:issue', 'pki:admin', 'secrets:read', 'secrets:write', 'audit:read', 'tokens:admin']

type Steering = 'start' | 'progress' | 'refresh' | 'cancelOrder' | 'complete' | 'recordsAt'

const orders = (() => ({
  start: async () => undefined,
  progress: async () => null,
  refresh: async () => null,
  cancelOrder: async () => true,
  complete: async () => true,
  recordsAt: async () => 0,
})) satisfies OrderObjects<Steering> as unknown as OrderObjects

const accounts = ((_tenantId: string, accountId: string) => ({
  registerAtCa: async () => ok(`https://ca.example/account/${accountId}`),
  deactivate: async () => ok(undefined),
  changeContact: async () => ok(undefined),
  replaceKey: async () => ok(undefined),
  identity: async () =>
    ok({ meta: { caaIdentities: [], accountHashPrefix: null, issuerDomainNames: [] }, thumbprint: 'x', isKnown: true }),
  reserveOrder: async () => ({ allowed: true }),
  checkBudget: async () => ({ allowed: true }),
  reportBudget: async () => ({ limits: [], refusals: [], hasMore: false }),
})) as unknown as AccountObjects

const REFUSED = { code: 'backend_error', message: 'no', transient: false, retryAtMs: null, problemType: null } as const

const zones: ZoneObjects = () => ({
  findZone: async ({ name }) => ok(name.split('.').slice(-3).join('.')),
  // No record is published, so that no zone waits for one to be seen.
  apply: async ({ kind }) => (kind === 'present' ? err(REFUSED) : ok(undefined)),
})

/** Nobody answers. */
const http: HttpClient = async ({ url }) => err({ reason: 'unreachable', url, message: 'there is no network' })
const connect: TcpConnect = () => {
  throw new Error('there is no network')
}

export const filledApp = (): Promise<TestApp> => testApp({ objects: { orders, accounts, zones, http, connect } })

/** A tenant of the app that has one of everything, and is found by its mark in whatever is its own. */
export async function newFilledTenant(app: TestApp, tenantId: string, mark: string): Promise<FilledTenant> {
  return fillTenant(surroundings(app), tenantId, await newTestToken(app, ALL_SCOPES, { tenantId }), mark)
}

let certificates = 0
const zoneCounts = new Map<string, number>()

function surroundings(app: TestApp): Surroundings {
  return {
    request: (method, path, options) => app.request(method, path, options),
    directoryUrl: 'https://ca.example/directory',
    async newTenant() {
      return (await app.request('POST', '/v1/tenants', { body: { name: 'another', plan: 'pro' } })).json.id
    },
    nowMs: () => app.nowMs,
    async challengeOf({ tenantId }, orderId) {
      const id = orderId.replace(/^acme_order_(\w+)$/, 'acme_chal_$1_0')
      const challenge = {
        id,
        domain: 'www.acme.example',
        type: 'tls-alpn-01',
        status: 'pending',
        token: 'token',
        keyAuthorization: 'token.thumbprint',
        recordName: null,
        recordValue: null,
        error: null,
      }
      await bindings.DB.prepare('UPDATE acme_orders SET report = ? WHERE tenant_id = ? AND id = ?')
        .bind(JSON.stringify({ ...EMPTY_REPORT, challenges: [challenge] }), tenantId, orderId)
        .run()
      return id
    },
    async acmeCertificate({ tenantId, mark, account }) {
      certificates += 1
      const id = `cert_${String(certificates).padStart(26, '0')}`
      const row = insertCertificate(app.store, {
        tenantId,
        id,
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
        acmeAccountId: account,
        commonName: `${mark}.acme.example`,
        displayName: `${mark}.acme.example`,
        names: { dns: [`${mark}.acme.example`], ip: [], email: [], uri: [] },
        serialNumber: '01',
        notBeforeMs: app.nowMs,
        notAfterMs: app.nowMs + 90 * 86_400_000,
        keyType: 'ec',
        keySize: 256,
        leafPem: `${mark} leaf`,
        chainPem: `${mark} chain`,
        sealedPrivateKey: null,
        tags: [mark],
        description: mark,
        autoRenew: false,
        nextRenewalAtMs: null,
        renewalReason: null,
        renewalFailures: 0,
        renewalError: null,
        renewalRequest: { ...ORDER_REQUEST, accountId: account, domains: [`${mark}.acme.example`] },
        openOrderId: null,
        revokedAtMs: null,
        revocationReason: null,
        createdAtMs: app.nowMs,
        updatedAtMs: app.nowMs,
      })
      const outcome = await app.store.commit({ tenantId, statements: [row], entries: [] })
      if (outcome.kind !== 'committed') throw new Error('no certificate')
      return id
    },
    async verified({ tenantId }, zoneId) {
      await bindings.DB.prepare("UPDATE zones SET status = 'verified' WHERE tenant_id = ? AND id = ?")
        .bind(tenantId, zoneId)
        .run()
    },
    async httpToken(tenantId) {
      const token = `token-of-${tenantId}`
      const challenge = {
        token,
        tenantId,
        orderId: 'x',
        keyAuthorization: `${token}.x`,
        expiresAtMs: Number.MAX_SAFE_INTEGER,
      }
      await app.store.commit({ tenantId, statements: putHttpChallenges(app.store, [challenge]), entries: [] })
      return token
    },
    provider: ({ mark, secret }) => ({
      type: 'cloudflare',
      config: { api_token_path: `${secret}#api_token` },
      managed_zones: [`${mark}.example.net`, 'acme.example'],
    }),
    hookUrl: 'https://hooks.example',
    async deliveryOf({ tenantId }, subscriptionId) {
      const id = subscriptionId.replace(/^sub_(\w{25})\w$/, 'dlv_$1')
      const insert = bindings.DB.prepare(
        `INSERT INTO deliveries (tenant_id, subscription_id, id, seq, event_id, event, resource, status, tries, attempts, created_at_ms, updated_at_ms)
        SELECT tenant_id, ?, ? || seq, seq, id, event, resource, 'dead', 0, '[]', at_ms, at_ms FROM journal WHERE tenant_id = ? AND seq < 3`,
      )
      await insert.bind(subscriptionId, id, tenantId).run()
      return `${id}1`
    },
    zoneName(tenantId) {
      const count = (zoneCounts.get(tenantId) ?? 0) + 1
      zoneCounts.set(tenantId, count)
      return `zone-${count}.acme.example`
    },
  }
}
