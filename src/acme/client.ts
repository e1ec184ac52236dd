/**
 * The ACME client (RFC 8555, RFC 9773, draft-ietf-acme-profiles-01): one method per request. Does not poll, wait, store
 * or publish; an order's steps do.
 */
import type { Clock } from '../core/clock.ts'
import type { HttpClient } from '../core/http-client.ts'
import type { Result } from '../core/result.ts'
import type { Account, NewAccount, OrderPage, RegisteredAccount } from './account.ts'
import type { AcmeError } from './acme-error.ts'
import type { Authorization } from './authorization.ts'
import type { DownloadedChain } from './certificate.ts'
import type { Challenge } from './challenge.ts'
import type { CachedDirectory, Directory } from './directory.ts'
import type { Identifier } from './identifier.ts'
import type { NoncePool } from './nonce.ts'
import type { CreatedOrder, NewOrder, Order } from './order.ts'
import type { RenewalInfo } from './renewal-info.ts'
import type { Revocation, RevocationDone } from './revocation.ts'
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
  /** RFC 8555 §7.1.1. `refresh` reads it again whatever its age. */
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
  /** RFC 8555 §7.3.5. Store the new key before. The client signs with it from then on. */
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
