/** Accounts at CAs: reading them, whether they can be used, and ending them (RFC 8555 §7.3.6). See register-account.ts. */

import { isProblem } from '../acme/acme-error.ts'
import { CERTIFICATE_AUTHORITIES } from '../acme/certificate-authorities.ts'
import { type Actor, systemActor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import { AppError } from '../core/errors.ts'
import type { HttpClient } from '../core/http-client.ts'
import { logFault } from '../core/log.ts'
import {
  type AcmeAccountRow,
  deleteRegisteringAccount,
  findAcmeAccount,
  staleRegistrations,
  updateAcmeAccount,
} from '../store/acme-accounts.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { Statement } from '../store/transaction.ts'
import type { AccountObjects } from './account-object.ts'
import { acmeAppError } from './acme-failure.ts'

export interface AccountDependencies {
  readonly store: Store
  readonly now: Clock
  readonly accounts: AccountObjects
  readonly http: HttpClient
  readonly settings: { readonly allowPrivateTargets: boolean }
}

/**
 * Deactivates the account at the CA, for good (RFC 8555 §7.3.6). One that the CA has lost or deactivated has nothing to end
 * there, and an attempt to register one is given up. Doing so twice is not an error, also at once. Throws AppError.
 */
export async function deactivateAccount(
  dependencies: AccountDependencies,
  actor: Actor,
  accountId: string,
): Promise<void> {
  const { store, now, accounts } = dependencies
  const account = await requireAccount(store, actor.tenantId, accountId)
  if (account.status === 'deactivated') return
  if (account.status === 'registering') {
    const removal = deleteRegisteringAccount(store, actor.tenantId, accountId)
    await commitEnd(store, actor, account, 'acme_account.registration_given_up', removal)
    return
  }
  if (account.status === 'active') {
    const done = await accounts(actor.tenantId, accountId).deactivate()
    if (!done.ok && !isProblem(done.error, 'accountDoesNotExist')) throw acmeAppError(done.error, now())
  }
  // The CA's word that it has lost the account may have changed the row meanwhile.
  const current = await requireAccount(store, actor.tenantId, accountId)
  if (current.status === 'deactivated') return
  const change = updateAcmeAccount(store, current, { status: 'deactivated', updatedAtMs: now() })
  try {
    await commitEnd(store, actor, account, 'acme_account.deactivated', change)
  } catch (error) {
    // Another call at the same time has written it.
    if ((await requireAccount(store, actor.tenantId, accountId)).status !== 'deactivated') throw error
  }
}

/** How long an attempt to register is kept whose outcome is not known. */
const REGISTRATION_KEPT_MS = 7 * 86_400_000
const MAX_GIVEN_UP = 100

/** Removes attempts to register that nobody has gone on with for a week, with their keys; one that fails keeps no other one. Idempotent. */
export async function giveUpRegistrations({ store, now }: Pick<AccountDependencies, 'store' | 'now'>): Promise<void> {
  for (const account of await staleRegistrations(store, now() - REGISTRATION_KEPT_MS, MAX_GIVEN_UP)) {
    const actor = systemActor(account.tenantId)
    try {
      await store.commit({
        tenantId: account.tenantId,
        statements: [deleteRegisteringAccount(store, account.tenantId, account.id)],
        entries: [accountEntry('acme_account.registration_given_up', actor, account)],
      })
    } catch (fault) {
      logFault(`giving up the registration of ${account.id}`, fault)
    }
  }
}

async function commitEnd(
  store: Store,
  actor: Actor,
  account: AcmeAccountRow,
  event: string,
  statement: Statement,
): Promise<void> {
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [statement],
    entries: [accountEntry(event, actor, account)],
  })
  if (outcome.kind !== 'committed') throw new AppError('conflict', 'The account was changed meanwhile: read it again')
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
    resource: `pki/acme/accounts/${account.id}`,
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

/** Does the account belong to a CA of the public web? One at another address is its operator's to know. */
export function isPublicCa(account: AcmeAccountRow): boolean {
  const { directoryUrl } = account
  return Object.values(CERTIFICATE_AUTHORITIES).some(
    ({ productionUrl, stagingUrl }) => directoryUrl === productionUrl || directoryUrl === stagingUrl,
  )
}
