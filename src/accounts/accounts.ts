/** Accounts at CAs: reading them and what is left of their CA's limits, whether they can be used, and what the journal says of them. */

import { CERTIFICATE_AUTHORITIES } from '../acme/certificate-authorities.ts'
import type { Actor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import { AppError, invalidField } from '../core/errors.ts'
import type { HttpClient } from '../core/http-client.ts'
import { resourceName } from '../core/resources.ts'
import { parseDnsName } from '../pki/dns-name.ts'
import { type AcmeAccountRow, findAcmeAccount } from '../store/acme-accounts.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { AccountObjects } from './account-object.ts'
import type { BudgetReport } from './budget-report.ts'

export interface AccountDependencies {
  readonly store: Store
  readonly now: Clock
  readonly accounts: AccountObjects
  readonly http: HttpClient
  readonly settings: { readonly allowPrivateTargets: boolean }
}

/** What the journal says of an account. */
export function accountEntry(
  event: string,
  actor: Actor,
  account: AcmeAccountRow,
  detail: Readonly<Record<string, string | null>> = {},
): JournalEntry {
  return entryBy(actor, {
    event,
    resource: resourceName.acmeAccount(account.id),
    detail: { account_id: account.id, name: account.name, ...detail },
  })
}

/** An account that is active, or has another of these statuses. Throws `not_found` or `conflict`. */
export async function requireActive(
  store: Store,
  tenantId: string,
  accountId: string,
  others: readonly string[] = [],
): Promise<AcmeAccountRow> {
  const account = await requireAccount(store, tenantId, accountId)
  if (account.status === 'active' || others.includes(account.status)) return account
  throw new AppError('conflict', unusable(account))
}

/** Why an account that is not active cannot be used, and what to do. */
export function unusable({ id, status }: Pick<AcmeAccountRow, 'id' | 'status'>): string {
  switch (status) {
    case 'lost':
      return `The CA has lost the ACME account ${id}: register it anew (POST /v1/pki/acme/accounts/${id}/register), or give its certificates another account (PATCH /v1/pki/certificates/{id} with account_id)`
    case 'registering':
      return `The registration of the ACME account ${id} has come to no end: go on with it (POST /v1/pki/acme/accounts/${id}/register)`
    default:
      return `The ACME account ${id} is ${status}: use another one; certificates take it by PATCH /v1/pki/certificates/{id} with account_id`
  }
}

/** Throws `not_found`. */
export async function requireAccount(store: Store, tenantId: string, accountId: string): Promise<AcmeAccountRow> {
  const account = await findAcmeAccount(store, tenantId, accountId)
  if (account === null) throw new AppError('not_found', `There is no ACME account ${accountId}`)
  return account
}

/** What is left of the CA's limits, with `domain` also of those that count for it. Throws `not_found`, and `invalid_request` for what is no domain. */
export async function readLimits(
  { store, accounts }: Pick<AccountDependencies, 'store' | 'accounts'>,
  tenantId: string,
  accountId: string,
  domain: string | null,
): Promise<BudgetReport> {
  const account = await requireAccount(store, tenantId, accountId)
  const name = domain === null ? null : parseDnsName(domain)
  if (name?.ok === false) throw invalidField('domain', name.error)
  return accounts(tenantId, account.id).reportBudget(name === null ? null : name.value.name)
}

/** Does the account belong to a CA of the public web? One at another address is its operator's to know. */
export function isPublicCa(account: AcmeAccountRow): boolean {
  const { directoryUrl } = account
  return Object.values(CERTIFICATE_AUTHORITIES).some(
    ({ productionUrl, stagingUrl }) => directoryUrl === productionUrl || directoryUrl === stagingUrl,
  )
}
