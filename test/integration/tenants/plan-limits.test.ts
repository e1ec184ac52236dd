/** What a plan refuses, also to requests that come at once, and what a smaller plan leaves alone. */
import { beforeAll, describe, expect, it } from 'vitest'
import { sweepRenewals } from '../renewal/sweep.ts'
import { bindings } from '../support/bindings.ts'
import { idOfRow, insertCertificateRows } from '../support/pki-rows.ts'
import { ORDER_REQUEST } from '../support/stored-shapes.ts'
import { newTestToken, type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'
import { idleObjects, type PlannedTenant, setPlan, tenantOn } from './tenant-scene.ts'

let app: TestApp
beforeAll(async () => {
  app = await testApp({ objects: idleObjects })
})

const wanted = (answer: TestAnswer) => [answer.status, answer.json.error?.code, answer.json.error?.message]
const refused = (message: RegExp) => [403, 'plan_limit', expect.stringMatching(message)]

let rows = 0

/** Certificates of the tenant that came by ACME; the ids of their rows. */
async function addCertificates(
  tenant: PlannedTenant,
  count: number,
  columns: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const from = rows + 1
  rows += count
  const request = JSON.stringify({ ...ORDER_REQUEST, accountId: tenant.accountId, challengeType: 'http-01' })
  await insertCertificateRows(
    tenant.id,
    { from, to: rows },
    { source: "'acme'", renewal_request: `'${request}'`, ...columns },
  )
  return Array.from({ length: count }, (_, index) => idOfRow(from + index))
}

const orderCount = async ({ id }: PlannedTenant): Promise<number | undefined> => {
  const row = await bindings.DB.prepare('SELECT count(*) AS count FROM acme_orders WHERE tenant_id = ?')
    .bind(id)
    .first()
  return row?.count as number | undefined
}

describe('the limit of a plan', () => {
  it('ok: up to the limit, with first orders under way', async () => {
    const tenant = await tenantOn(app, 'plus')
    await addCertificates(tenant, 4)
    expect((await tenant.order()).status).toBe(202)
    expect(wanted(await tenant.order())).toEqual(refused(/^The plan plus includes 5 certificates, and there are 5 /))
    expect(await orderCount(tenant)).toBe(1)
  })

  it('fail: of two requests at once for the last place, one is refused', async () => {
    const tenant = await tenantOn(app, 'plus')
    await addCertificates(tenant, 4)
    const answers = await Promise.all(Array.from({ length: 4 }, () => tenant.order()))
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 403, 403, 403])
    expect(await orderCount(tenant)).toBe(1)
  })

  it('ok: revoked, expired, internal and imported certificates, and those of others, do not count', async () => {
    const tenant = await tenantOn(app, 'plus')
    await addCertificates(tenant, 5, { revoked_at_ms: '1', revocation_reason: "'superseded'" })
    await addCertificates(tenant, 5, { not_after_ms: '1' })
    await addCertificates(tenant, 5, { source: "'internal'", renewal_request: 'NULL' })
    await addCertificates(tenant, 5, { source: "'imported'", renewal_request: 'NULL' })
    await addCertificates(await tenantOn(app, 'pro'), 9)
    expect((await tenant.order()).status).toBe(202)
  })

  it('fail: certificates on hold keep their places: a hold can be lifted', async () => {
    const tenant = await tenantOn(app, 'plus')
    await addCertificates(tenant, 5, { revoked_at_ms: '1', revocation_reason: "'certificate_hold'" })
    expect(wanted(await tenant.order())).toEqual(refused(/^The plan plus includes 5 certificates, and there are 5 /))
    const left = "UPDATE certificates SET revocation_reason = 'superseded' WHERE tenant_id = ?"
    await bindings.DB.prepare(left).bind(tenant.id).run()
    expect((await tenant.order()).status).toBe(202)
  })

  it('ok: an order that failed, or whose certificate is stored, takes no place of its own', async () => {
    const tenant = await tenantOn(app, 'plus')
    await addCertificates(tenant, 3)
    const failed = await tenant.order()
    await bindings.DB.prepare("UPDATE acme_orders SET status = 'invalid' WHERE id = ?").bind(failed.json.order_id).run()
    const issued = await tenant.order()
    const [stored] = await addCertificates(tenant, 1)
    await bindings.DB.prepare('UPDATE acme_orders SET certificate_id = ? WHERE id = ?')
      .bind(stored, issued.json.order_id)
      .run()
    expect((await tenant.order()).status).toBe(202)
    expect((await tenant.order()).status).toBe(403)
  })

  it('fail: a plan without certificates', async () => {
    const tenant = await tenantOn(app, 'free')
    expect(wanted(await tenant.order())).toEqual(
      refused(
        /^The plan free does not include certificates from public CAs: these plans do: plus, pro, elite, unlimited$/,
      ),
    )
  })

  it('fail: a plan that the deployment no longer has', async () => {
    const tenant = await tenantOn(app, 'gone')
    expect(wanted(await tenant.order())).toEqual(refused(/^The plan gone does not include certificates/))
  })

  it('fail: wildcards', async () => {
    const tenant = await tenantOn(app, 'pro')
    const wildcard = { domains: ['example.org', '*.example.org'], challenge_type: 'dns-01', solver: 'manual' }
    expect(wanted(await tenant.order(wildcard))).toEqual(
      refused(
        /^The plan pro does not include wildcard certificates \(\*\.example\.org\): these plans do: elite, unlimited$/,
      ),
    )
    await setPlan(tenant.id, 'elite')
    expect((await tenant.order(wildcard)).status).toBe(202)
  })

  it('fail: a plan that was made smaller between the check and the batch', async () => {
    const tenant: { current: PlannedTenant | null } = { current: null }
    const downgrading = await testApp({
      objects: {
        ...idleObjects,
        accounts: (() => ({
          reserveOrder: async () => {
            await setPlan(tenant.current?.id ?? '', 'free')
            return { allowed: true }
          },
        })) as never,
      },
    })
    tenant.current = await tenantOn(downgrading, 'pro')
    expect(wanted(await tenant.current.order())).toEqual(refused(/^The plan free does not include/))
    expect(await orderCount(tenant.current)).toBe(0)
  })
})

describe('automatic renewal', () => {
  it('ok: left out, it is as the plan has it', async () => {
    const requestOf = async ({ json }: TestAnswer) => {
      const row = await bindings.DB.prepare('SELECT request FROM acme_orders WHERE id = ?').bind(json.order_id).first()
      return JSON.parse(String(row?.request)).autoRenew
    }
    const [plus, pro] = [await tenantOn(app, 'plus'), await tenantOn(app, 'pro')]
    expect([await requestOf(await plus.order()), await requestOf(await pro.order())]).toEqual([false, true])
  })

  it('fail: asked for, or switched on, where the plan has none', async () => {
    const tenant = await tenantOn(app, 'plus')
    const [off, on] = [await addCertificates(tenant, 1), await addCertificates(tenant, 1, { auto_renew: '1' })]
    const change = (id: string | undefined, body: object) =>
      app.request('PATCH', `/v1/pki/certificates/${id}`, { token: tenant.token, body })
    const message = /^The plan plus does not include automatic renewal: these plans do: pro, elite, unlimited$/
    expect(wanted(await tenant.order({ auto_renew: true }))).toEqual(refused(message))
    expect(wanted(await change(off[0], { auto_renew: true }))).toEqual(refused(message))
    // What is on stays on, and can be switched off.
    expect((await change(on[0], { auto_renew: true })).status).toBe(200)
    expect((await change(on[0], { auto_renew: false })).status).toBe(200)
    expect((await change(on[0], { auto_renew: true })).status).toBe(403)
  })

  it('ok: what was set to renew by itself goes on under a smaller plan', async () => {
    const tenant = await tenantOn(app, 'free')
    await addCertificates(tenant, 1, { auto_renew: '1', next_renewal_at_ms: '1' })
    expect(await sweepRenewals(app.deps)).toEqual({ started: 1, failed: 0 })
  })
})

describe('renewing at the request of the owner', () => {
  it('ok: where the plan includes it, also above the limit', async () => {
    const tenant = await tenantOn(app, 'plus')
    const [id] = await addCertificates(tenant, 9)
    const answer = await app.request('POST', `/v1/pki/certificates/${id}/renew`, { token: tenant.token, body: {} })
    expect(answer.status).toBe(202)
  })

  it('fail: where it does not', async () => {
    const tenant = await tenantOn(app, 'free')
    const [id] = await addCertificates(tenant, 1)
    const answer = await app.request('POST', `/v1/pki/certificates/${id}/renew`, { token: tenant.token, body: {} })
    expect(wanted(answer)).toEqual(refused(/^The plan free does not include renewals: these plans do: plus/))
  })
})

describe('an order that names no account', () => {
  it('ok: takes the only active account', async () => {
    const tenant = await tenantOn(app, 'pro')
    expect((await tenant.order({ account_id: undefined })).json.account_id).toBe(tenant.accountId)
  })

  it('fail: within paths that do not cover that account, it is not there', async () => {
    const tenant = await tenantOn(app, 'pro')
    const token = await newTestToken(app, ['pki:issue'], { tenantId: tenant.id, paths: ['pki/roles/x'] })
    const answer = await app.request('POST', '/v1/pki/acme/issue', {
      token,
      body: { domains: ['www.example.org'], challenge_type: 'http-01' },
    })
    expect([answer.status, answer.json.error.code]).toEqual([404, 'not_found'])
  })
})
