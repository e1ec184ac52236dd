/** Stores what an order brought, as a new certificate or as a new version of one: once, however often it is tried. */
import { type Bytes, toHex } from '../core/bytes.ts'
import { formatTime } from '../core/clock.ts'
import { err, ok, type Result } from '../core/result.ts'
import { formatCertificatesPem } from '../pki/pem.ts'
import { formatSerial } from '../pki/serial.ts'
import { insertTerms, nameTermsOf, SETTLED_MS } from '../store/certificate-terms.ts'
import {
  type CertificateRow,
  findCertificate,
  insertCertificate,
  type NewVersion,
  replaceVersion,
  sealPrivateKey,
} from '../store/certificates.ts'
import type { Store } from '../store/store.ts'
import type { IssuedCertificate } from './issued-certificate.ts'
import type { OrderState } from './order-state.ts'
import { nextRenewalMs } from './renewal-time.ts'
import { orderKeyPlace } from './steps/finalize.ts'

/** The error says why it could not be stored: somebody else has made another version meanwhile. */
export async function storeIssued(
  store: Store,
  state: OrderState,
  issued: IssuedCertificate,
  nowMs: number,
): Promise<Result<void, string>> {
  const serialNumber = toHex(issued.serial)
  const existing = await findCertificate(store, state.tenantId, state.certificateId)
  // Stored before a crash.
  if (existing?.serialNumber === serialNumber) return ok(undefined)
  if (existing !== null && existing.openOrderId !== state.orderId) {
    return err('the certificate got another version while this order was under way')
  }
  const version = await newVersion(store, state, issued, serialNumber)
  // Whoever changed auto_renew while the order was under way is heard.
  const autoRenew = existing?.autoRenew ?? state.request.autoRenew
  const renewal = {
    renewalRequest: state.request,
    openOrderId: null,
    nextRenewalAtMs: autoRenew ? nextRenewalMs(state.certificateId, issued.notBeforeMs, issued.notAfterMs) : null,
    renewalReason: 'lifetime',
    renewalFailures: 0,
    renewalError: null,
    // RFC 9773 §4.2: what the CA said of the version before says nothing of this one; it is asked at the next sweep.
    ariStartMs: null,
    ariEndMs: null,
    ariExplanationUrl: null,
    ariCheckAtMs: nowMs,
  }
  const statements =
    existing === null
      ? [insertCertificate(store, newRow(state, version, renewal, nowMs))]
      : replaceVersion(store, existing, { ...version, ...renewal }, nowMs)
  const outcome = await store.commit({
    tenantId: state.tenantId,
    statements: [
      ...statements,
      ...insertTerms(
        store,
        { tenantId: state.tenantId, id: state.certificateId },
        termsOf(state, existing, version, nowMs),
      ),
    ],
    entries: [
      {
        event: existing === null ? 'certificate.issued' : 'certificate.renewed',
        actor: state.requestedBy,
        resource: `pki/certificates/${state.certificateId}`,
        detail: {
          certificate_id: state.certificateId,
          order_id: state.orderId,
          version: existing === null ? 1 : existing.version + 1,
          serial_number: formatSerial(issued.serial),
          names: [...issued.names.dns, ...issued.names.ip],
          not_after: formatTime(issued.notAfterMs),
        },
        requestId: null,
      },
    ],
  })
  if (outcome.kind === 'committed') return ok(undefined)
  const current = await findCertificate(store, state.tenantId, state.certificateId)
  if (current?.serialNumber === serialNumber) return ok(undefined)
  return err('the certificate got another version while this order was under way')
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
  const [firstName] = [...issued.names.dns, ...issued.names.ip]
  return {
    commonName: issued.commonName,
    displayName: issued.commonName ?? firstName ?? serialNumber,
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

function newRow(
  state: OrderState,
  version: NewVersion,
  renewal: Pick<
    CertificateRow,
    | 'renewalRequest'
    | 'openOrderId'
    | 'nextRenewalAtMs'
    | 'renewalReason'
    | 'renewalFailures'
    | 'renewalError'
    | 'ariStartMs'
    | 'ariEndMs'
    | 'ariExplanationUrl'
    | 'ariCheckAtMs'
  >,
  nowMs: number,
): CertificateRow {
  return {
    ...version,
    ...renewal,
    tenantId: state.tenantId,
    id: state.certificateId,
    source: 'acme',
    version: 1,
    issuerCaId: null,
    roleName: null,
    keyOrigin: null,
    acmeAccountId: state.request.accountId,
    tags: [],
    description: null,
    autoRenew: state.request.autoRenew,
    revokedAtMs: null,
    revocationReason: null,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  }
}
