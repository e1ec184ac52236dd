/** The Durable Objects of accounts at CAs, as the use cases see them. */
import type { AcmeError } from '../acme/acme-error.ts'
import type { DirectoryMeta } from '../acme/directory.ts'
import type { RenewalInfo } from '../acme/renewal-info.ts'
import type { RevocationDone, RevocationReason } from '../acme/revocation.ts'
import type { Actor } from '../core/actor.ts'
import type { Bytes } from '../core/bytes.ts'
import type { Result } from '../core/result.ts'
import type { CertificateKeySpec } from '../pki/keys.ts'
import type { BudgetVerdict } from './budget.ts'
import type { BudgetReport } from './budget-report.ts'

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

/** Accounts at CAs. */
export interface AccountObjects {
  /** Registers the account whose key D1 has; the CA's address of it. Idempotent: a key that the CA knows is the same account. */
  register(
    tenantId: string,
    accountId: string,
    registration: Registration,
  ): Promise<Result<string, RegistrationRefusal>>
  /** RFC 8555 §7.3.6. */
  deactivate(tenantId: string, accountId: string): Promise<Result<void, AcmeError>>
  /** RFC 8555 §7.3.2: tells the CA whom to write to; null: nobody. */
  updateContact(tenantId: string, accountId: string, email: string | null): Promise<Result<void, AcmeError>>
  /** RFC 8555 §7.6. Idempotent. */
  revoke(tenantId: string, accountId: string, revocation: CaRevocation): Promise<Result<RevocationDone, AcmeError>>
  /** RFC 8555 §7.3.5: makes the new key, stores it, and writes the account's row when the CA has taken it. */
  rollover(actor: Actor, accountId: string, key: CertificateKeySpec): Promise<Result<void, RolloverRefusal>>
  /** RFC 9773 §4: when the account's CA wants the certificate of that certID renewed. */
  renewalInfo(tenantId: string, accountId: string, certificateId: string): Promise<Result<RenewalInfo, AcmeError>>
  /** A token of the CA's limits for a new certificate; kept for the order for some minutes, where there is one. */
  reserve(tenantId: string, accountId: string, orderId: string, domains: readonly string[]): Promise<BudgetVerdict>
  /** May a new certificate be ordered now? Keeps nothing. */
  outlook(tenantId: string, accountId: string, domains: readonly string[]): Promise<BudgetVerdict>
  /** What is left of each limit; with `domain` of those that count for it. */
  limits(tenantId: string, accountId: string, domain: string | null): Promise<BudgetReport>
  /** What the CA's directory says of the CA, and who the account is to it; asks the CA whether it has the account. */
  identity(tenantId: string, accountId: string): Promise<Result<AccountIdentity, AcmeError>>
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
  /** Whom the CA is to write to; null: nobody. */
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
