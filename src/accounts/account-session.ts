/**
 * An account's dealings with its CA: one client with its key, nonces and directory, for as long as the object lives, and
 * the replacement of the key. Used by the `acme-account` object alone, so that nonces are never shared (RFC 8555 §6.5)
 * and no request is signed with one key while another takes its place.
 *
 * A new key is stored, sealed in one value with the present one, before the CA is told of it. So both keys are there
 * wherever a replacement is cut off, and the next use of the account asks the CA which of them it knows (RFC 8555 §7.3.1):
 * - cut off before the CA was asked, or refused: the present key stays, and the new one is deleted after a while;
 * - cut off after the CA agreed: the new key takes its place;
 * - cut off after that was written: there is nothing left to decide.
 * Both keys are in the column that re-sealing under another key ring writes anew, so a ring may be rotated at any moment:
 * re-sealing and this file write only over the value that they have read, and the slower one reads again.
 */

import { type AcmeError, isProblem, isTransient } from '../acme/acme-error.ts'
import type { CertificateAuthorityCode, Environment } from '../acme/certificate-authorities.ts'
import type { AcmeClient } from '../acme/client.ts'
import { problemName } from '../acme/problem.ts'
import { type RateLimit, rateLimitsOf } from '../acme/rate-limits.ts'
import { type Actor, systemActor } from '../core/actor.ts'
import type { Bytes } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import type { HttpClient } from '../core/http-client.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { CertificateKeySpec } from '../pki/keys.ts'
import { exportPkcs8, generateKeyPair } from '../pki/keys.ts'
import {
  type AccountKeys,
  type AcmeAccountRow,
  changeAccountKeys,
  findAcmeAccount,
  openAccountKeys,
  type PendingAccountKey,
  sealAccountKeys,
  updateAcmeAccount,
} from '../store/acme-accounts.ts'
import type { Store } from '../store/store.ts'
import { accountClient, signingKey } from './account-client.ts'
import type { Registration, RegistrationRefusal, RolloverRefusal } from './account-object.ts'
import { accountEntry } from './accounts.ts'
import { registerAtCa } from './register-at-ca.ts'

export interface SessionDependencies {
  readonly store: Store
  readonly http: HttpClient
  readonly now: Clock
  readonly settings: { readonly allowPrivateTargets: boolean }
}

export interface AccountSession {
  readonly client: AcmeClient
  /** What the CA has published of its limits. */
  readonly limits: readonly RateLimit[]
}

/**
 * How long a new key is kept that the CA does not know. A request that was cut off may arrive late, but not later than
 * this: the request itself has half a minute.
 */
const PENDING_KEY_PATIENCE_MS = 600_000

/** A write that re-sealing was faster than reads again; re-sealing passes a row once. */
const MAX_WRITES = 5

export class AcmeAccountSession {
  readonly #dependencies: () => Promise<SessionDependencies>
  readonly #tenantId: string
  readonly #accountId: string
  #session: Promise<AccountSession> | null = null
  /** The address that the CA has given the account, which may not be written yet. */
  #registeredUrl: string | null = null
  /** Is there a new key of which it is not known whether the CA has taken it? Null: not read yet. */
  #isPending: boolean | null = null
  /** When the CA last said that it knows the present key, while there is a new one. */
  #presentHeldAtMs: number | null = null
  #doubting: Promise<void> | null = null
  #users = 0
  #onIdle: (() => void) | null = null
  #replacing: Promise<void> | null = null
  #settling: Promise<Result<void, AcmeError>> | null = null

  constructor(dependencies: () => Promise<SessionDependencies>, tenantId: string, accountId: string) {
    this.#dependencies = dependencies
    this.#tenantId = tenantId
    this.#accountId = accountId
  }

  /**
   * Calls with the account's client; any number at once, but none while the key is being replaced. Fails without a call
   * where the CA cannot be asked which key holds. A CA that says that it has no such account is asked once more, by the key,
   * and then the account is marked as lost. Throws where D1 has no such account.
   */
  async use<T, E extends AcmeError | PeerFailure>(
    call: (session: AccountSession) => Promise<Result<T, E>>,
  ): Promise<Result<T, E | AcmeError>> {
    while (this.#replacing !== null) await this.#replacing
    this.#users += 1
    try {
      const settled = await this.#settle()
      if (!settled.ok) return settled
      const done = await call(await this.#open())
      if (!done.ok) await this.#doubt(done.error)
      return done
    } finally {
      this.#users -= 1
      if (this.#users === 0) this.#onIdle?.()
    }
  }

  /** The account for what does not sign: never waits for a key that is being replaced. Throws where D1 has no such account. */
  open(): Promise<Pick<AccountSession, 'limits'>> {
    return this.#open()
  }

  /** Forgets the client: the next use reads the account anew. */
  reset(): void {
    this.#session = null
    this.#registeredUrl = null
    this.#isPending = null
    this.#presentHeldAtMs = null
  }

  /** Does the CA know the account by its key (RFC 8555 §7.3.1)? Null where it did not say. Changes nothing. */
  async isKnown(): Promise<boolean | null> {
    const { row, keys } = await this.#read()
    const known = await this.#isKeyOf(row, keys.current)
    return known.ok ? known.value : null
  }

  /**
   * Deactivates the account at the CA (RFC 8555 §7.3.6). One that is deactivated already is done: by a call whose end was cut
   * off, by another at the same time, or elsewhere.
   */
  async deactivate(): Promise<Result<void, AcmeError>> {
    const done = await this.use(({ client }) => client.deactivateAccount())
    if (done.ok) return ok(undefined)
    // RFC 8555 §7.3.6: the server MUST reject further requests authorized by that account's key, but one
    // refusal may be a slip: so the CA is asked once more, by the key.
    return isProblem(done.error, 'unauthorized') && (await this.#isEnded()) ? ok(undefined) : done
  }

  /** Does the CA refuse the account's keys as well as the account, or call the account deactivated or revoked? */
  async #isEnded(): Promise<boolean> {
    const { row, keys } = await this.#read()
    const candidates = keys.pending === null ? [keys.current] : [keys.current, keys.pending.pkcs8]
    let isEnded = false
    for (const pkcs8 of candidates) {
      const client = await this.#clientOf(row, pkcs8, null)
      const found = await client.newAccount({ onlyReturnExisting: true })
      if (found.ok && found.value.accountUrl === row.accountUrl) {
        if (found.value.account.status === 'valid') return false
        isEnded = true
      } else if (!found.ok && isProblem(found.error, 'unauthorized')) isEnded = true
    }
    return isEnded
  }

  /**
   * Registers the account, or finds it at the CA, while no other call uses it. One at a time; a second is refused. The account is
   * used by the address that the CA gave from then on; the caller writes it.
   */
  register(registration: Registration): Promise<Result<string, RegistrationRefusal>> {
    return this.#alone(async () => {
      const dependencies = await this.#dependencies()
      const row = await findAcmeAccount(dependencies.store, this.#tenantId, this.#accountId)
      // A new key that the CA has taken is the account's key.
      const settled = row === null ? ok(undefined) : await this.#settle()
      if (!settled.ok) return err({ reason: 'refused', error: settled.error, mayBeKnown: true })
      const registered = await registerAtCa(
        dependencies,
        { tenantId: this.#tenantId, accountId: this.#accountId },
        registration,
      )
      this.reset()
      if (registered.ok) this.#registeredUrl = registered.value
      return registered
    })
  }

  /**
   * Puts a new key in the place of the present one (RFC 8555 §7.3.5). One at a time; a second is refused. One that was cut
   * off before is brought to its end instead.
   */
  replaceKey(actor: Actor, spec: CertificateKeySpec): Promise<Result<void, RolloverRefusal>> {
    return this.#alone(() => this.#replaceKey(actor, spec))
  }

  /** Runs when the calls under way have ended, and makes later calls wait for its end. */
  async #alone<T, E>(work: () => Promise<Result<T, E>>): Promise<Result<T, E | { readonly reason: 'busy' }>> {
    if (this.#replacing !== null) return err({ reason: 'busy' })
    let release = () => {}
    this.#replacing = new Promise((resolve) => {
      release = resolve
    })
    try {
      if (this.#users > 0) {
        await new Promise<void>((resolve) => {
          this.#onIdle = resolve
        })
        this.#onIdle = null
      }
      return await work()
    } finally {
      this.#replacing = null
      release()
    }
  }

  async #replaceKey(actor: Actor, spec: CertificateKeySpec): Promise<Result<void, AcmeError>> {
    const before = await this.#read()
    const settled = await this.#settle()
    if (!settled.ok) return settled
    // The replacement that was cut off has come to its end now: the key is another one already.
    if ((await this.#read()).row.thumbprint !== before.row.thumbprint) return ok(undefined)
    const { store, now } = await this.#dependencies()
    const pair = await generateKeyPair(spec)
    const pkcs8 = await exportPkcs8(pair.privateKey)
    const fresh: PendingAccountKey = {
      pkcs8,
      keyType: spec.type,
      keySize: spec.size,
      startedAtMs: now(),
      requestedBy: actor.tokenId,
    }
    const pending = await this.#change((keys) => keys.pending ?? fresh)
    this.#isPending = true
    const { client } = await this.#open()
    const replaced = await client.rolloverKey(await signingKey(pending.pkcs8))
    if (replaced.ok) {
      await this.#finish(store, pending, actor)
      return ok(undefined)
    }
    const holds = await this.#holds(pending)
    if (holds.ok && holds.value) {
      await this.#finish(store, pending, actor)
      return ok(undefined)
    }
    // Refused for good: no request that is still on its way can change the key.
    if (holds.ok && !isTransient(replaced.error)) await this.#forget()
    this.reset()
    return replaced
  }

  /**
   * Brings a replacement that was cut off to its end, or finds that the present key holds. That is remembered: the CA is asked
   * again where it refuses the account, and when no request of the replacement can arrive any more.
   */
  async #settle(): Promise<Result<void, AcmeError>> {
    if (this.#isPending === false) return ok(undefined)
    if (this.#presentHeldAtMs !== null) {
      const { now } = await this.#dependencies()
      if (now() - this.#presentHeldAtMs <= PENDING_KEY_PATIENCE_MS) return ok(undefined)
    }
    this.#settling ??= this.#settleNow().finally(() => {
      this.#settling = null
    })
    return this.#settling
  }

  async #settleNow(): Promise<Result<void, AcmeError>> {
    const { row, keys } = await this.#read()
    const { pending } = keys
    this.#isPending = pending !== null
    if (pending === null) return ok(undefined)
    const { store, now } = await this.#dependencies()
    const holds = await this.#holds(pending)
    if (!holds.ok) return holds
    if (holds.value) {
      const actor = { tenantId: row.tenantId, tokenId: pending.requestedBy, requestId: null }
      await this.#finish(store, pending, actor)
    } else if (now() - pending.startedAtMs > PENDING_KEY_PATIENCE_MS) {
      await this.#forget()
    } else this.#presentHeldAtMs = now()
    return ok(undefined)
  }

  /** After a refusal: is the account another one to the CA than it is here? */
  async #doubt(error: AcmeError | PeerFailure): Promise<void> {
    const name = 'problemType' in error ? error.problemType : error.reason === 'problem' ? problemName(error) : null
    if (name !== 'accountDoesNotExist' && name !== 'unauthorized') return
    // The new key may have taken its place after all: the next use asks the CA.
    this.#presentHeldAtMs = null
    if (name === 'unauthorized') return
    const isSettled = this.#isPending === false
    // The client may have an old address of the account: the next use reads the account anew.
    this.reset()
    if (!isSettled) return
    this.#doubting ??= this.#checkLost().finally(() => {
      this.#doubting = null
    })
    // Where this cannot be found out or written now, the next refusal leads here again; the caller has its answer already.
    await this.#doubting.catch(() => undefined)
  }

  /** The CA has said that it has no such account: is it so by the key too? One answer may be a slip. */
  async #checkLost(): Promise<void> {
    const { row, keys } = await this.#read()
    const found = await this.#accountOf(row, keys.current)
    if (found.ok && found.value !== row.accountUrl) await this.#markLost(row)
  }

  async #markLost(row: AcmeAccountRow): Promise<void> {
    if (row.status !== 'active') return
    const { store, now } = await this.#dependencies()
    const actor = systemActor(row.tenantId)
    await store.commit({
      tenantId: row.tenantId,
      statements: [updateAcmeAccount(store, row, { status: 'lost', updatedAtMs: now() })],
      entries: [accountEntry('acme_account.lost', actor, row, { account_url: row.accountUrl })],
    })
  }

  /** RFC 8555 §7.3.1: does the CA know this account by the new key? */
  async #holds(pending: PendingAccountKey): Promise<Result<boolean, AcmeError>> {
    const { row, keys } = await this.#read()
    const asked = await this.#isKeyOf(row, pending.pkcs8)
    if (asked.ok || isTransient(asked.error)) return asked
    // A CA that refuses unknown keys in words of its own (it wants a binding, say): the present key tells.
    const present = await this.#isKeyOf(row, keys.current)
    return present.ok && present.value ? ok(false) : asked
  }

  async #isKeyOf(row: AcmeAccountRow, pkcs8: Bytes): Promise<Result<boolean, AcmeError>> {
    const found = await this.#accountOf(row, pkcs8)
    return found.ok ? ok(found.value === row.accountUrl) : found
  }

  /** RFC 8555 §7.3.1: the address of the account that the CA has for this key; null where it has none. */
  async #accountOf(row: AcmeAccountRow, pkcs8: Bytes): Promise<Result<string | null, AcmeError>> {
    const client = await this.#clientOf(row, pkcs8, null)
    const found = await client.newAccount({ onlyReturnExisting: true })
    if (found.ok) return ok(found.value.accountUrl)
    return isProblem(found.error, 'accountDoesNotExist') ? ok(null) : found
  }

  async #clientOf(row: AcmeAccountRow, pkcs8: Bytes, accountUrl: string | null): Promise<AcmeClient> {
    return accountClient(await this.#dependencies(), row, pkcs8, accountUrl)
  }

  /** The new key takes the place of the old one, in the same batch as its event. */
  async #finish(store: Store, pending: PendingAccountKey, actor: Actor): Promise<void> {
    const { thumbprint } = await signingKey(pending.pkcs8)
    for (let writes = 1; ; writes += 1) {
      const { row } = await this.#read()
      const sealedKey = await sealAccountKeys(store, row, { current: pending.pkcs8, pending: null })
      const { keyType, keySize } = pending
      const { now } = await this.#dependencies()
      const change = { sealedKey, thumbprint, keyType, keySize, updatedAtMs: now() }
      const outcome = await store.commit({
        tenantId: row.tenantId,
        statements: [changeAccountKeys(store, row, change)],
        entries: [accountEntry('acme_account.key_changed', actor, row, { old_thumbprint: row.thumbprint, thumbprint })],
      })
      if (outcome.kind === 'committed') break
      if (writes >= MAX_WRITES) throw new Error(`the new key of account ${this.#accountId} could not be written`)
    }
    this.reset()
  }

  async #forget(): Promise<void> {
    await this.#change(() => null)
    this.reset()
  }

  /** Puts another pending key into the sealed value, or takes it out. */
  async #change<P extends PendingAccountKey | null>(choose: (keys: AccountKeys) => P): Promise<P> {
    const { store, now } = await this.#dependencies()
    for (let writes = 1; ; writes += 1) {
      const { row, keys } = await this.#read()
      const pending = choose(keys)
      const sealedKey = await sealAccountKeys(store, row, { current: keys.current, pending })
      const statements = [changeAccountKeys(store, row, { sealedKey, updatedAtMs: now() })]
      const outcome = await store.commit({ tenantId: row.tenantId, statements, entries: [] })
      if (outcome.kind === 'committed') return pending
      if (writes >= MAX_WRITES) throw new Error(`the keys of account ${this.#accountId} could not be written`)
    }
  }

  async #read(): Promise<{ readonly row: AcmeAccountRow; readonly keys: AccountKeys }> {
    const { store } = await this.#dependencies()
    const row = await findAcmeAccount(store, this.#tenantId, this.#accountId)
    if (row === null) throw new Error(`there is no account ${this.#accountId}`)
    return { row, keys: await openAccountKeys(store, row) }
  }

  /** One client for all that run at once, so that they share its nonces. One that cannot be opened is tried again. */
  #open(): Promise<AccountSession> {
    this.#session ??= this.#openNow().catch((error: unknown) => {
      this.#session = null
      throw error
    })
    return this.#session
  }

  async #openNow(): Promise<AccountSession> {
    const { row, keys } = await this.#read()
    const limits = rateLimitsOf({
      provider: row.provider as CertificateAuthorityCode,
      environment: row.environment as Environment,
      directoryUrl: row.directoryUrl,
    })
    return { client: await this.#clientOf(row, keys.current, this.#registeredUrl ?? row.accountUrl), limits }
  }
}
