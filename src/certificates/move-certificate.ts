/** Giving a certificate another account to be renewed with: the CA has lost the one that it has, or another CA is to issue it. */

import { isPublicCa, requireAccount, requireActive } from '../accounts/accounts.ts'
import { checkIdentifiers } from '../challenges/identifiers.ts'
import { invalidField } from '../core/errors.ts'
import { type AcmeAccountRow, mustBeActiveAccount } from '../store/acme-accounts.ts'
import { type AsRead, type CertificateRow, noteVersionAccounts } from '../store/certificates.ts'
import type { OrderRequest } from '../store/order-request.ts'
import type { Store } from '../store/store.ts'
import type { Statement } from '../store/transaction.ts'

export interface CertificateMove {
  readonly change: Partial<CertificateRow>
  /** To be committed with the change. */
  readonly statements: readonly Statement[]
  /** What the change was made from: a precondition of the transaction that writes it. */
  readonly when: AsRead
}

/**
 * What is to be written so that the certificate is renewed with that account. An order under way goes on with the account
 * that it has. What has been issued stays with the account that it came by: that CA says when to renew it (RFC 9773 §4) and
 * that account revokes it. Throws AppError.
 */
export async function moveCertificate(
  { store, nowMs }: { readonly store: Store; readonly nowMs: number },
  certificate: CertificateRow,
  accountId: string,
): Promise<CertificateMove> {
  const { tenantId } = certificate
  const stored = certificate.renewalRequest
  if (stored === null) throw invalidField('account_id', 'only certificates that came by ACME have an account')
  if (stored.accountId === accountId) return { change: {}, statements: [], when: {} }
  const account = await requireActive(store, tenantId, accountId)
  const names = checkIdentifiers(stored.domains, stored.challengeType, isPublicCa(account))
  if (!names.ok) throw invalidField('account_id', `the CA of that account would refuse it: ${names.error[0]?.message}`)
  const before = await requireAccount(store, tenantId, stored.accountId)
  return {
    change: {
      renewalRequest: { ...stored, accountId, ...defaultsOf(stored, before, account) },
      ...dueAgain(certificate, nowMs),
    },
    statements: [mustBeActiveAccount(store, tenantId, accountId), noteVersionAccounts(store, certificate)],
    when: {
      accountId: stored.accountId,
      revocation: certificate,
      openOrderId: certificate.openOrderId,
      autoRenew: certificate.autoRenew,
      nextRenewalAtMs: certificate.nextRenewalAtMs,
    },
  }
}

/** What the request has from the account that it was made for is the other account's to say now. */
function defaultsOf(
  stored: OrderRequest,
  before: AcmeAccountRow,
  account: AcmeAccountRow,
): Pick<OrderRequest, 'preferredChain' | 'profile'> {
  return {
    preferredChain: stored.preferredChain === before.preferredChain ? account.preferredChain : stored.preferredChain,
    profile: stored.profile === before.profile ? account.profile : stored.profile,
  }
}

/** Renewals that failed with the account before are worth a try with this one at once. */
function dueAgain(certificate: CertificateRow, nowMs: number): Partial<CertificateRow> {
  const { renewalFailures, nextRenewalAtMs, openOrderId } = certificate
  const isWaiting = renewalFailures > 0 && nextRenewalAtMs !== null && openOrderId === null
  return isWaiting ? { nextRenewalAtMs: Math.min(nextRenewalAtMs, nowMs) } : {}
}
