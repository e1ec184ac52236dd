/** What orders ask of a CA, by an account's client: its answers as plain data that crosses RPC. */
import type { AcmeError } from '../acme/acme-error.ts'
import type { Authorization } from '../acme/authorization.ts'
import type { Challenge, PersistChallenge } from '../acme/challenge.ts'
import type { AcmeClient } from '../acme/client.ts'
import { buildPersistRecord } from '../acme/dns-persist.ts'
import { dnsIdentifier, type Identifier, ipIdentifier } from '../acme/identifier.ts'
import type { Order } from '../acme/order.ts'
import { describeProblem } from '../acme/problem.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { err, ok, type Result } from '../core/result.ts'
import { formatIpAddress, parseIpAddress } from '../pki/ip-address.ts'
import { acmeFailure } from './acme-failure.ts'
import type { AcmePort, CaAuthorization, CaChallenge, CaOrder } from './acme-port.ts'

/** The requests to the CA; the budget is asked around them. Revoking has its own way to the account. */
export type AcmeRequests = Omit<AcmePort, 'settle' | 'revoke'>

/** The requests of one account. */
export function acmeRequests(client: AcmeClient): AcmeRequests {
  return {
    async newOrder({ domains, profile, notAfterMs, replaces }) {
      const made = await client.newOrder({
        identifiers: domains.map(identifierOf),
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
    async authorization(url) {
      const found = await client.authorization(url)
      return found.ok ? ok(await caAuthorization(client, found.value)) : err(acmeFailure(found.error))
    },
    respond: async (url, keyAuthorization) =>
      keyAuthorization === null || keyAuthorization.endsWith(`.${client.thumbprint()}`)
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

async function caAuthorization(client: AcmeClient, authorization: Authorization): Promise<CaAuthorization> {
  return {
    domain: nameOf(authorization),
    wildcard: authorization.wildcard,
    status: authorization.status,
    challenges: await Promise.all(authorization.challenges.map((each) => caChallenge(client, authorization, each))),
    retryAtMs: authorization.retryAfterMs,
  }
}

async function caChallenge(
  client: AcmeClient,
  authorization: Authorization,
  challenge: Challenge,
): Promise<CaChallenge> {
  const token = 'token' in challenge ? challenge.token : null
  return {
    type: challenge.type,
    url: challenge.url,
    status: challenge.status,
    token,
    keyAuthorization: token === null ? null : client.keyAuthorization(token),
    persistRecord: challenge.type === 'dns-persist-01' ? await persistRecord(client, authorization, challenge) : null,
    error: challenge.error === null ? null : describeProblem(challenge.error),
  }
}

/** RFC 8738 §3: addresses are identifiers of their own type. */
const identifierOf = (name: string): Identifier =>
  parseIpAddress(name) === null ? dnsIdentifier(name) : ipIdentifier(name)

/** An address in the form in which it was ordered, however the CA writes it. */
function nameOf({ identifier }: Authorization): string {
  const octets = identifier.type === 'ip' ? parseIpAddress(identifier.value) : null
  return octets === null ? identifier.value : formatIpAddress(octets)
}

/** Null where the CA says too little to build it: then the challenge cannot be answered. */
async function persistRecord(
  client: AcmeClient,
  { identifier, wildcard }: Authorization,
  challenge: PersistChallenge,
): Promise<CaChallenge['persistRecord']> {
  const directory = await client.directory()
  const accountUrl = client.accountUrl()
  if (!directory.ok || accountUrl === null) return null
  const record = await buildPersistRecord({
    domain: identifier.value,
    account: { accountUrl, thumbprint: client.thumbprint() },
    meta: directory.value.meta,
    challenge,
    wildcard,
  })
  return record.ok ? { name: record.value.name, value: record.value.value } : null
}
