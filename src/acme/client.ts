/**
 * The ACME client (RFC 8555, RFC 9773, draft-ietf-acme-profiles-01): one method per request. Does not poll, wait, store
 * or publish; an order's steps do.
 */

import { toBase64Url } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import type { HttpClient, HttpResponse } from '../core/http-client.ts'
import { err, ok, type Result } from '../core/result.ts'
import { parseRetryAfter } from '../core/retry-after.ts'
import {
  type Account,
  type NewAccount,
  type OrderPage,
  parseAccount,
  parseOrderList,
  type RegisteredAccount,
} from './account.ts'
import { type AcmeError, isProblem } from './acme-error.ts'
import { type Authorization, parseAuthorization } from './authorization.ts'
import { type DownloadedChain, formatPemChain, parsePemChain } from './certificate.ts'
import { type Challenge, dns01Value, keyAuthorization, parseChallenge } from './challenge.ts'
import type { CachedDirectory, Directory } from './directory.ts'
import { signExternalAccountBinding } from './external-account-binding.ts'
import { type Identifier, sameIdentifiers } from './identifier.ts'
import { POST_AS_GET, signRequest } from './jws.ts'
import {
  MAX_ALTERNATES,
  MAX_CHAIN_BYTES,
  MAX_POLL_RETRY_AFTER_MS,
  MAX_RENEWAL_INFO_RETRY_AFTER_MS,
  MIN_RENEWAL_INFO_RETRY_AFTER_MS,
} from './limits.ts'
import { linksOf } from './link-header.ts'
import type { NoncePool } from './nonce.ts'
import { buildNewOrder, type CreatedOrder, type NewOrder, type Order, parseOrder, refusesReplacement } from './order.ts'
import { cleanText } from './problem.ts'
import { isCertificateId, parseRenewalInfo, type RenewalInfo, renewalInfoUrl } from './renewal-info.ts'
import { buildRevocation, type Revocation, type RevocationDone } from './revocation.ts'
import { badAnswer, checkMediaType, createSession, readLocation, readObject } from './session.ts'
import { checkServerUrl } from './shape.ts'
import type { SigningKey } from './signing-key.ts'

export interface AcmeClientOptions {
  readonly http: HttpClient
  readonly directoryUrl: string
  readonly accountKey: SigningKey
  /** The account's URL, verbatim; null before `newAccount`. */
  readonly accountUrl: string | null
  readonly now: Clock
  /** As the HttpClient was told: for the addresses that the CA names. */
  readonly allowPrivateTargets: boolean
  /** Shared by the clients of one CA in one object; default: a pool of its own. */
  readonly nonces?: NoncePool
  /** A directory that was kept; read again when it is a day old. */
  readonly cachedDirectory?: CachedDirectory | null
}

/** Methods return; they throw only on bugs. Requests may run in parallel, but not during `rolloverKey`. */
export interface AcmeClient {
  /** RFC 8555 §7.1.1. `refresh` reads it again at any age. */
  directory(options?: { readonly refresh?: boolean }): Promise<Result<Directory, AcmeError>>
  /** What `directory` read last: to be kept for the next client. */
  cachedDirectory(): CachedDirectory | null

  /** The account's URL, once it is known. */
  accountUrl(): string | null
  /** RFC 8555 §7.3. The client uses the account from then on. Idempotent: a known key finds its account. */
  newAccount(account: NewAccount): Promise<Result<RegisteredAccount, AcmeError>>
  /** RFC 8555 §7.3.2. Some CAs cannot (`accountRefresh` in certificate-authorities.ts). */
  account(): Promise<Result<Account, AcmeError>>
  /** RFC 8555 §7.3.2. */
  updateAccount(change: { readonly contact: readonly string[] }): Promise<Result<Account, AcmeError>>
  /** RFC 8555 §7.3.6. Cannot be undone. */
  deactivateAccount(): Promise<Result<Account, AcmeError>>
  /**
   * RFC 8555 §7.3.5. Store the new key before. A success is proved: the CA names this account for the new key, with which
   * the client signs from then on. After a failure other than a `problem`, ask `newAccount` with both keys which one holds.
   */
  rolloverKey(newKey: SigningKey): Promise<Result<void, AcmeError>>
  /** RFC 8555 §7.1.2.1. Let's Encrypt has no such list. */
  orders(ordersUrl: string): Promise<Result<OrderPage, AcmeError>>

  /** RFC 8555 §7.4. The CA may answer with an order that exists. */
  newOrder(order: NewOrder): Promise<Result<CreatedOrder, AcmeError>>
  order(orderUrl: string): Promise<Result<Order, AcmeError>>
  /** RFC 8555 §7.4: once, when the order is `ready`; then ask `order`. */
  finalize(finalizeUrl: string, csrDer: Uint8Array): Promise<Result<Order, AcmeError>>

  /** RFC 8555 §7.4.1: authorization before any order. Let's Encrypt does not offer it. */
  newAuthorization(
    identifier: Identifier,
  ): Promise<Result<{ readonly authorizationUrl: string; readonly authorization: Authorization }, AcmeError>>
  authorization(authorizationUrl: string): Promise<Result<Authorization, AcmeError>>
  /** RFC 8555 §7.5.2. */
  deactivateAuthorization(authorizationUrl: string): Promise<Result<Authorization, AcmeError>>
  /** RFC 8555 §7.5.1: tells the CA to validate. Once per challenge; then ask `authorization`. */
  respond(challengeUrl: string): Promise<Result<Challenge, AcmeError>>

  /** RFC 8555 §7.4.2; also for alternate chains. */
  certificate(certificateUrl: string): Promise<Result<DownloadedChain, AcmeError>>
  /** RFC 8555 §7.6. Idempotent. */
  revoke(revocation: Revocation): Promise<Result<RevocationDone, AcmeError>>
  /** RFC 9773 §4. `certificateId` from `buildCertificateId`. */
  renewalInfo(certificateId: string): Promise<Result<RenewalInfo, AcmeError>>

  /** RFC 7638, of the key in use. */
  thumbprint(): string
  /** RFC 8555 §8.1. Changes with the account key. */
  keyAuthorization(token: string): string
  /** RFC 8555 §8.4: the TXT value. */
  dns01Value(token: string): Promise<string>
}

export function createAcmeClient(options: AcmeClientOptions): AcmeClient {
  const session = createSession(options)
  let key = options.accountKey
  let account = options.accountUrl

  /** A request in the account's name. */
  async function post(
    to: Parameters<typeof session.post>[0]['to'],
    payload: string,
    extra: { readonly accept?: string; readonly maxBytes?: number } = {},
  ): Promise<Result<HttpResponse, AcmeError>> {
    if (account === null) return err(invalid('accountUrl', 'the ACME account is not registered yet'))
    return session.post({ to, key, accountUrl: account, payload, ...extra })
  }

  const pollAfter = (answer: HttpResponse): number | null =>
    parseRetryAfter(answer.headers, session.now(), { maxMs: MAX_POLL_RETRY_AFTER_MS })

  const readOrder = (answer: HttpResponse): Result<Order, AcmeError> =>
    readObject(answer, 'order', (value) => parseOrder(value, pollAfter(answer), session))

  const readAuthorization = (answer: HttpResponse): Result<Authorization, AcmeError> =>
    readObject(answer, 'authorization', (value) => parseAuthorization(value, pollAfter(answer), session))

  const readAccount = (answer: HttpResponse): Result<Account, AcmeError> =>
    readObject(answer, 'account', (value) => parseAccount(value, session))

  async function postForAccount(payload: string): Promise<Result<Account, AcmeError>> {
    if (account === null) return err(invalid('accountUrl', 'the ACME account is not registered yet'))
    return then(await post(account, payload), readAccount)
  }

  async function postNewOrder(order: NewOrder, replaces: string | null): Promise<Result<CreatedOrder, AcmeError>> {
    const answer = await post({ resource: 'newOrder' }, buildNewOrder(order, replaces))
    if (!answer.ok) return answer
    const orderUrl = readLocation(answer.value, 'order', session)
    if (!orderUrl.ok) return orderUrl
    const created = readOrder(answer.value)
    if (!created.ok) return created
    if (!sameIdentifiers(created.value.identifiers, order.identifiers)) {
      const names = created.value.identifiers.map(({ value }) => value).join(', ')
      return err(badAnswer(answer.value, 'shape', `answered with an order for other names: ${names}`))
    }
    return ok({ orderUrl: orderUrl.value, order: created.value, replacesRefused: false })
  }

  return {
    directory: ({ refresh = false } = {}) => session.directory(refresh),
    cachedDirectory: () => session.cachedDirectory(),
    accountUrl: () => account,

    async newAccount({ contact, termsOfServiceAgreed, externalAccountBinding, onlyReturnExisting }) {
      const answer = await session.post({
        to: { resource: 'newAccount' },
        key,
        accountUrl: null,
        async payload(url) {
          const binding =
            externalAccountBinding === undefined
              ? ok(undefined)
              : await signExternalAccountBinding(externalAccountBinding, url, key.publicJwk)
          if (!binding.ok) return err(invalid('externalAccountBinding', binding.error))
          return ok(
            JSON.stringify({
              contact,
              termsOfServiceAgreed,
              onlyReturnExisting,
              externalAccountBinding: binding.value,
            }),
          )
        },
      })
      if (!answer.ok) return answer
      const accountUrl = readLocation(answer.value, 'account', session)
      if (!accountUrl.ok) return accountUrl
      const registered = readAccount(answer.value)
      if (!registered.ok) return registered
      account = accountUrl.value
      // RFC 8555 §7.3: 201 for a new account; §7.3.1: 200 for one that exists.
      return ok({ accountUrl: account, created: answer.value.status === 201, account: registered.value })
    },

    account: () => postForAccount(POST_AS_GET),
    updateAccount: ({ contact }) => postForAccount(JSON.stringify({ contact })),
    deactivateAccount: () => postForAccount(JSON.stringify({ status: 'deactivated' })),

    async rolloverKey(newKey) {
      if (account === null) return err(invalid('accountUrl', 'the ACME account is not registered yet'))
      const accountUrl = account
      const answer = await session.post({
        to: { resource: 'keyChange' },
        key,
        accountUrl,
        // RFC 8555 §7.3.5: the inner JWS has the new key as "jwk", the outer one's "url", and no nonce.
        async payload(url) {
          const payload = JSON.stringify({ account: accountUrl, oldKey: key.publicJwk })
          return ok(JSON.stringify(await signRequest({ key: newKey, accountUrl: null, url, nonce: null, payload })))
        },
      })
      if (!answer.ok) return answer
      // Pebble 2.10.1 answers 200 and changes nothing where the new key has an account already, which RFC 8555 §7.3.5
      // makes a 409: so the CA is asked whose key it is now.
      const proof = await session.post({
        to: { resource: 'newAccount' },
        key: newKey,
        accountUrl: null,
        payload: JSON.stringify({ onlyReturnExisting: true }),
      })
      if (!proof.ok) return proof
      const owner = readLocation(proof.value, 'account', session)
      if (!owner.ok) return owner
      if (owner.value !== accountUrl) {
        return err(badAnswer(proof.value, 'shape', `says that the new key belongs to another account: ${owner.value}`))
      }
      key = newKey
      return ok(undefined)
    },

    async orders(ordersUrl) {
      const answer = await post(ordersUrl, POST_AS_GET)
      return then(answer, (page) => {
        const orderUrls = readObject(page, 'orders list', (value) => parseOrderList(value, session))
        if (!orderUrls.ok) return orderUrls
        const nextUrl = linksOf(page.headers, 'next', page.url)[0] ?? null
        if (nextUrl !== null && !checkServerUrl(nextUrl, session).ok) {
          return err(badAnswer(page, 'shape', 'names a next page that may not be asked'))
        }
        return ok({ orderUrls: orderUrls.value, nextUrl })
      })
    },

    async newOrder(order) {
      const directory = await session.directory(false)
      if (!directory.ok) return directory
      const { profiles } = directory.value.meta
      // draft-ietf-acme-profiles-01 §4: a client does not ask for a profile that the directory does not name.
      if (order.profile !== undefined && !Object.hasOwn(profiles ?? {}, order.profile)) {
        const offered = (profiles === null ? null : cleanText(Object.keys(profiles).join(', '))) ?? 'none'
        const message = `this CA has no profile "${order.profile}"; it offers ${offered}`
        return err({ reason: 'unsupported', feature: 'profile', message })
      }
      // RFC 9773 §5: "replaces" is only for servers that advertise renewalInfo.
      const replaces = directory.value.renewalInfo === null ? null : (order.replaces ?? null)
      const created = await postNewOrder(order, replaces)
      if (created.ok || replaces === null || !refusesReplacement(created.error)) return created
      const plain = await postNewOrder(order, null)
      return plain.ok ? ok({ ...plain.value, replacesRefused: true }) : plain
    },

    order: async (orderUrl) => then(await post(orderUrl, POST_AS_GET), readOrder),
    finalize: async (finalizeUrl, csrDer) =>
      then(await post(finalizeUrl, JSON.stringify({ csr: toBase64Url(csrDer) })), readOrder),

    async newAuthorization(identifier) {
      const answer = await post({ resource: 'newAuthz' }, JSON.stringify({ identifier }))
      return then(answer, (made) => {
        const authorizationUrl = readLocation(made, 'authorization', session)
        if (!authorizationUrl.ok) return authorizationUrl
        const authorization = readAuthorization(made)
        if (!authorization.ok) return authorization
        return ok({ authorizationUrl: authorizationUrl.value, authorization: authorization.value })
      })
    },
    authorization: async (url) => then(await post(url, POST_AS_GET), readAuthorization),
    deactivateAuthorization: async (url) =>
      then(await post(url, JSON.stringify({ status: 'deactivated' })), readAuthorization),

    async respond(challengeUrl) {
      // RFC 8555 §7.5.1: the response is `{}` for every type in use; Pebble refuses any member.
      return then(await post(challengeUrl, '{}'), (answer) => {
        const challenge = readObject(answer, 'challenge', (value) => parseChallenge(value, session))
        if (!challenge.ok) return challenge
        if ('known' in challenge.value) return ok(challenge.value.known)
        return err(badAnswer(answer, 'shape', 'answered with a challenge of another type'))
      })
    },

    async certificate(certificateUrl) {
      const accept = 'application/pem-certificate-chain'
      return then(await post(certificateUrl, POST_AS_GET, { accept, maxBytes: MAX_CHAIN_BYTES }), (answer) => {
        const wrongType = checkMediaType(answer, accept, 'certificate chain')
        if (wrongType !== null) return err(wrongType)
        const certificatesDer = parsePemChain(answer.body)
        if (!certificatesDer.ok) return err(badAnswer(answer, 'shape', certificatesDer.error))
        // An alternate at an address that may not be asked is left out: there is one chain less to choose from.
        const alternateUrls = linksOf(answer.headers, 'alternate', answer.url)
          .filter((url) => checkServerUrl(url, session).ok)
          .slice(0, MAX_ALTERNATES)
        const chainPem = formatPemChain(certificatesDer.value)
        return ok({ url: certificateUrl, chainPem, certificatesDer: certificatesDer.value, alternateUrls })
      })
    },

    async revoke(revocation) {
      const payload = buildRevocation(revocation)
      const to = { resource: 'revokeCert' } as const
      const answer =
        revocation.by === 'account'
          ? await post(to, payload)
          : await session.post({ to, key: revocation.by, accountUrl: null, payload })
      if (answer.ok) return ok({ already: false })
      return isProblem(answer.error, 'alreadyRevoked') ? ok({ already: true }) : answer
    },

    async renewalInfo(certificateId) {
      if (!isCertificateId(certificateId)) {
        return err(invalid('certificateId', 'a certID is two base64url texts with a dot between them'))
      }
      return then(await session.get('renewalInfo', (base) => renewalInfoUrl(base, certificateId)), (answer) =>
        readObject(answer, 'renewal information', (value) => {
          const bounds = { minMs: MIN_RENEWAL_INFO_RETRY_AFTER_MS, maxMs: MAX_RENEWAL_INFO_RETRY_AFTER_MS }
          return parseRenewalInfo(value, parseRetryAfter(answer.headers, session.now(), bounds))
        }),
      )
    },

    thumbprint: () => key.thumbprint,
    keyAuthorization: (token) => keyAuthorization(token, key.thumbprint),
    dns01Value: (token) => dns01Value(keyAuthorization(token, key.thumbprint)),
  }
}

function then<T>(
  answer: Result<HttpResponse, AcmeError>,
  read: (answer: HttpResponse) => Result<T, AcmeError>,
): Result<T, AcmeError> {
  return answer.ok ? read(answer.value) : answer
}

const invalid = (argument: string, message: string): AcmeError => ({ reason: 'invalid_argument', argument, message })
