/** Stores what an order brought, as a new certificate or as a new version of one: once, however often it is tried. */

import { type Bytes, toHex } from '../core/bytes.ts'
import { formatTime } from '../core/clock.ts'
import { resourceName } from '../core/resources.ts'
import { err, ok, type Result } from '../core/result.ts'
import { formatCertificatesPem } from '../pki/pem.ts'
import { nextRenewalMs } from '../renewal/renewal-time.ts'
import { sourceDetail, versionDetail } from '../store/certificate-event.ts'
import { displayNameOf, newCertificateRow } from '../store/certificate-row.ts'
import { insertTerms, nameTermsOf, SETTLED_MS } from '../store/certificate-terms.ts'
import {
  type CertificateRow,
  findCertificate,
  insertCertificate,
  type NewVersion,
  type Revocation,
  replaceVersion,
  STANDING,
  sealPrivateKey,
} from '../store/certificates.ts'
import type { JournalEntry } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/transaction.ts'
import type { IssuedCertificate } from './issued-certificate.ts'
import { type OrderState, orderKeyPlace } from './order-state.ts'

/**
 * How the version was stored: current; on hold with its certificate; or revoked, since its certificate was revoked for good
 * while the order was under way.
 */
export type StoredAs = 'current' | 'held' | 'revoked'

/**
 * The error says why it could not be stored: the certificate has got another version meanwhile. No version of a revoked
 * certificate is ever stored as one that is not: that the revocation, and auto_renew, are as they were read is a
 * precondition of the batch.
 */
export async function storeIssued(
  store: Store,
  state: OrderState,
  issued: IssuedCertificate,
  nowMs: number,
): Promise<Result<StoredAs, string>> {
  const serialNumber = toHex(issued.serial)
  const version = await newVersion(store, state, issued, serialNumber)
  for (let left = MAX_READS; left > 0; left -= 1) {
    const existing = await findCertificate(store, state.tenantId, state.certificateId)
    // Stored before a crash.
    if (existing?.serialNumber === serialNumber) return ok(storedAs(existing))
    // A renewal makes no certificate anew.
    if (existing === null && state.purpose !== 'issue')
      return err('the certificate was deleted while this order was under way')
    if (existing !== null && existing.openOrderId !== state.orderId) break
    const outcome = await store.commit(storing(store, state, issued, version, existing, nowMs))
    if (outcome.kind === 'committed') return ok(existing === null ? 'current' : storedAs(existing))
  }
  return err('the certificate got another version while this order was under way')
}

/** How often to read the certificate anew: it may be revoked, held and released while its version is stored. */
const MAX_READS = 5

const storedAs = ({ revokedAtMs, revocationReason }: Revocation): StoredAs =>
  revokedAtMs === null ? 'current' : revocationReason === 'certificate_hold' ? 'held' : 'revoked'

function storing(
  store: Store,
  state: OrderState,
  issued: IssuedCertificate,
  version: NewVersion,
  existing: CertificateRow | null,
  nowMs: number,
): Transaction {
  const { tenantId, certificateId } = state
  const revocation = existing === null ? STANDING : revocationOf(existing)
  const stands = revocation.revokedAtMs === null
  // auto_renew may have been changed while the order was under way.
  const isRenewed = stands && (existing?.autoRenew ?? state.request.autoRenew)
  const renewal = {
    acmeAccountId: state.request.accountId,
    openOrderId: null,
    nextRenewalAtMs: isRenewed ? nextRenewalMs(certificateId, issued.notBeforeMs, issued.notAfterMs) : null,
    renewalReason: 'lifetime',
    renewalFailures: 0,
    renewalError: null,
    // RFC 9773 §4.2: what the CA said of the version before says nothing of this one; it is asked at the next sweep.
    ariStartMs: null,
    ariEndMs: null,
    ariExplanationUrl: null,
    ariCheckAtMs: stands ? nowMs : null,
  }
  const terms = termsOf(state, existing, version, nowMs)
  return {
    tenantId,
    statements: [
      ...(existing === null
        ? [insertCertificate(store, firstRow(state, { ...version, ...renewal }, nowMs))]
        : // What renewals ask for stays: the certificate may have got another account while the order was under way.
          replaceVersion(store, existing, { ...version, ...renewal, ...revocation }, nowMs, {
            revocation,
            autoRenew: existing.autoRenew,
            openOrderId: existing.openOrderId,
          })),
      ...insertTerms(store, { tenantId, id: certificateId }, terms),
    ],
    entries: [storedEntry(state, version, existing, revocation)],
  }
}

const revocationOf = ({ revokedAtMs, revocationReason }: Revocation): Revocation => ({ revokedAtMs, revocationReason })

/** A version that comes revoked or on hold is no renewal to tell of. */
function storedEntry(
  state: OrderState,
  version: NewVersion,
  existing: CertificateRow | null,
  { revokedAtMs, revocationReason }: Revocation,
): JournalEntry {
  const revoked =
    revokedAtMs === null ? {} : { reason: revocationReason ?? 'unspecified', revoked_at: formatTime(revokedAtMs) }
  return {
    event:
      revokedAtMs !== null ? 'certificate.revoked' : existing === null ? 'certificate.issued' : 'certificate.renewed',
    actor: state.requestedBy,
    resource: resourceName.certificate(state.certificateId),
    detail: {
      ...versionDetail({
        ...version,
        id: state.certificateId,
        version: existing === null ? 1 : existing.version + 1,
        issuerCaId: null,
        acmeAccountId: state.request.accountId,
      }),
      ...sourceDetail({ source: 'acme', roleName: null }),
      order_id: state.orderId,
      ...revoked,
    },
    requestId: null,
  }
}

/** Its id is as old as the order: the index of names may have passed it already. A renewal has the names that are there. */
function termsOf(state: OrderState, existing: CertificateRow | null, version: NewVersion, nowMs: number): string[] {
  const isMetByIndex = nowMs - state.createdAtMs < SETTLED_MS / 2
  return existing !== null || isMetByIndex ? [] : nameTermsOf(version.commonName, version.names)
}

async function newVersion(
  store: Store,
  state: OrderState,
  issued: IssuedCertificate,
  serialNumber: string,
): Promise<NewVersion> {
  return {
    commonName: issued.commonName,
    displayName: displayNameOf({ ...issued, serialNumber }),
    names: issued.names,
    serialNumber,
    notBeforeMs: issued.notBeforeMs,
    notAfterMs: issued.notAfterMs,
    keyType: issued.keyType,
    keySize: issued.keySize,
    leafPem: formatCertificatesPem([issued.leafDer]),
    chainPem: formatCertificatesPem(issued.chainDers),
    sealedPrivateKey: await keyForCertificate(store, state, serialNumber),
  }
}

/** The order's key, sealed anew for the certificate's row. */
async function keyForCertificate(store: Store, state: OrderState, serialNumber: string): Promise<string | null> {
  if (state.sealedKey === null) return null
  const pkcs8: Bytes = await store.ring.open(orderKeyPlace(state), state.sealedKey)
  return sealPrivateKey(store, { tenantId: state.tenantId, certificateId: state.certificateId, serialNumber }, pkcs8)
}

function firstRow(state: OrderState, version: NewVersion & Partial<CertificateRow>, nowMs: number): CertificateRow {
  const { tenantId, certificateId: id, request } = state
  const { autoRenew } = request
  return newCertificateRow({ ...version, tenantId, id, source: 'acme', renewalRequest: request, autoRenew }, nowMs)
}
