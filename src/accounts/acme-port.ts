/** What an order needs of its CA, by way of the account's object. Everything crosses RPC as plain data. */
import type { Bytes } from '../core/bytes.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import type { Result } from '../core/result.ts'
import type { OrderPurpose } from '../store/order-request.ts'
import type { CaRevocation } from './account-object.ts'

export interface CaOrder {
  readonly status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid'
  readonly authorizationUrls: readonly string[]
  readonly finalizeUrl: string
  readonly certificateUrl: string | null
  /** What went wrong, as one sentence. */
  readonly error: string | null
  /** RFC 8555 §7.4: Retry-After, epoch milliseconds. */
  readonly retryAtMs: number | null
}

export interface CreatedCaOrder {
  readonly orderUrl: string
  readonly order: CaOrder
  /** Did the CA take the order as the replacement that it was sent as? */
  readonly isReplacement: boolean
}

export interface CaAuthorization {
  readonly domain: string
  readonly wildcard: boolean
  readonly status: 'pending' | 'valid' | 'invalid' | 'deactivated' | 'expired' | 'revoked'
  readonly challenges: readonly CaChallenge[]
  readonly retryAtMs: number | null
}

export interface CaChallenge {
  readonly type: string
  readonly url: string
  readonly status: 'pending' | 'processing' | 'valid' | 'invalid'
  readonly token: string | null
  readonly keyAuthorization: string | null
  /** The TXT record of dns-persist-01, which has no token; null for others. */
  readonly persistRecord: { readonly name: string; readonly value: string } | null
  readonly error: string | null
}

export interface IssuedChain {
  /** Leaf first, each a certificate in DER. */
  readonly chain: readonly Bytes[]
  /** Addresses of other chains for the same leaf (RFC 8555 §7.4.2). */
  readonly alternates: readonly string[]
}

/** A new order at the CA. */
export interface PortOrder {
  readonly orderId: string
  readonly purpose: OrderPurpose
  readonly domains: readonly string[]
  readonly profile: string | null
  readonly notAfterMs: number | null
  /** RFC 9773 §5: the certID of the certificate that is renewed. */
  readonly replaces: string | null
}

/** What an order's end means for the CA's limits. */
export interface OrderEnd {
  /** Has the CA issued, whatever became of the certificate? */
  readonly issued: boolean
  /** The names that the CA could not validate, wildcards as `*.`. */
  readonly failedDomains: readonly string[]
}

/** The CA, as one account sees it. */
export interface AcmePort {
  /** Within the account's budget: where a limit forbids it, nobody is asked, and the failure says when to come again. */
  newOrder(order: PortOrder): Promise<Result<CreatedCaOrder, PeerFailure>>
  /** How the order ended, for the account's budget. Idempotent. */
  settle(orderId: string, end: OrderEnd): Promise<void>
  order(orderUrl: string): Promise<Result<CaOrder, PeerFailure>>
  authorization(url: string): Promise<Result<CaAuthorization, PeerFailure>>
  /**
   * RFC 8555 §8.1: a key authorization is of the account's key. One that is of an earlier key is not answered with, and
   * the failure has the code `account_key_changed`.
   */
  respond(challengeUrl: string, keyAuthorization: string | null): Promise<Result<void, PeerFailure>>
  finalize(finalizeUrl: string, csrDer: Bytes): Promise<Result<CaOrder, PeerFailure>>
  certificate(url: string): Promise<Result<IssuedChain, PeerFailure>>
  deactivateAuthorization(url: string): Promise<Result<void, PeerFailure>>
  /** RFC 8555 §7.6. Idempotent: what the CA has revoked before is done. */
  revoke(revocation: CaRevocation): Promise<Result<void, PeerFailure>>
}
