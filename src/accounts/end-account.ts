/** Ending accounts at CAs (RFC 8555 §7.3.6), and giving up registrations that came to no end. */
import { isProblem } from '../acme/acme-error.ts'
import { type Actor, systemActor } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import { logFault } from '../core/log.ts'
import {
  type AcmeAccountRow,
  deleteRegisteringAccount,
  findAcmeAccount,
  staleRegistrations,
  updateAcmeAccount,
} from '../store/acme-accounts.ts'
import type { Store } from '../store/store.ts'
import type { Statement } from '../store/transaction.ts'
import { type AccountDependencies, accountEntry, requireAccount } from './accounts.ts'
import { acmeAppError } from './acme-failure.ts'

/**
 * Deactivates the account at the CA, for good (RFC 8555 §7.3.6). One that the CA has lost or deactivated has nothing to end
 * there; one that is being registered is deleted here. Doing so twice is not an error, also at once. Throws AppError.
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
  await commitEnd(store, actor, account, 'acme_account.deactivated', change)
}

/** How long a registration is kept whose outcome is not known. */
const REGISTRATION_KEPT_MS = 7 * 86_400_000
const MAX_GIVEN_UP = 100

/** Removes registrations that were not continued for a week, with their keys; the others also where one fails. Idempotent. */
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
  if (outcome.kind === 'committed') return
  // Another request at the same time may have ended it: then both have done what they were asked.
  const current = await findAcmeAccount(store, actor.tenantId, account.id)
  if (current === null || current.status === 'deactivated') return
  throw new AppError('conflict', 'The account was changed meanwhile: read it again')
}
