/** Accounts at CAs: registering, reading, deactivating (RFC 8555 §7.3). */
import { isProblem } from '../acme/acme-error.ts'
import {
  CERTIFICATE_AUTHORITIES,
  type CertificateAuthorityCode,
  chooseDirectoryUrl,
  type Environment,
} from '../acme/certificate-authorities.ts'
import { importSigningKey } from '../acme/signing-key.ts'
import type { Actor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { checkTarget, type HttpClient } from '../core/http-client.ts'
import { newId } from '../core/ids.ts'
import { ok } from '../core/result.ts'
import { exportPkcs8, generateKeyPair } from '../pki/keys.ts'
import {
  type AcmeAccountRow,
  deleteRegisteringAccount,
  findAcmeAccount,
  findAcmeAccountByName,
  insertAcmeAccount,
  sealAccountKeys,
  updateAcmeAccount,
} from '../store/acme-accounts.ts'
import type { Store } from '../store/store.ts'
import { type Alongside, nothingElse } from '../store/work.ts'
import { bindingOf, isZeroSsl } from './account-binding.ts'
import type { AccountObjects, EabCredentials } from './objects.ts'
import type { CertificateKeySpec } from './order-request.ts'
import { acmeAppError } from './peer-failure.ts'

export interface AccountDependencies {
  readonly store: Store
  readonly now: Clock
  readonly accounts: AccountObjects
  readonly http: HttpClient
  readonly settings: { readonly allowPrivateTargets: boolean }
}

export interface AccountInput {
  readonly name: string
  readonly provider: CertificateAuthorityCode
  readonly environment: Environment
  readonly email: string | null
  readonly directoryUrl: string | null
  readonly eab: EabCredentials | null
  readonly key: CertificateKeySpec
  readonly preferredChain: string | null
  readonly profile: string | null
}

/**
 * Makes a key, stores it sealed, and registers it with the CA. The key is stored first: after a crash the same request
 * finds it and registers the same account, since a CA knows an account by its key. Throws AppError.
 */
export async function registerAccount(
  dependencies: AccountDependencies,
  actor: Actor,
  input: AccountInput,
  alongside: Alongside<AcmeAccountRow> = nothingElse,
): Promise<AcmeAccountRow> {
  const directoryUrl = checkDirectory(dependencies, input)
  const account = await storedAccount(dependencies, actor, input, directoryUrl)
  const eab = await bindingOf(dependencies, input).catch(async (error: unknown) => {
    await commitRemoval(dependencies, actor, account)
    throw error
  })
  const registered = await dependencies.accounts.register(actor.tenantId, account.id, eab)
  if (!registered.ok) {
    // Nothing came of it: the name is free again. A CA that did take the key keeps an account that nobody uses.
    await commitRemoval(dependencies, actor, account)
    // RFC 8555 §7.3.4: what is missing is the caller's to give.
    if (isProblem(registered.error, 'externalAccountRequired')) throw invalidField('eab', EAB_WANTED)
    throw acmeAppError(registered.error, dependencies.now())
  }
  const change = { status: 'active', accountUrl: registered.value, updatedAtMs: dependencies.now() }
  const row = { ...account, ...change }
  const outcome = await dependencies.store.commit({
    tenantId: actor.tenantId,
    statements: [updateAcmeAccount(dependencies.store, account, change), ...(await alongside(row))],
    entries: [
      {
        event: 'acme_account.registered',
        actor: actor.tokenId,
        resource: `pki/acme/accounts/${account.id}`,
        detail: {
          account_id: account.id,
          name: account.name,
          directory_url: directoryUrl,
          account_url: registered.value,
        },
        requestId: actor.requestId,
      },
    ],
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'Another request registered this account at the same time: read it')
  }
  return row
}

const EAB_WANTED = 'the CA wants an external account binding: give eab with the kid and hmac_key that it gave you'

/** Which directory is meant; refuses what is closed, missing or private before anything is stored. */
function checkDirectory({ settings }: AccountDependencies, input: AccountInput): string {
  const authority = CERTIFICATE_AUTHORITIES[input.provider]
  // An address of the caller's own wins for every CA: proxies, and servers to try things with. Not for a closed one.
  const chosen =
    input.directoryUrl !== null && authority.closed === null
      ? ok(input.directoryUrl)
      : chooseDirectoryUrl({
          provider: input.provider,
          environment: input.environment,
          certificateKeyType: input.key.type,
        })
  if (!chosen.ok) throw invalidField(input.provider === 'custom' ? 'directory_url' : 'provider', chosen.error)
  const target = checkTarget(chosen.value, settings.allowPrivateTargets)
  if (!target.ok) throw invalidField('directory_url', target.error)
  if (authority.externalAccountRequired && input.directoryUrl === null && input.eab === null && !isZeroSsl(input)) {
    throw invalidField('eab', EAB_WANTED)
  }
  if (isZeroSsl(input) && input.eab === null && input.email === null) {
    const message = 'ZeroSSL gives credentials for an e-mail address: give email, or eab with the kid and hmac_key'
    throw invalidField('email', message)
  }
  return chosen.value
}

/** The account's row: a new one, or that of an attempt that a crash cut off. */
async function storedAccount(
  { store, now }: AccountDependencies,
  actor: Actor,
  input: AccountInput,
  directoryUrl: string,
): Promise<AcmeAccountRow> {
  const existing = await findAcmeAccountByName(store, actor.tenantId, input.name)
  const isUnfinished =
    existing?.status === 'registering' &&
    existing.directoryUrl === directoryUrl &&
    now() - existing.createdAtMs > REGISTRATION_PATIENCE_MS
  if (existing !== null && isUnfinished) return existing
  if (existing !== null) throw new AppError('already_exists', `An account named ${input.name} exists: use another name`)
  const pair = await generateKeyPair(input.key)
  const id = newId('acmeAccount', now())
  const pkcs8 = await exportPkcs8(pair.privateKey)
  const key = await importSigningKey(pkcs8)
  if (!key.ok) throw invalidField('key_type', key.error)
  const row: AcmeAccountRow = {
    tenantId: actor.tenantId,
    id,
    name: input.name,
    provider: input.provider,
    environment: input.environment,
    email: input.email,
    directoryUrl,
    accountUrl: null,
    status: 'registering',
    keyType: input.key.type,
    keySize: input.key.size,
    sealedKey: await sealAccountKeys(store, { tenantId: actor.tenantId, id }, { current: pkcs8, pending: null }),
    thumbprint: key.value.thumbprint,
    preferredChain: input.preferredChain,
    profile: input.profile,
    createdAtMs: now(),
    updatedAtMs: now(),
  }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [insertAcmeAccount(store, row)],
    entries: [],
  })
  if (outcome.kind === 'committed') return row
  throw new AppError('already_exists', `An account named ${input.name} exists: use another name`)
}

/** An attempt that is younger than this may still be under way. */
const REGISTRATION_PATIENCE_MS = 120_000

async function commitRemoval({ store }: AccountDependencies, actor: Actor, account: AcmeAccountRow): Promise<void> {
  await store.commit({
    tenantId: actor.tenantId,
    statements: [deleteRegisteringAccount(store, actor.tenantId, account.id)],
    entries: [],
  })
}

/** Deactivates the account at the CA, for good (RFC 8555 §7.3.6). Doing so twice is not an error. Throws AppError. */
export async function deactivateAccount(
  dependencies: AccountDependencies,
  actor: Actor,
  accountId: string,
): Promise<void> {
  const account = await requireAccount(dependencies.store, actor.tenantId, accountId)
  if (account.status === 'deactivated') return
  if (account.status !== 'active')
    throw new AppError('conflict', 'The account is still being registered: try again later')
  const done = await dependencies.accounts.deactivate(actor.tenantId, accountId)
  if (!done.ok) throw acmeAppError(done.error, dependencies.now())
  await dependencies.store.commit({
    tenantId: actor.tenantId,
    statements: [
      updateAcmeAccount(dependencies.store, account, { status: 'deactivated', updatedAtMs: dependencies.now() }),
    ],
    entries: [
      {
        event: 'acme_account.deactivated',
        actor: actor.tokenId,
        resource: `pki/acme/accounts/${accountId}`,
        detail: { account_id: accountId, name: account.name },
        requestId: actor.requestId,
      },
    ],
  })
}

/** Throws `not_found` or `conflict`. */
export async function requireActive(store: Store, tenantId: string, accountId: string): Promise<AcmeAccountRow> {
  const account = await requireAccount(store, tenantId, accountId)
  if (account.status === 'active') return account
  throw new AppError('conflict', `The account is ${account.status}: only an active one can be changed`)
}

/** Throws `not_found`. */
export async function requireAccount(store: Store, tenantId: string, accountId: string): Promise<AcmeAccountRow> {
  const account = await findAcmeAccount(store, tenantId, accountId)
  if (account === null) throw new AppError('not_found', `There is no ACME account ${accountId}`)
  return account
}
