/** The way to an account's object. */

import type { AccountObjects } from '../src/accounts/account-object.ts'
import { acmeFailure } from '../src/accounts/acme-failure.ts'
import type { AcmePort } from '../src/accounts/acme-port.ts'
import { err, ok } from '../src/core/result.ts'
import type { Env } from '../src/env.ts'
import type { AccountKey, AcmeAccount } from './acme-account.ts'

/** What orders ask of it. */
export function accountPort(env: Env, tenantId: string, accountId: string): AcmePort {
  const key = { tenantId, accountId }
  const object = stubOf(env, key)
  return {
    newOrder: (order) => object.newOrder(key, order),
    settle: (orderId, end) => object.settle(key, orderId, end),
    order: (url) => object.order(key, url),
    authorization: (url) => object.authorization(key, url),
    respond: (url, keyAuthorization) => object.respond(key, url, keyAuthorization),
    finalize: (url, csrDer) => object.finalize(key, url, csrDer),
    certificate: (url) => object.certificate(key, url),
    deactivateAuthorization: (url) => object.deactivateAuthorization(key, url),
    async revoke(revocation) {
      const done = await object.revoke(key, revocation)
      return done.ok ? ok(undefined) : err(acmeFailure(done.error))
    },
  }
}

/** What the API asks of it. */
export function accountObjects(env: Env): AccountObjects {
  const objectOf = (tenantId: string, accountId: string) => {
    const key = { tenantId, accountId }
    return { key, object: stubOf(env, key) }
  }
  return {
    register(tenantId, accountId, registration) {
      const { key, object } = objectOf(tenantId, accountId)
      return object.register(key, registration)
    },
    deactivate(tenantId, accountId) {
      const { key, object } = objectOf(tenantId, accountId)
      return object.deactivate(key)
    },
    reserve(tenantId, accountId, orderId, domains) {
      const { key, object } = objectOf(tenantId, accountId)
      return object.reserve(key, orderId, domains)
    },
    outlook(tenantId, accountId, domains) {
      const { key, object } = objectOf(tenantId, accountId)
      return object.outlook(key, domains)
    },
    limits(tenantId, accountId, domain) {
      const { key, object } = objectOf(tenantId, accountId)
      return object.limits(key, domain)
    },
    identity(tenantId, accountId) {
      const { key, object } = objectOf(tenantId, accountId)
      return object.identity(key)
    },
    updateContact(tenantId, accountId, email) {
      const { key, object } = objectOf(tenantId, accountId)
      return object.updateContact(key, email)
    },
    revoke(tenantId, accountId, revocation) {
      const { key, object } = objectOf(tenantId, accountId)
      return object.revoke(key, revocation)
    },
    rollover(actor, accountId, spec) {
      const { key, object } = objectOf(actor.tenantId, accountId)
      return object.rollover(key, actor, spec)
    },
    renewalInfo(tenantId, accountId, certificateId) {
      const { key, object } = objectOf(tenantId, accountId)
      return object.renewalInfo(key, certificateId)
    },
  }
}

function stubOf(env: Env, { tenantId, accountId }: AccountKey): DurableObjectStub<AcmeAccount> {
  return env.ACME_ACCOUNT.getByName(`${tenantId}/${accountId}`)
}
