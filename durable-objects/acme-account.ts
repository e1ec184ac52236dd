/**
 * One account at a CA: its key, its nonces, its directory, and its budget against the CA's rate limits, which is all that
 * it stores. The sealed keys are in D1. Stored keys: durable-objects/README.md.
 */
import { DurableObject } from 'cloudflare:workers'
import { type AccountBudget, accountBudget } from '../src/accounts/account-budget.ts'
import { contactOf, newOrderOf, signingKey } from '../src/accounts/account-client.ts'
import type {
  AccountIdentity,
  AccountObject,
  CaRevocation,
  OrderEnd,
  OrderInput,
  Registration,
  RegistrationRefusal,
  RolloverRefusal,
} from '../src/accounts/account-object.ts'
import { type AccountSession, AcmeAccountSession } from '../src/accounts/account-session.ts'
import { acmeFailure } from '../src/accounts/acme-failure.ts'
import type { BudgetLedger, BudgetVerdict } from '../src/accounts/budget.ts'
import type { BudgetReport } from '../src/accounts/budget-report.ts'
import { type OfferedAuthorization, tellReady, withAnswers } from '../src/accounts/challenge-answer.ts'
import { RenewalQuestions } from '../src/accounts/renewal-questions.ts'
import type { AcmeError } from '../src/acme/acme-error.ts'
import type { DownloadedChain } from '../src/acme/certificate.ts'
import type { CreatedOrder, Order } from '../src/acme/order.ts'
import type { RenewalInfo } from '../src/acme/renewal-info.ts'
import type { RevocationDone } from '../src/acme/revocation.ts'
import type { Actor } from '../src/core/actor.ts'
import type { Bytes } from '../src/core/bytes.ts'
import { systemClock } from '../src/core/clock.ts'
import type { PeerFailure } from '../src/core/peer-failure.ts'
import { err, ok, type Result } from '../src/core/result.ts'
import type { Env } from '../src/env.ts'
import { accountNamed } from '../src/objects.ts'
import type { CertificateKeySpec } from '../src/pki/keys.ts'
import { runtimeOf } from '../src/runtime.ts'
import { openPrivateKey } from '../src/store/certificates.ts'
import { dueRenewalsOf } from '../src/store/due-renewals.ts'

export class AcmeAccount extends DurableObject<Env> implements AccountObject {
  readonly #account = accountNamed(this.ctx.id)
  readonly #session = new AcmeAccountSession(() => runtimeOf(this.env), this.#account.tenantId, this.#account.accountId)
  readonly #renewalQuestions = new RenewalQuestions(systemClock)
  #ledger: BudgetLedger | undefined
  /** A call that was under way stores nothing more. */
  #isErased = false

  registerAtCa(registration: Registration): Promise<Result<string, RegistrationRefusal>> {
    return this.#session.register(registration)
  }

  deactivate(): Promise<Result<void, AcmeError>> {
    return this.#session.deactivate()
  }

  async changeContact(email: string | null): Promise<Result<void, AcmeError>> {
    return nothingOf(await this.#session.use(({ client }) => client.updateAccount({ contact: contactOf(email) })))
  }

  replaceKey(actor: Actor, spec: CertificateKeySpec): Promise<Result<void, RolloverRefusal>> {
    return this.#session.replaceKey(actor, spec)
  }

  identity(): Promise<Result<AccountIdentity, AcmeError>> {
    return this.#session.use(async ({ client }) => {
      // Read anew, since whether the CA answers is part of the question.
      const directory = await client.directory({ refresh: true })
      if (!directory.ok) return directory
      const { caaIdentities, accountHashPrefix, issuerDomainNames } = directory.value.meta
      const meta = { caaIdentities, accountHashPrefix, issuerDomainNames }
      return ok({ meta, thumbprint: client.thumbprint(), isKnown: await this.#session.isKnown() })
    })
  }

  async reserveOrder(orderId: string, domains: readonly string[]): Promise<BudgetVerdict> {
    return this.#budget(await this.#session.open()).reserve(orderId, domains)
  }

  async checkBudget(domains: readonly string[]): Promise<BudgetVerdict> {
    return this.#budget(await this.#session.open()).outlook(domains)
  }

  async reportBudget(domain: string | null): Promise<BudgetReport> {
    return this.#budget(await this.#session.open()).report(domain)
  }

  openOrder(order: OrderInput): Promise<Result<CreatedOrder, PeerFailure>> {
    return this.#forOrder((session) =>
      this.#budget(session).openOrder(order, async () => {
        const made = await session.client.newOrder(newOrderOf(order))
        return made.ok ? made : err(acmeFailure(made.error))
      }),
    )
  }

  async settleOrder(orderId: string, end: OrderEnd): Promise<void> {
    this.#budget(await this.#session.open()).settle(orderId, end)
  }

  readOrder(orderUrl: string): Promise<Result<Order, PeerFailure>> {
    return this.#forOrder(({ client }) => client.order(orderUrl))
  }

  readAuthorization(authorizationUrl: string): Promise<Result<OfferedAuthorization, PeerFailure>> {
    return this.#forOrder(async ({ client }) => {
      const found = await client.authorization(authorizationUrl)
      return found.ok ? ok(await withAnswers(client, found.value)) : found
    })
  }

  async giveUpAuthorization(authorizationUrl: string): Promise<Result<void, PeerFailure>> {
    return nothingOf(await this.#forOrder(({ client }) => client.deactivateAuthorization(authorizationUrl)))
  }

  async answerChallenge(challengeUrl: string, keyAuthorization: string | null): Promise<Result<void, PeerFailure>> {
    return nothingOf(await this.#forOrder(({ client }) => tellReady(client, challengeUrl, keyAuthorization)))
  }

  finalizeOrder(finalizeUrl: string, csrDer: Bytes): Promise<Result<Order, PeerFailure>> {
    return this.#forOrder(({ client }) => client.finalize(finalizeUrl, csrDer))
  }

  downloadChain(certificateUrl: string): Promise<Result<DownloadedChain, PeerFailure>> {
    return this.#forOrder(({ client }) => client.certificate(certificateUrl))
  }

  revokeCertificate({ certificateDer, reason, by }: CaRevocation): Promise<Result<RevocationDone, AcmeError>> {
    return this.#session.use(async ({ client }) => {
      if (by === 'account') return client.revoke({ certificateDer, reason, by })
      const { store } = await runtimeOf(this.env)
      const pkcs8 = await openPrivateKey(store, { tenantId: this.#account.tenantId, ...by }, by.sealedPrivateKey)
      return client.revoke({ certificateDer, reason, by: await signingKey(pkcs8) })
    })
  }

  readRenewalInfo(certificateId: string): Promise<Result<RenewalInfo, AcmeError>> {
    return this.#renewalQuestions.ask(certificateId, () =>
      this.#session.use(({ client }) => client.renewalInfo(certificateId)),
    )
  }

  async erase(): Promise<void> {
    this.#isErased = true
    this.#ledger = undefined
    await this.ctx.storage.deleteAll()
  }

  /** What the CA refuses an order comes back sorted by what to do next. */
  async #forOrder<T>(
    call: (session: AccountSession) => Promise<Result<T, AcmeError | PeerFailure>>,
  ): Promise<Result<T, PeerFailure>> {
    const done = await this.#session.use(call)
    if (done.ok) return done
    return err('reason' in done.error ? acmeFailure(done.error) : done.error)
  }

  #budget({ limits }: Pick<AccountSession, 'limits'>): AccountBudget {
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
          if (!this.#isErased) this.ctx.storage.kv.put('budget', ledger)
        },
      },
      limits,
      now: systemClock,
      dueRenewals: async () => dueRenewalsOf((await runtimeOf(this.env)).store, this.#account, systemClock()),
    })
  }
}

/** The result without its value, which the caller does not need. */
function nothingOf<E>(result: Result<unknown, E>): Result<void, E> {
  return result.ok ? ok(undefined) : result
}
