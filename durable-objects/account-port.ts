/** The way to an account's object. */
import type { Env } from '../src/env.ts'
import type { AccountObjects } from '../src/orders/objects.ts'
import type { AcmePort } from '../src/orders/ports.ts'
import type { AccountKey, AcmeAccount } from './acme-account.ts'

/** What orders ask of it. */
export function accountPort(env: Env, tenantId: string, accountId: string): AcmePort {
  const key = { tenantId, accountId }
  const object = stubOf(env, key)
  return {
    newOrder: (order) => object.newOrder(key, order),
    order: (url) => object.order(key, url),
    authorization: (url) => object.authorization(key, url),
    respond: (url, keyAuthorization) => object.respond(key, url, keyAuthorization),
    finalize: (url, csrDer) => object.finalize(key, url, csrDer),
    certificate: (url) => object.certificate(key, url),
    deactivateAuthorization: (url) => object.deactivateAuthorization(key, url),
  }
}

/** What the API asks of it. */
export function accountObjects(env: Env): AccountObjects {
  return {
    register: (tenantId, accountId, eab) => stubOf(env, { tenantId, accountId }).register({ tenantId, accountId }, eab),
    deactivate: (tenantId, accountId) => stubOf(env, { tenantId, accountId }).deactivate({ tenantId, accountId }),
    updateContact: (tenantId, accountId, email) =>
      stubOf(env, { tenantId, accountId }).updateContact({ tenantId, accountId }, email),
    revoke: (tenantId, accountId, revocation) =>
      stubOf(env, { tenantId, accountId }).revoke({ tenantId, accountId }, revocation),
    rollover: (actor, accountId, spec) => {
      const key = { tenantId: actor.tenantId, accountId }
      return stubOf(env, key).rollover(key, actor, spec)
    },
    renewalInfo: (tenantId, accountId, certificateId) =>
      stubOf(env, { tenantId, accountId }).renewalInfo({ tenantId, accountId }, certificateId),
  }
}

function stubOf(env: Env, { tenantId, accountId }: AccountKey): DurableObjectStub<AcmeAccount> {
  return env.ACME_ACCOUNT.getByName(`${tenantId}/${accountId}`)
}
