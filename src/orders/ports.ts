/**
 * What the steps of an order need from outside: the CA by way of the account's object, and DNS by way of the zones'
 * objects. Everything crosses RPC as plain data; failures say what is to be done about them, not how they came about.
 */

import type { PeerFailure } from '../accounts/acme-failure.ts'
import type { Bytes } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import type { Result } from '../core/result.ts'
import type { JournalEntry } from '../store/journal.ts'
import type { OrderPurpose } from '../store/order-request.ts'
import type { Store } from '../store/store.ts'
import type { CaRevocation } from './objects.ts'
import type { Outcome } from './order-machine.ts'
import type { OrderState, RecordState } from './order-state.ts'

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

export type Placement = Pick<RecordState, 'providerId' | 'zone' | 'name' | 'challengeName' | 'ttlSeconds'>

/** What one look at the name servers showed. */
export interface PropagationLook {
  readonly complete: boolean
  /** What each server said, for the order's log. */
  readonly lines: readonly string[]
  /** How long this provider's changes may take, and how often to look. */
  readonly timeoutMs: number
  readonly intervalMs: number
  /** A record's provider is no more. */
  readonly providerGone?: boolean
}

/** DNS, by way of the tenant's providers. */
export interface DnsPort {
  /** Follows CNAMEs from the record's name and finds the provider and zone that serve where they lead. */
  place(recordName: string, providerIds: readonly string[] | null): Promise<Result<Placement, PeerFailure>>
  /** The TXT values that stand at that name, behind CNAMEs; none where nobody could say. */
  standing(recordName: string, providerIds: readonly string[] | null): Promise<readonly string[]>
  present(records: readonly RecordState[]): Promise<Result<void, PeerFailure>>
  look(records: readonly RecordState[]): Promise<PropagationLook>
  cleanUp(records: readonly RecordState[]): Promise<Result<void, PeerFailure>>
}

export interface StepContext {
  readonly now: Clock
  /** From 0 to 1, for the jitter of retries. */
  readonly random: () => number
  readonly store: Store
  readonly acme: AcmePort
  readonly dns: DnsPort
  /** Challenge ids that their owner has said are ready (`solver: manual`). */
  readonly released: ReadonlySet<string>
  /** Writes the intent down before the act. */
  save(state: OrderState): Promise<void>
  /**
   * Writes down that finalize may reach the CA, in one turn with looking whether the order was called off: false, and
   * nothing written, where it was. An order that is called off before is never finalized, one called off after is not
   * called off.
   */
  commitToFinalize(state: OrderState): Promise<boolean>
}

export interface StepResult {
  readonly state: OrderState
  readonly outcome: Outcome
  /** What was done outside, for the journal. */
  readonly entries: readonly JournalEntry[]
}

/** One phase's work. MUST be idempotent: an alarm runs at least once, so a step may run again after it succeeded. */
export type Step = (context: StepContext, state: OrderState) => Promise<StepResult>
