/**
 * Registering accounts at CAs (RFC 8555 §7.3): new ones, those whose registration was cut off, and those that the CA has
 * lost. The part that talks to the CA is in register-at-ca.ts.
 */
import { type AcmeError, isProblem } from '../acme/acme-error.ts'
import {
  CERTIFICATE_AUTHORITIES,
  type CertificateAuthorityCode,
  chooseDirectoryUrl,
  type Environment,
} from '../acme/certificate-authorities.ts'
import { importSigningKey } from '../acme/signing-key.ts'
import type { Actor } from '../core/actor.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { checkTarget } from '../core/http-client.ts'
import { newId } from '../core/ids.ts'
import { ok } from '../core/result.ts'
import type { CertificateKeySpec } from '../pki/keys.ts'
import { exportPkcs8, generateKeyPair } from '../pki/keys.ts'
import {
  type AcmeAccountRow,
  deleteRegisteringAccount,
  findAcmeAccountByName,
  insertAcmeAccount,
  sealAccountKeys,
  updateAcmeAccount,
} from '../store/acme-accounts.ts'
import { type Alongside, nothingElse } from '../store/transaction.ts'
import { bindingOf, isZeroSsl } from './account-binding.ts'
import type { EabCredentials, Registration, RegistrationRefusal } from './account-object.ts'
import { type AccountDependencies, accountEntry, requireAccount } from './accounts.ts'
import { acmeAppError } from './acme-failure.ts'

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
 * Makes a key, stores it sealed, and registers it with the CA. Where it is not known whether the CA has taken the key, the
 * attempt is kept: the same name, directory and kind of key go on with it, whatever else the second call changes. Throws
 * AppError.
 */
export async function registerAccount(
  dependencies: AccountDependencies,
  actor: Actor,
  input: AccountInput,
  alongside: Alongside<AcmeAccountRow> = nothingElse,
): Promise<AcmeAccountRow> {
  const directoryUrl = checkDirectory(dependencies, input)
  const { account, isFirst } = await storedAccount(dependencies, actor, input, directoryUrl)
  const { provider, environment, email, preferredChain, profile } = input
  const fields = { provider, environment, email, preferredChain, profile }
  const eab = await bindingOf(dependencies, input).catch(async (error: unknown) => {
    if (isFirst) await commitRemoval(dependencies, actor, account)
    throw error
  })
  return finish(dependencies, actor, { account, fields, isFirst, eab }, alongside)
}

/** What a registration of an account that exists may change. */
export interface AnewInput {
  readonly eab: EabCredentials | null
  /** Undefined: as it is. */
  readonly email: string | null | undefined
}

/**
 * Registers an account that the CA has lost, or whose registration was cut off, with the key that it has. One that the CA
 * knows stays as it is. Throws AppError.
 */
export async function registerAnew(
  dependencies: AccountDependencies,
  actor: Actor,
  accountId: string,
  { eab: given, email: wanted }: AnewInput,
): Promise<AcmeAccountRow> {
  const account = await requireAccount(dependencies.store, actor.tenantId, accountId)
  if (account.status === 'deactivated') {
    throw new AppError('conflict', 'The account is deactivated, which cannot be undone: register another one')
  }
  const { provider, environment, preferredChain, profile } = account
  const email = wanted === undefined ? account.email : wanted
  // At another address it is not the CA itself, which gives bindings by its API: the caller gives one.
  const isElsewhere = chosenDirectory(account) !== account.directoryUrl
  const bound = { provider, directoryUrl: isElsewhere ? account.directoryUrl : null, email, eab: given }
  const eab = await bindingOf(dependencies, bound)
  const fields = { provider, environment, email, preferredChain, profile }
  return finish(dependencies, actor, { account, fields, isFirst: false, eab }, nothingElse)
}

/** The directory of the account's CA itself; null where it has none of its own. */
function chosenDirectory({ provider, environment, keyType }: AcmeAccountRow): string | null {
  const chosen = chooseDirectoryUrl({
    provider: provider as CertificateAuthorityCode,
    environment: environment as Environment,
    certificateKeyType: keyType as CertificateKeySpec['type'],
  })
  return chosen.ok ? chosen.value : null
}

interface Attempt extends Pick<Registration, 'isFirst' | 'eab'> {
  readonly account: AcmeAccountRow
  /** What the account is to have: of a second try, what that one says. */
  readonly fields: Pick<AcmeAccountRow, 'provider' | 'environment' | 'email' | 'preferredChain' | 'profile'>
}

async function finish(
  dependencies: AccountDependencies,
  actor: Actor,
  { account, fields, isFirst, eab }: Attempt,
  alongside: Alongside<AcmeAccountRow>,
): Promise<AcmeAccountRow> {
  const { store, now, accounts } = dependencies
  const registered = await accounts(actor.tenantId, account.id).registerAtCa({
    isFirst,
    eab,
    email: fields.email,
  })
  if (!registered.ok) {
    const isOver = registered.error.reason === 'refused' && !registered.error.mayBeKnown
    // The CA has no account: the name is free again.
    if (isOver && account.status === 'registering') await commitRemoval(dependencies, actor, account)
    throw refusal(registered.error, account, now())
  }
  const accountUrl = registered.value
  const isSame = account.status === 'active' && account.accountUrl === accountUrl && account.email === fields.email
  if (isSame) return account
  const row = { ...account, ...fields, status: 'active', accountUrl, updatedAtMs: now() }
  const { status, updatedAtMs } = row
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      updateAcmeAccount(store, account, { ...fields, status, accountUrl, updatedAtMs }),
      ...(await alongside(row)),
    ],
    entries: [
      accountEntry('acme_account.registered', actor, account, {
        directory_url: account.directoryUrl,
        account_url: accountUrl,
        ...(account.accountUrl === null ? {} : { old_account_url: account.accountUrl }),
      }),
    ],
  })
  if (outcome.kind === 'committed') return row
  throw new AppError('conflict', 'Another request changed this account at the same time: read it')
}

function refusal(refused: RegistrationRefusal, account: AcmeAccountRow, nowMs: number): AppError {
  switch (refused.reason) {
    case 'busy':
      return new AppError('conflict', 'Another request is registering this account: read it')
    case 'over':
      return new AppError('conflict', `The account was not registered: ${refused.message}`)
    case 'refused': {
      // RFC 8555 §7.3.4: what is missing is the caller's to give.
      if (isProblem(refused.error, 'externalAccountRequired')) return invalidField('eab', EAB_WANTED)
      const error = ofDirectory(refused.error, account, acmeAppError(refused.error, nowMs))
      if (!refused.mayBeKnown || account.status !== 'registering') return error
      const message = `${error.message}; the CA may have made the account: ask again, and the same key is used (${account.id})`
      const { retryAfterSeconds } = error
      return new AppError(error.code, message, retryAfterSeconds === null ? {} : { retryAfterSeconds })
    }
  }
}

/** Where the directory itself could not be read, the error names the setting that says where it is. */
function ofDirectory(cause: AcmeError, { directoryUrl }: AcmeAccountRow, error: AppError): AppError {
  if (cause.reason !== 'transport' || cause.url !== directoryUrl) return error
  const { code, message, retryAfterSeconds } = error
  return new AppError(code, `directory_url: ${message}`, {
    details: [{ path: 'directory_url', message }],
    ...(retryAfterSeconds === null ? {} : { retryAfterSeconds }),
  })
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

/** The account's row: a new one, or that of an attempt that came to no end. */
async function storedAccount(
  { store, now }: AccountDependencies,
  actor: Actor,
  input: AccountInput,
  directoryUrl: string,
): Promise<{ readonly account: AcmeAccountRow; readonly isFirst: boolean }> {
  const existing = await findAcmeAccountByName(store, actor.tenantId, input.name)
  if (existing !== null && existing.status !== 'registering') throw nameTaken(input.name)
  if (existing !== null && isSameAttempt(existing, input, directoryUrl)) return { account: existing, isFirst: false }
  const ageMs = existing === null ? 0 : now() - existing.updatedAtMs
  if (existing !== null && ageMs < REGISTRATION_PATIENCE_MS) {
    const retryAfterSeconds = Math.max(1, Math.ceil((REGISTRATION_PATIENCE_MS - ageMs) / 1000))
    const message = `An account named ${input.name} is being registered elsewhere or with another key: wait, or use another name`
    throw new AppError('conflict', message, { retryAfterSeconds })
  }
  const pair = await generateKeyPair(input.key)
  const id = newId('acmeAccount', now())
  const pkcs8 = await exportPkcs8(pair.privateKey)
  const key = await importSigningKey(pkcs8)
  if (!key.ok) throw invalidField('key_type', key.error)
  const account: AcmeAccountRow = {
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
    statements: [
      ...(existing === null ? [] : [deleteRegisteringAccount(store, actor.tenantId, existing.id)]),
      insertAcmeAccount(store, account),
    ],
    entries: [],
  })
  if (outcome.kind === 'committed') return { account, isFirst: true }
  throw nameTaken(input.name)
}

const nameTaken = (name: string): AppError =>
  new AppError('already_exists', `An account named ${name} exists: use another name`)

/** A CA knows the key, and only the CA that was asked; another kind of key is another account. */
function isSameAttempt(
  { directoryUrl, keyType, keySize }: AcmeAccountRow,
  input: AccountInput,
  wanted: string,
): boolean {
  return directoryUrl === wanted && keyType === input.key.type && keySize === input.key.size
}

/** A registration that is younger than this may still be under way. */
const REGISTRATION_PATIENCE_MS = 120_000

async function commitRemoval({ store }: AccountDependencies, actor: Actor, account: AcmeAccountRow): Promise<void> {
  await store.commit({
    tenantId: actor.tenantId,
    statements: [deleteRegisteringAccount(store, actor.tenantId, account.id)],
    entries: [],
  })
}
