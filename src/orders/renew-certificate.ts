/** Renewing a certificate at its owner's request, whatever its source: a new version at once, or the order that makes it. */

import type { AuthorityDependencies } from '../authority/dependencies.ts'
import type { Issued } from '../authority/issuing/issue.ts'
import { requireCertificate } from '../certificates/read-certificate.ts'
import { type RenewInput, renewInternal } from '../certificates/renew-internal.ts'
import type { Actor } from '../core/actor.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import { type AnsweredCheck, checkRenewalNow, type RenewalCheckDependencies } from '../renewal/renewal-checks.ts'
import type { AcmeOrderRow } from '../store/acme-orders.ts'
import { type Alongside, nothingElse } from '../store/transaction.ts'
import { type IssueDependencies, renewAcmeCertificate } from './issue.ts'

/** What a renewal makes: of an internal certificate the new version, of an ACME certificate the order. */
export type Renewed =
  | { readonly kind: 'issued'; readonly issued: Issued }
  | { readonly kind: 'ordered'; readonly order: AcmeOrderRow }

/**
 * Renews now. `requireResource` refuses what the token's paths do not cover: a certificate whose role the caller does not see is not
 * renewed, since the role says what is issued. Throws AppError.
 */
export async function renewCertificate(
  dependencies: AuthorityDependencies & IssueDependencies,
  actor: Actor,
  id: string,
  input: RenewInput,
  requireResource: (resource: string) => Promise<void>,
  alongside: Alongside<Renewed> = nothingElse,
): Promise<Renewed> {
  const row = await requireCertificate(dependencies.store, actor, id)
  if (row.source === 'imported') {
    throw new AppError('conflict', 'It was imported: its issuer is elsewhere, and so is its renewal')
  }
  if (row.source === 'internal') {
    if (row.roleName !== null) await requireResource(resourceName.role(row.roleName))
    const made = (issued: Issued): Renewed => ({ kind: 'issued', issued })
    return made(await renewInternal(dependencies, actor, row, input, (issued) => alongside(made(issued))))
  }
  if (input.ttlSeconds !== null) throw invalidField('ttl', 'the CA decides how long its certificates last')
  const made = (order: AcmeOrderRow): Renewed => ({ kind: 'ordered', order })
  return made(await renewAcmeCertificate(dependencies, actor, row, 'forced', (order) => alongside(made(order))))
}

/** Asks the CA of an ACME certificate when it wants it renewed (RFC 9773); renews nothing. Throws AppError. */
export async function checkRenewal(
  dependencies: Omit<RenewalCheckDependencies, 'log'>,
  actor: Actor,
  id: string,
): Promise<AnsweredCheck> {
  const row = await requireCertificate(dependencies.store, actor, id)
  if (row.source === 'acme') return checkRenewalNow(dependencies, actor, row)
  const why = `the certificate is ${row.source}: there is no CA to ask; leave it out to renew it`
  throw invalidField('only', row.source === 'internal' ? why : 'it was imported: its renewal is elsewhere')
}
