/**
 * One account at a CA: its key, its nonces, its directory, and its budget against the CA's rate limits, which is all that
 * it stores. The sealed key is in D1. Stored keys: durable-objects/README.md.
 */
import { DurableObject } from 'cloudflare:workers'
import type { AcmeError } from '../src/acme/acme-error.ts'
import type { Bytes } from '../src/core/bytes.ts'
import { systemClock } from '../src/core/clock.ts'
import { ok, type Result } from '../src/core/result.ts'
import type { Env } from '../src/env.ts'
import { type AccountBudget, accountBudget } from '../src/orders/account-budget.ts'
import { type AcmeRequests, acmeRequests } from '../src/orders/account-requests.ts'
import { type AccountSession, openAccountSession } from '../src/orders/account-session.ts'
import type { BudgetLedger, BudgetVerdict } from '../src/orders/budget.ts'
import type { BudgetReport } from '../src/orders/budget-report.ts'
import type { AccountIdentity, EabCredentials } from '../src/orders/objects.ts'
import type { AcmePort, OrderEnd, PortOrder } from '../src/orders/ports.ts'
import { runtimeOf } from '../src/runtime.ts'
import { dueRenewalsOf } from '../src/store/certificates.ts'

/** Which account an object is; every call says so, since an object does not know its own name after a restart. */
export interface AccountKey {
  readonly tenantId: string
  readonly accountId: string
}

export class AcmeAccount extends DurableObject<Env> {
  #session: Promise<AccountSession> | null = null
  #ledger: BudgetLedger | undefined

  async register(key: AccountKey, eab: EabCredentials | null): Promise<Result<string, AcmeError>> {
    const { client, email } = await this.#open(key)
    const registered = await client.newAccount({
      contact: email === null ? [] : [`mailto:${email}`],
      termsOfServiceAgreed: true,
      ...(eab === null ? {} : { externalAccountBinding: { keyId: eab.kid, macKey: eab.hmacKey } }),
    })
    if (!registered.ok) this.#session = null
    return registered.ok ? ok(registered.value.accountUrl) : registered
  }

  async deactivate(key: AccountKey): Promise<Result<void, AcmeError>> {
    const { client } = await this.#open(key)
    const done = await client.deactivateAccount()
    return done.ok ? ok(undefined) : done
  }

  async newOrder(key: AccountKey, order: PortOrder): ReturnType<AcmePort['newOrder']> {
    const budget = await this.#budget(key)
    return budget.newOrder(await this.#requests(key), order)
  }

  async settle(key: AccountKey, orderId: string, end: OrderEnd): Promise<void> {
    const budget = await this.#budget(key)
    budget.settle(orderId, end)
  }

  async reserve(key: AccountKey, orderId: string, domains: readonly string[]): Promise<BudgetVerdict> {
    return (await this.#budget(key)).reserve(orderId, domains)
  }

  async outlook(key: AccountKey, domains: readonly string[]): Promise<BudgetVerdict> {
    return (await this.#budget(key)).outlook(domains)
  }

  async limits(key: AccountKey, domain: string | null): Promise<BudgetReport> {
    return (await this.#budget(key)).report(domain)
  }

  async identity(key: AccountKey): Promise<Result<AccountIdentity, AcmeError>> {
    const { client } = await this.#open(key)
    // Read anew, since whether the CA answers is part of the question.
    const directory = await client.directory({ refresh: true })
    if (!directory.ok) return directory
    const { caaIdentities, accountHashPrefix, issuerDomainNames } = directory.value.meta
    return ok({ meta: { caaIdentities, accountHashPrefix, issuerDomainNames }, thumbprint: client.thumbprint() })
  }

  async order(key: AccountKey, orderUrl: string): ReturnType<AcmePort['order']> {
    return (await this.#requests(key)).order(orderUrl)
  }

  async authorization(key: AccountKey, url: string): ReturnType<AcmePort['authorization']> {
    return (await this.#requests(key)).authorization(url)
  }

  async respond(key: AccountKey, challengeUrl: string): ReturnType<AcmePort['respond']> {
    return (await this.#requests(key)).respond(challengeUrl)
  }

  async finalize(key: AccountKey, finalizeUrl: string, csrDer: Bytes): ReturnType<AcmePort['finalize']> {
    return (await this.#requests(key)).finalize(finalizeUrl, csrDer)
  }

  async certificate(key: AccountKey, url: string): ReturnType<AcmePort['certificate']> {
    return (await this.#requests(key)).certificate(url)
  }

  async deactivateAuthorization(key: AccountKey, url: string): ReturnType<AcmePort['deactivateAuthorization']> {
    return (await this.#requests(key)).deactivateAuthorization(url)
  }

  async #requests(key: AccountKey): Promise<AcmeRequests> {
    return acmeRequests((await this.#open(key)).client)
  }

  async #budget(key: AccountKey): Promise<AccountBudget> {
    const { limits } = await this.#open(key)
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

  /** One client for all that run at once, so that they share its nonces. One that cannot be opened is tried again. */
  #open({ tenantId, accountId }: AccountKey): Promise<AccountSession> {
    this.#session ??= runtimeOf(this.env)
      .then((runtime) => openAccountSession(runtime, tenantId, accountId))
      .catch((error: unknown) => {
        this.#session = null
        throw error
      })
    return this.#session
  }
}
