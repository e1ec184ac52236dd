/** Changing accounts at CAs: what they are called, whom the CA writes to, their keys (RFC 8555 §7.3.2, §7.3.5). */

import { CERTIFICATE_AUTHORITIES, type CertificateAuthorityCode } from '../acme/certificate-authorities.ts'
import type { Actor } from '../core/actor.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import type { CertificateKeySpec } from '../pki/keys.ts'
import { type AcmeAccountRow, updateAcmeAccount } from '../store/acme-accounts.ts'
import { entryBy } from '../store/journal.ts'
import { type AccountDependencies, requireAccount, requireActive } from './accounts.ts'
import { acmeAppError } from './acme-failure.ts'

/** What of an account can be changed; what is left out stays. */
export interface AccountChange {
  readonly name?: string
  readonly email?: string | null
  readonly preferredChain?: string | null
  readonly profile?: string | null
}

/**
 * Changes an account. The CA hears of another e-mail address first (RFC 8555 §7.3.2): should this end in between, the same
 * request again does no harm. Throws AppError.
 */
export async function changeAccount(
  { store, now, accounts }: AccountDependencies,
  actor: Actor,
  accountId: string,
  change: AccountChange,
): Promise<AcmeAccountRow> {
  const account = await requireAccount(store, actor.tenantId, accountId)
  const fields = (Object.keys(change) as (keyof AccountChange)[]).filter((field) => change[field] !== account[field])
  if (fields.length === 0) return account
  if (change.email !== undefined && fields.includes('email')) {
    await requireActive(store, actor.tenantId, accountId)
    if (change.email === null) checkContactless(account)
    const told = await accounts(actor.tenantId, accountId).changeContact(change.email)
    if (!told.ok) throw acmeAppError(told.error, now())
  }
  const changed = { ...change, updatedAtMs: now() }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [updateAcmeAccount(store, account, changed)],
    entries: [
      entryBy(actor, {
        event: 'acme_account.updated',
        resource: resourceName.acmeAccount(accountId),
        detail: {
          account_id: accountId,
          name: change.name ?? account.name,
          fields: fields.map((each) => FIELDS[each]),
        },
      }),
    ],
  })
  if (outcome.kind === 'exists') {
    throw new AppError('already_exists', `An account named ${change.name} exists: use another name`)
  }
  if (outcome.kind === 'conflict') {
    throw new AppError('conflict', 'The account was registered or deactivated meanwhile: read it again')
  }
  return { ...account, ...changed }
}

/** As the API names them. */
const FIELDS = { name: 'name', email: 'email', preferredChain: 'preferred_chain', profile: 'profile' } as const

function checkContactless({ provider }: AcmeAccountRow): void {
  const authority = CERTIFICATE_AUTHORITIES[provider as CertificateAuthorityCode]
  if (!authority.features.contactRequired) return
  throw invalidField('email', `${authority.name} issues nothing for accounts without an e-mail address`)
}

/**
 * Replaces the account's key, at the CA and here (RFC 8555 §7.3.5). `key`: null for one of the same kind. Two at once: the
 * second is `conflict`. Where the CA's answer was lost, the account is used with the key that the CA knows. Throws AppError.
 */
export async function rolloverAccountKey(
  dependencies: AccountDependencies,
  actor: Actor,
  accountId: string,
  key: CertificateKeySpec | null,
): Promise<AcmeAccountRow> {
  const account = await requireActive(dependencies.store, actor.tenantId, accountId)
  const spec = key ?? ({ type: account.keyType, size: account.keySize } as CertificateKeySpec)
  const done = await dependencies.accounts(actor.tenantId, accountId).replaceKey(actor, spec)
  if (done.ok) return requireAccount(dependencies.store, actor.tenantId, accountId)
  if (done.error.reason === 'busy') {
    throw new AppError('conflict', 'The key of this account is being replaced already: read the account')
  }
  throw acmeAppError(done.error, dependencies.now())
}
