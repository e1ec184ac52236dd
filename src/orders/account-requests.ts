/** What orders ask of a CA, by an account's client: its answers as plain data that crosses RPC. */
import type { AcmeError } from '../acme/acme-error.ts'
import type { Authorization } from '../acme/authorization.ts'
import type { Challenge } from '../acme/challenge.ts'
import type { AcmeClient } from '../acme/client.ts'
import type { Order } from '../acme/order.ts'
import { describeProblem } from '../acme/problem.ts'
import { err, ok, type Result } from '../core/result.ts'
import { acmeFailure } from './peer-failure.ts'
import type { AcmePort, CaAuthorization, CaChallenge, CaOrder, PeerFailure } from './ports.ts'

/** The requests to the CA; the budget is asked around them. */
export type AcmeRequests = Omit<AcmePort, 'settle'>

/** The requests of one account. */
export function acmeRequests(client: AcmeClient): AcmeRequests {
  return {
    async newOrder({ domains, profile, notAfterMs, replaces }) {
      const made = await client.newOrder({
        identifiers: domains.map((value) => ({ type: 'dns' as const, value })),
        ...(profile === null ? {} : { profile }),
        ...(notAfterMs === null ? {} : { notAfterMs }),
        ...(replaces === null ? {} : { replaces }),
      })
      return map(made, ({ orderUrl, order, replacesRefused }) => ({
        orderUrl,
        order: caOrder(order),
        isReplacement: replaces !== null && !replacesRefused && order.replaces === replaces,
      }))
    },
    order: async (url) => map(await client.order(url), caOrder),
    authorization: async (url) => map(await client.authorization(url), (each) => caAuthorization(client, each)),
    respond: async (url, keyAuthorization) =>
      keyAuthorization.endsWith(`.${client.thumbprint()}`)
        ? map(await client.respond(url), () => undefined)
        : err(KEY_CHANGED),
    finalize: async (url, csrDer) => map(await client.finalize(url, csrDer), caOrder),
    certificate: async (url) =>
      map(await client.certificate(url), ({ certificatesDer, alternateUrls }) => ({
        chain: certificatesDer,
        alternates: alternateUrls,
      })),
    deactivateAuthorization: async (url) => map(await client.deactivateAuthorization(url), () => undefined),
  }
}

const KEY_CHANGED: PeerFailure = {
  code: 'account_key_changed',
  message: "the account's key was replaced while the order was under way",
  transient: false,
  retryAtMs: null,
  problemType: null,
}

function map<T, R>(result: Result<T, AcmeError>, convert: (value: T) => R): Result<R, PeerFailure> {
  return result.ok ? ok(convert(result.value)) : err(acmeFailure(result.error))
}

function caOrder(order: Order): CaOrder {
  return {
    status: order.status,
    authorizationUrls: order.authorizationUrls,
    finalizeUrl: order.finalizeUrl,
    certificateUrl: order.certificateUrl,
    error: order.error === null ? null : describeProblem(order.error),
    retryAtMs: order.retryAfterMs,
  }
}

function caAuthorization(client: AcmeClient, authorization: Authorization): CaAuthorization {
  return {
    domain: authorization.identifier.value,
    wildcard: authorization.wildcard,
    status: authorization.status,
    challenges: authorization.challenges.map((each) => caChallenge(client, each)),
    retryAtMs: authorization.retryAfterMs,
  }
}

function caChallenge(client: AcmeClient, challenge: Challenge): CaChallenge {
  const token = 'token' in challenge ? challenge.token : null
  return {
    type: challenge.type,
    url: challenge.url,
    status: challenge.status,
    token,
    keyAuthorization: token === null ? null : client.keyAuthorization(token),
    error: challenge.error === null ? null : describeProblem(challenge.error),
  }
}
