/**
 * One account at a CA: its key, its nonces, its directory, and its budget against the CA's rate limits, which is all that
 * it stores. The sealed keys are in D1. Stored keys: durable-objects/README.md.
 */
import { DurableObject } from 'cloudflare:workers'
import { type AccountBudget, accountBudget } from '../src/accounts/account-budget.ts'
import { contactOf, signingKey } from '../src/accounts/account-client.ts'
import type {
  AccountIdentity,
  CaRevocation,
  Registration,
  RegistrationRefusal,
  RolloverRefusal,
} from '../src/accounts/account-object.ts'
import { type AcmeRequests, acmeRequests } from '../src/accounts/account-requests.ts'
import { type AccountSession, AcmeAccountSession } from '../src/accounts/account-session.ts'
import { acmeFailure } from '../src/accounts/acme-failure.ts'
import type { AcmePort, OrderEnd, PortOrder } from '../src/accounts/acme-port.ts'
import type { BudgetLedger, BudgetVerdict } from '../src/accounts/budget.ts'
import type { BudgetReport } from '../src/accounts/budget-report.ts'
import { RenewalQuestions } from '../src/accounts/renewal-questions.ts'
import type { AcmeError } from '../src/acme/acme-error.ts'
import type { RenewalInfo } from '../src/acme/renewal-info.ts'
import type { RevocationDone } from '../src/acme/revocation.ts'
import type { Actor } from '../src/core/actor.ts'
import type { Bytes } from '../src/core/bytes.ts'
import { systemClock } from '../src/core/clock.ts'
import type { PeerFailure } from '../src/core/peer-failure.ts'
import { err, ok, type Result } from '../src/core/result.ts'
import type { Env } from '../src/env.ts'
import type { CertificateKeySpec } from '../src/pki/keys.ts'
import { runtimeOf } from '../src/runtime.ts'
import { dueRenewalsOf, openPrivateKey } from '../src/store/certificates.ts'

/** Which account an object is; every call says so, since an object does not know its own name after a restart. */
export interface AccountKey {
  readonly tenantId: string
  readonly accountId: string
}

export class AcmeAccount extends DurableObject<Env> {
  #account: AcmeAccountSession | null = null
  #ledger: BudgetLedger | undefined
  readonly #renewalQuestions = new RenewalQuestions(systemClock)

  register(key: AccountKey, registration: Registration): Promise<Result<string, RegistrationRefusal>> {
    return this.#of(key).register(registration)
  }

  deactivate(key: AccountKey): Promise<Result<void, AcmeError>> {
    return this.#of(key).deactivate()
  }

  async updateContact(key: AccountKey, email: string | null): Promise<Result<void, AcmeError>> {
    const done = await this.#use(key, ({ client }) => client.updateAccount({ contact: contactOf(email) }))
    return done.ok ? ok(undefined) : done
  }

  rollover(key: AccountKey, actor: Actor, spec: CertificateKeySpec): Promise<Result<void, RolloverRefusal>> {
    return this.#of(key).replaceKey(actor, spec)
  }

  revoke(key: AccountKey, revocation: CaRevocation): Promise<Result<RevocationDone, AcmeError>> {
    const { certificateDer, reason, by } = revocation
    return this.#use(key, async ({ client }) => {
      if (by === 'account') return client.revoke({ certificateDer, reason, by })
      const { store } = await runtimeOf(this.env)
      const pkcs8 = await openPrivateKey(store, { tenantId: key.tenantId, ...by }, by.sealedPrivateKey)
      return client.revoke({ certificateDer, reason, by: await signingKey(pkcs8) })
    })
  }

  renewalInfo(key: AccountKey, certificateId: string): Promise<Result<RenewalInfo, AcmeError>> {
    return this.#renewalQuestions.ask(certificateId, () =>
      this.#use(key, ({ client }) => client.renewalInfo(certificateId)),
    )
  }

  newOrder(key: AccountKey, order: PortOrder): ReturnType<AcmePort['newOrder']> {
    return this.#ask(key, async (requests, session) => (await this.#budget(key, session)).newOrder(requests, order))
  }

  async settle(key: AccountKey, orderId: string, end: OrderEnd): Promise<void> {
    const budget = await this.#openBudget(key)
    budget.settle(orderId, end)
  }

  async reserve(key: AccountKey, orderId: string, domains: readonly string[]): Promise<BudgetVerdict> {
    return (await this.#openBudget(key)).reserve(orderId, domains)
  }

  async outlook(key: AccountKey, domains: readonly string[]): Promise<BudgetVerdict> {
    return (await this.#openBudget(key)).outlook(domains)
  }

  async limits(key: AccountKey, domain: string | null): Promise<BudgetReport> {
    return (await this.#openBudget(key)).report(domain)
  }

  identity(key: AccountKey): Promise<Result<AccountIdentity, AcmeError>> {
    return this.#use(key, async ({ client }) => {
      // Read anew, since whether the CA answers is part of the question.
      const directory = await client.directory({ refresh: true })
      if (!directory.ok) return directory
      const { caaIdentities, accountHashPrefix, issuerDomainNames } = directory.value.meta
      const isKnown = await this.#of(key).isKnown()
      const meta = { caaIdentities, accountHashPrefix, issuerDomainNames }
      return ok({ meta, thumbprint: client.thumbprint(), isKnown })
    })
  }

  order(key: AccountKey, orderUrl: string): ReturnType<AcmePort['order']> {
    return this.#ask(key, (port) => port.order(orderUrl))
  }

  authorization(key: AccountKey, url: string): ReturnType<AcmePort['authorization']> {
    return this.#ask(key, (port) => port.authorization(url))
  }

  respond(key: AccountKey, challengeUrl: string, keyAuthorization: string | null): ReturnType<AcmePort['respond']> {
    return this.#ask(key, (port) => port.respond(challengeUrl, keyAuthorization))
  }

  finalize(key: AccountKey, finalizeUrl: string, csrDer: Bytes): ReturnType<AcmePort['finalize']> {
    return this.#ask(key, (port) => port.finalize(finalizeUrl, csrDer))
  }

  certificate(key: AccountKey, url: string): ReturnType<AcmePort['certificate']> {
    return this.#ask(key, (port) => port.certificate(url))
  }

  deactivateAuthorization(key: AccountKey, url: string): ReturnType<AcmePort['deactivateAuthorization']> {
    return this.#ask(key, (port) => port.deactivateAuthorization(url))
  }

  #ask<T>(
    key: AccountKey,
    call: (requests: AcmeRequests, session: AccountSession) => Promise<Result<T, PeerFailure>>,
  ): Promise<Result<T, PeerFailure>> {
    return this.#of(key).use(
      (session) => call(acmeRequests(session.client), session),
      (error) => err(acmeFailure(error)),
    )
  }

  async #openBudget(key: AccountKey): Promise<AccountBudget> {
    return this.#budget(key, await this.#of(key).open())
  }

  async #budget(key: AccountKey, { limits }: Pick<AccountSession, 'limits'>): Promise<AccountBudget> {
    const { store } = await runtimeOf(this.env)
    return accountBudget({
      storage: {
        load: () => {
          this.#ledger ??= this.ctx.storage.kv.get<BudgetLedger>('budget')
          return this.#ledger
        },
        keep: (ledger) => {
          this.#ledger = ledger
        },
        save: (ledger) => {
          this.#ledger = ledger
          this.ctx.storage.kv.put('budget', ledger)
        },
      },
      limits,
      now: systemClock,
      dueRenewals: () => dueRenewalsOf(store, key, systemClock()),
    })
  }

  #use<T>(
    key: AccountKey,
    call: (session: AccountSession) => Promise<Result<T, AcmeError>>,
  ): Promise<Result<T, AcmeError>> {
    return this.#of(key).use(call, err)
  }

  #of({ tenantId, accountId }: AccountKey): AcmeAccountSession {
    this.#account ??= new AcmeAccountSession(() => runtimeOf(this.env), tenantId, accountId)
    return this.#account
  }
}
