/** The Durable Objects of accounts at CAs: their methods, and what crosses them. The class is in durable-objects/acme-account.ts. */
import type { AcmeError } from '../acme/acme-error.ts'
import type { DownloadedChain } from '../acme/certificate.ts'
import type { DirectoryMeta } from '../acme/directory.ts'
import type { CreatedOrder, Order } from '../acme/order.ts'
import type { RenewalInfo } from '../acme/renewal-info.ts'
import type { RevocationDone, RevocationReason } from '../acme/revocation.ts'
import type { Actor } from '../core/actor.ts'
import type { Bytes } from '../core/bytes.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import type { Result } from '../core/result.ts'
import type { CertificateKeySpec } from '../pki/keys.ts'
import type { OrderPurpose } from '../store/order-request.ts'
import type { BudgetVerdict } from './budget.ts'
import type { BudgetReport } from './budget-report.ts'
import type { OfferedAuthorization } from './challenge-answer.ts'

/** External account binding (RFC 8555 §7.3.4), as the CA gave it to the user. */
export interface EabCredentials {
  readonly kid: string
  readonly hmacKey: string
}

/** What a CA is told to revoke. */
export interface CaRevocation {
  readonly certificateDer: Bytes
  /** RFC 5280 §5.3.1 */
  readonly reason: RevocationReason
  /** account: signed by the account's key. Else by the certificate's own, which stands there sealed. */
  readonly by: 'account' | SealedCertificateKey
}

export interface SealedCertificateKey {
  readonly certificateId: string
  readonly serialNumber: string
  readonly sealedPrivateKey: string
}

/**
 * The Durable Object of one account at a CA: whatever is asked of that CA in the account's name goes through it. Arguments
 * and answers cross RPC as plain data. An order is told of a failure as a `PeerFailure`, everything else as the CA's own
 * words. Throws where D1 cannot be reached or has no such account.
 */
export interface AccountObject {
  /** Registers the account whose key D1 has; the CA's address of it. Idempotent: a key that the CA knows is the same account. */
  registerAtCa(registration: Registration): Promise<Result<string, RegistrationRefusal>>
  /** RFC 8555 §7.3.6. Idempotent. */
  deactivate(): Promise<Result<void, AcmeError>>
  /** RFC 8555 §7.3.2: tells the CA where to write to; null: nowhere. */
  changeContact(email: string | null): Promise<Result<void, AcmeError>>
  /** RFC 8555 §7.3.5: makes the new key, stores it, and writes the account's row when the CA has taken it. */
  replaceKey(actor: Actor, key: CertificateKeySpec): Promise<Result<void, RolloverRefusal>>
  /** What the CA's directory says of the CA, and who the account is to it; asks the CA whether it has the account. */
  identity(): Promise<Result<AccountIdentity, AcmeError>>

  /** A token of the CA's limits for a new certificate, kept for the order for some minutes. */
  reserveOrder(orderId: string, domains: readonly string[]): Promise<BudgetVerdict>
  /** May a new certificate be ordered now? Keeps nothing. */
  checkBudget(domains: readonly string[]): Promise<BudgetVerdict>
  /** What is left of each limit; with `domain`, of those that count for it. */
  reportBudget(domain: string | null): Promise<BudgetReport>

  /** RFC 8555 §7.4, within the account's budget: where a limit forbids it, the CA is not asked, and the failure says when to try again. */
  openOrder(order: OrderInput): Promise<Result<CreatedOrder, PeerFailure>>
  /** How the order ended, for the account's budget. Idempotent. */
  settleOrder(orderId: string, end: OrderEnd): Promise<void>
  readOrder(orderUrl: string): Promise<Result<Order, PeerFailure>>
  readAuthorization(authorizationUrl: string): Promise<Result<OfferedAuthorization, PeerFailure>>
  /** RFC 8555 §7.5.2. */
  giveUpAuthorization(authorizationUrl: string): Promise<Result<void, PeerFailure>>
  /**
   * RFC 8555 §7.5.1: tells the CA to validate. A key authorization that is of an earlier key of the account (§8.1) is not
   * answered with, and the failure has the code `account_key_changed`; null for challenges without one.
   */
  answerChallenge(challengeUrl: string, keyAuthorization: string | null): Promise<Result<void, PeerFailure>>
  /** RFC 8555 §7.4. */
  finalizeOrder(finalizeUrl: string, csrDer: Bytes): Promise<Result<Order, PeerFailure>>
  /** RFC 8555 §7.4.2; also for alternate chains. */
  downloadChain(certificateUrl: string): Promise<Result<DownloadedChain, PeerFailure>>

  /** RFC 8555 §7.6. Idempotent: a certificate that the CA has revoked before is done. */
  revokeCertificate(revocation: CaRevocation): Promise<Result<RevocationDone, AcmeError>>
  /** RFC 9773 §4: when the account's CA wants the certificate of that certID renewed. */
  readRenewalInfo(certificateId: string): Promise<Result<RenewalInfo, AcmeError>>

  /** Forgets the account and tells the CA nothing: its tenant is being deleted. Idempotent. */
  erase(): Promise<void>
}

/** The object of each account, or what of it is used; choosing one calls nothing. */
export type AccountObjects<Method extends keyof AccountObject = keyof AccountObject> = (
  tenantId: string,
  accountId: string,
) => Pick<AccountObject, Method>

/** An order that the CA is to open. */
export interface OrderInput {
  readonly orderId: string
  readonly purpose: OrderPurpose
  /** DNS names in A-labels, wildcards as `*.`, and addresses. */
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

export interface AccountIdentity {
  readonly meta: Pick<DirectoryMeta, 'caaIdentities' | 'accountHashPrefix' | 'issuerDomainNames'>
  /** RFC 7638 thumbprint of the account key, base64url. */
  readonly thumbprint: string
  /** Does the CA know the account by its key (RFC 8555 §7.3.1)? Null where it did not say. */
  readonly isKnown: boolean | null
}

export interface Registration {
  /** The key was made for this very call: no CA has seen it. */
  readonly isFirst: boolean
  readonly eab: EabCredentials | null
  /** Where the CA is to write to; null: nowhere. */
  readonly email: string | null
}

export type RegistrationRefusal =
  /** Another call is dealing with this account. */
  | { readonly reason: 'busy' }
  /** It is registered or gone by now, or the CA has ended it for good. */
  | { readonly reason: 'over'; readonly message: string }
  /** `mayBeKnown`: the CA may have an account for the key all the same. */
  | { readonly reason: 'refused'; readonly error: AcmeError; readonly mayBeKnown: boolean }

/** Why a key was not replaced: the CA's word, or another replacement that is under way. */
export type RolloverRefusal = AcmeError | { readonly reason: 'busy' }
