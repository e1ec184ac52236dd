/** How the Durable Objects are addressed: each by a name that says what it is of. */
import type { AccountObjects } from './accounts/account-object.ts'
import type { CrlPublications } from './authority/crl/publish-crl.ts'
import type { ZoneObjects } from './challenges/zone-object.ts'
import type { Env } from './env.ts'
import type { OrderObjects } from './orders/order-object.ts'
import type { EraseObject } from './tenants/purge-tenants.ts'

/** One object per account. */
export function accountObjects(env: Env): AccountObjects {
  return (tenantId, accountId) => env.ACME_ACCOUNT.getByName(`${tenantId}/${accountId}`)
}

/** One object per order. */
export function orderObjects(env: Env): OrderObjects {
  return (tenantId, orderId) => env.ACME_ORDER.getByName(`${tenantId}/${orderId}`)
}

/** One object per CA: its lists are made one after another. */
export function crlPublications(env: Env): CrlPublications {
  return {
    publish: (tenantId, caId, actor) =>
      env.CRL_PUBLISHER.getByName(`${tenantId}/${caId}`).publish(tenantId, caId, actor),
  }
}

/** Ends the objects of a tenant that is being deleted. Those of its ledger and of its DNS providers store nothing. */
export function eraseObjects(env: Env): EraseObject {
  return {
    certificateAuthorities: (tenantId, id) => env.CRL_PUBLISHER.getByName(`${tenantId}/${id}`).erase(),
    acmeAccounts: (tenantId, id) => accountObjects(env)(tenantId, id).erase(),
    acmeOrders: (tenantId, id) => orderObjects(env)(tenantId, id).erase(),
  }
}

/**
 * One object per tenant and credentials: what a provider counts together is paced together, and never across tenants. With
 * another current key of the ring it is another object, which learns the pace anew.
 */
export function zoneObjects(env: Env): ZoneObjects {
  return (tenantId, credentials) => env.DNS_ZONE.getByName(`${tenantId}/${credentials}`)
}

/**
 * Which account an object is of, by its own name. An object knows it from its first call on; one that an alarm woke may not
 * (workerd, when it runs on one machine), so objects with alarms store what they are of.
 */
export function accountNamed({ name }: DurableObjectId): { readonly tenantId: string; readonly accountId: string } {
  const [tenantId, accountId] = name?.split('/') ?? []
  if (tenantId === undefined || accountId === undefined) throw new Error('an account is asked for by its name alone')
  return { tenantId, accountId }
}
