/** One account at a CA: its key, its nonces, its directory. Stores nothing of its own; the sealed key is in D1. */
import { DurableObject } from 'cloudflare:workers'
import type { AcmeError } from '../src/acme/acme-error.ts'
import type { RenewalInfo } from '../src/acme/renewal-info.ts'
import type { Bytes } from '../src/core/bytes.ts'
import { ok, type Result } from '../src/core/result.ts'
import type { Env } from '../src/env.ts'
import { acmePort } from '../src/orders/account-requests.ts'
import { type AccountSession, openAccountSession } from '../src/orders/account-session.ts'
import type { EabCredentials } from '../src/orders/objects.ts'
import type { AcmePort } from '../src/orders/ports.ts'
import { runtimeOf } from '../src/runtime.ts'

/** Which account an object is; every call says so, since an object does not know its own name after a restart. */
export interface AccountKey {
  readonly tenantId: string
  readonly accountId: string
}

export class AcmeAccount extends DurableObject<Env> {
  #session: Promise<AccountSession> | null = null

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

  async renewalInfo(key: AccountKey, certificateId: string): Promise<Result<RenewalInfo, AcmeError>> {
    return (await this.#open(key)).client.renewalInfo(certificateId)
  }

  async newOrder(key: AccountKey, order: Parameters<AcmePort['newOrder']>[0]): ReturnType<AcmePort['newOrder']> {
    return (await this.#port(key)).newOrder(order)
  }

  async order(key: AccountKey, orderUrl: string): ReturnType<AcmePort['order']> {
    return (await this.#port(key)).order(orderUrl)
  }

  async authorization(key: AccountKey, url: string): ReturnType<AcmePort['authorization']> {
    return (await this.#port(key)).authorization(url)
  }

  async respond(key: AccountKey, challengeUrl: string): ReturnType<AcmePort['respond']> {
    return (await this.#port(key)).respond(challengeUrl)
  }

  async finalize(key: AccountKey, finalizeUrl: string, csrDer: Bytes): ReturnType<AcmePort['finalize']> {
    return (await this.#port(key)).finalize(finalizeUrl, csrDer)
  }

  async certificate(key: AccountKey, url: string): ReturnType<AcmePort['certificate']> {
    return (await this.#port(key)).certificate(url)
  }

  async deactivateAuthorization(key: AccountKey, url: string): ReturnType<AcmePort['deactivateAuthorization']> {
    return (await this.#port(key)).deactivateAuthorization(url)
  }

  async #port(key: AccountKey): Promise<AcmePort> {
    return acmePort((await this.#open(key)).client)
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
