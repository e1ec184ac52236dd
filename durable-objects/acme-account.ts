/** One account at a CA: its key, its nonces, its directory. Stores nothing of its own; the sealed keys are in D1. */
import { DurableObject } from 'cloudflare:workers'
import type { AcmeError } from '../src/acme/acme-error.ts'
import type { RenewalInfo } from '../src/acme/renewal-info.ts'
import type { RevocationDone } from '../src/acme/revocation.ts'
import type { Actor } from '../src/core/actor.ts'
import type { Bytes } from '../src/core/bytes.ts'
import { err, ok, type Result } from '../src/core/result.ts'
import type { Env } from '../src/env.ts'
import { acmePort } from '../src/orders/account-requests.ts'
import {
  type AccountSession,
  AcmeAccountSession,
  type RolloverRefusal,
  signingKey,
} from '../src/orders/account-session.ts'
import type { CaRevocation, EabCredentials } from '../src/orders/objects.ts'
import type { CertificateKeySpec } from '../src/orders/order-request.ts'
import { acmeFailure } from '../src/orders/peer-failure.ts'
import type { AcmePort, PeerFailure } from '../src/orders/ports.ts'
import { runtimeOf } from '../src/runtime.ts'
import { openPrivateKey } from '../src/store/certificates.ts'

/** Which account an object is; every call says so, since an object does not know its own name after a restart. */
export interface AccountKey {
  readonly tenantId: string
  readonly accountId: string
}

export class AcmeAccount extends DurableObject<Env> {
  #account: AcmeAccountSession | null = null

  async register(key: AccountKey, eab: EabCredentials | null): Promise<Result<string, AcmeError>> {
    const registered = await this.#use(key, ({ client, email }) =>
      client.newAccount({
        contact: contactOf(email),
        termsOfServiceAgreed: true,
        ...(eab === null ? {} : { externalAccountBinding: { keyId: eab.kid, macKey: eab.hmacKey } }),
      }),
    )
    if (!registered.ok) this.#of(key).reset()
    return registered.ok ? ok(registered.value.accountUrl) : registered
  }

  async deactivate(key: AccountKey): Promise<Result<void, AcmeError>> {
    const done = await this.#use(key, ({ client }) => client.deactivateAccount())
    return done.ok ? ok(undefined) : done
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
    return this.#use(key, ({ client }) => client.renewalInfo(certificateId))
  }

  newOrder(key: AccountKey, order: Parameters<AcmePort['newOrder']>[0]): ReturnType<AcmePort['newOrder']> {
    return this.#ask(key, (port) => port.newOrder(order))
  }

  order(key: AccountKey, orderUrl: string): ReturnType<AcmePort['order']> {
    return this.#ask(key, (port) => port.order(orderUrl))
  }

  authorization(key: AccountKey, url: string): ReturnType<AcmePort['authorization']> {
    return this.#ask(key, (port) => port.authorization(url))
  }

  respond(key: AccountKey, challengeUrl: string, keyAuthorization: string): ReturnType<AcmePort['respond']> {
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

  #ask<T>(key: AccountKey, call: (port: AcmePort) => Promise<Result<T, PeerFailure>>): Promise<Result<T, PeerFailure>> {
    return this.#of(key).use(
      ({ client }) => call(acmePort(client)),
      (error) => err(acmeFailure(error)),
    )
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

/** RFC 8555 §7.3: contacts are `mailto:` addresses. */
function contactOf(email: string | null): readonly string[] {
  return email === null ? [] : [`mailto:${email}`]
}
