/**
 * Revoking an ACME certificate at the CA that issued it (RFC 8555 §7.6). Writes nothing: the caller marks the
 * certificate, in the batch of its event.
 */

import type { AccountObject, AccountObjects, CaRevocation } from '../accounts/account-object.ts'
import { acmeAppError, acmeFailure } from '../accounts/acme-failure.ts'
import { isProblem } from '../acme/acme-error.ts'
import { CERTIFICATE_AUTHORITIES, type CertificateAuthorityCode } from '../acme/certificate-authorities.ts'
import type { RevocationReason as ReasonCode, RevocationDone } from '../acme/revocation.ts'
import type { Actor } from '../core/actor.ts'
import type { Bytes } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { AppError, invalidField } from '../core/errors.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { err, ok, type Result } from '../core/result.ts'
import { parsePemOf } from '../pki/pem.ts'
import { REVOCATION_REASONS, type RevocationReason, revocationReasonOf } from '../pki/revocation-reason.ts'
import type { AcmeAccountRow } from '../store/acme-accounts.ts'
import { findAcmeAccount } from '../store/acme-accounts.ts'
import type { CertificateRow } from '../store/certificates.ts'
import type { Store } from '../store/store.ts'

export interface RevokeAtCaDependencies {
  readonly store: Store
  readonly now: Clock
  readonly accounts: AccountObjects<'revokeCertificate'>
}

/** A certificate's current version, or an earlier one with the certificate's id and account. */
export type RevocableCertificate = Pick<
  CertificateRow,
  'id' | 'acmeAccountId' | 'serialNumber' | 'notAfterMs' | 'leafPem' | 'sealedPrivateKey'
>

export interface CaRevocationRequest {
  readonly reason: RevocationReason
  /** account: in the name of the account that ordered it. certificate: signed with the certificate's own, stored, key. */
  readonly by: 'account' | 'certificate'
}

/**
 * Has the CA revoke a certificate of the actor's tenant. Idempotent: one that the CA counts as revoked is done. The error
 * is for the caller of the API: `invalid_request` and `conflict` say what to do otherwise and nothing was sent, the others
 * say what the CA answered.
 */
export async function revokeAtCa(
  { store, now, accounts }: RevokeAtCaDependencies,
  actor: Actor,
  certificate: RevocableCertificate,
  request: CaRevocationRequest,
): Promise<Result<RevocationDone, AppError>> {
  const { acmeAccountId } = certificate
  const account = acmeAccountId === null ? null : await findAcmeAccount(store, actor.tenantId, acmeAccountId)
  if (account === null) {
    return err(invalidField('use_acme', 'the certificate did not come by ACME: there is no CA elsewhere to ask'))
  }
  if (certificate.notAfterMs <= now()) {
    return err(new AppError('conflict', 'The certificate has expired: CAs revoke none that have'))
  }
  const code = takenReason(account, request.reason)
  if (!code.ok) return code
  const signer = signerOf(account, certificate, request.by)
  if (!signer.ok) return signer
  const revocation = { certificateDer: leafDerOf(certificate), reason: code.value, by: signer.value }
  const done = await accounts(actor.tenantId, account.id).revokeCertificate(revocation)
  if (done.ok) return done
  // RFC 8555 §7.6: a server that does not take the reason answers badRevocationReason.
  if (isProblem(done.error, 'badRevocationReason')) {
    return err(invalidField('reason', acmeAppError(done.error, now()).message))
  }
  return err(acmeAppError(done.error, now()))
}

/**
 * Has the CA revoke a version that it issued after its certificate was revoked, for the certificate's reason or, where the
 * CA does not take that, for none; by the account, or by the version's own key where the account is gone. Idempotent.
 */
export async function revokeUnwanted(
  store: Store,
  acme: Pick<AccountObject, 'revokeCertificate'>,
  certificate: RevocableCertificate & Pick<CertificateRow, 'tenantId' | 'revocationReason'>,
): Promise<Result<void, PeerFailure>> {
  const { tenantId, acmeAccountId, revocationReason } = certificate
  const account = acmeAccountId === null ? null : await findAcmeAccount(store, tenantId, acmeAccountId)
  if (account === null) return err(notSent('the account that it was ordered with is gone'))
  const byAccount = signerOf(account, certificate, 'account')
  const signer = byAccount.ok ? byAccount : signerOf(account, certificate, 'certificate')
  if (!signer.ok) return err(notSent(signer.error.message))
  const code = takenReason(account, (revocationReason ?? 'unspecified') as RevocationReason)
  const reason = code.ok ? code.value : REVOCATION_REASONS.unspecified
  const done = await acme.revokeCertificate({ certificateDer: leafDerOf(certificate), reason, by: signer.value })
  return done.ok ? ok(undefined) : err(acmeFailure(done.error))
}

const notSent = (message: string): PeerFailure => ({
  code: 'conflict',
  message,
  transient: false,
  retryAtMs: null,
  problemType: null,
})

function leafDerOf({ id, leafPem }: Pick<RevocableCertificate, 'id' | 'leafPem'>): Bytes {
  const leaf = parsePemOf('CERTIFICATE', leafPem)
  const [certificateDer] = leaf.ok ? leaf.value : []
  if (certificateDer === undefined) throw new Error(`the certificate ${id} is stored as no PEM`)
  return certificateDer
}

/** The code of a reason that the account's CA lets its subscribers give. */
function takenReason(account: AcmeAccountRow, reason: RevocationReason): Result<ReasonCode, AppError> {
  const { name, features } = CERTIFICATE_AUTHORITIES[account.provider as CertificateAuthorityCode]
  const code = features.revocationReasons.find((each) => each === REVOCATION_REASONS[reason])
  if (code !== undefined) return ok(code)
  const taken = features.revocationReasons.map((each) => revocationReasonOf(each)).join(', ')
  return err(
    invalidField('reason', `${name} does not take ${reason} of those who order certificates; it takes ${taken}`),
  )
}

function signerOf(
  account: AcmeAccountRow,
  { id, serialNumber, sealedPrivateKey }: RevocableCertificate,
  by: CaRevocationRequest['by'],
): Result<CaRevocation['by'], AppError> {
  if (by === 'certificate') {
    if (sealedPrivateKey !== null) return ok({ certificateId: id, serialNumber, sealedPrivateKey })
    return err(
      new AppError('conflict', "The certificate's private key is not stored here: revoke it by the account's key"),
    )
  }
  if (account.status === 'active') return ok('account')
  const other = sealedPrivateKey === null ? '' : "; the certificate's own key can still revoke it"
  return err(new AppError('conflict', `The ACME account ${account.id} is ${account.status}${other}`))
}
