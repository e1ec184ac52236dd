/** A tenant on a plan, with a token and an account at a CA that no order reaches. */
import type { AccountObjects } from '../../../src/accounts/account-object.ts'
import type { OrderObjects } from '../../../src/orders/order-object.ts'
import { addAccount } from '../support/acme-rows.ts'
import { bindings } from '../support/bindings.ts'
import { newTenant, newTestToken, type TestAnswer, type TestApp } from '../support/worker-app.ts'

/** Objects that take every order and do nothing with it. */
export const idleObjects = {
  orders: (() => ({ start: async () => undefined, progress: async () => null })) as unknown as OrderObjects,
  accounts: (() => ({ reserveOrder: async () => ({ allowed: true }) })) as unknown as AccountObjects,
}

export interface PlannedTenant {
  readonly id: string
  readonly token: string
  readonly accountId: string
  order(more?: Readonly<Record<string, unknown>>): Promise<TestAnswer>
}

let tenants = 0

export async function tenantOn(app: TestApp, plan: string): Promise<PlannedTenant> {
  tenants += 1
  const id = await newTenant(`on-${plan}`)
  await setPlan(id, plan)
  const accountId = `acme_${String(tenants).padStart(26, '0')}`
  await addAccount(app.store, { id: accountId, tenantId: id })
  const token = await newTestToken(app, ['pki:admin', 'pki:issue'], { tenantId: id })
  return {
    id,
    token,
    accountId,
    order: (more = {}) =>
      app.request('POST', '/v1/pki/acme/issue', {
        token,
        body: { account_id: accountId, domains: ['www.example.org'], challenge_type: 'http-01', ...more },
      }),
  }
}

export async function setPlan(id: string, plan: string): Promise<void> {
  await bindings.DB.prepare('UPDATE tenants SET plan = ? WHERE id = ?').bind(plan, id).run()
}
