/** Signing an approved CSR: no role applies, since the request was approved by itself. The request and the certificate change in one batch. */
import type { Actor } from '../../core/actor.ts'
import { formatTime } from '../../core/clock.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import { certifiedName } from '../../pki/certified-name.ts'
import { commonNameOf } from '../../pki/general-name.ts'
import { mustHaveSigner } from '../../store/authorities.ts'
import { newCertificateRow } from '../../store/certificate-row.ts'
import { insertTerms, nameTermsOf } from '../../store/certificate-terms.ts'
import { insertCertificate, sealPrivateKey } from '../../store/certificates.ts'
import { mustBeUncompromised } from '../../store/compromised-keys.ts'
import { openCsrKey, updateCsr } from '../../store/csrs.ts'
import { type Alongside, nothingElse } from '../../store/transaction.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { extKeyUsagesOf } from '../roles/purposes.ts'
import { CSR_PATHS, namesOfCsr, type RequestedNames, requireNames, SAN_PATHS } from '../roles/requested-names.ts'
import { requireNamedCa, requireSigner } from '../signer.ts'
import { requireUncompromised } from '../uncompromised.ts'
import { reviewCsr } from './csr-review.ts'
import { changed, csrEntry, requireCsr, requireState } from './csr-workflow.ts'
import { type Issued, issuedEntry } from './issue.ts'
import { APPROVED_BACKDATE_SECONDS } from './issue-terms.ts'
import { signLeaf } from './leaf.ts'

export interface CsrSigning {
  readonly caId: string
  readonly validityDays: number | null
  /** In place of the alternative names of the request. */
  readonly names: RequestedNames | null
}

const DEFAULT_DAYS = 90
const DAY_MS = 86_400_000
/** Clocks of those who check it may be late. */
const BACKDATE_MS = APPROVED_BACKDATE_SECONDS * 1000

/** Throws AppError: `conflict` for a request that is not approved, `policy_violation` for what no leaf may be. */
export async function signApprovedCsr(
  dependencies: AuthorityDependencies,
  actor: Actor,
  csrId: string,
  input: CsrSigning,
  alongside: Alongside<Issued> = nothingElse,
): Promise<Issued> {
  const { store, now } = dependencies
  const row = await requireState(store, actor, csrId, 'approved', 'signed')
  const { csr, key } = await requireCsr(row.csrPem)
  const { der: spkiDer } = csr.subjectPublicKeyInfo
  const toCertify = { tenantId: actor.tenantId, spkiDer, certificateId: null }
  await requireUncompromised(store, toCertify, 'csr_pem')
  const extKeyUsage = extKeyUsagesOf({ serverAuth: true, clientAuth: true })
  const review = reviewCsr(csr, { extKeyUsage, subject: 'whole' })
  if (review.refusals.length > 0) {
    throw new AppError('policy_violation', review.refusals.join('; '), {
      details: review.refusals.map((message) => ({ path: 'csr_pem', message })),
    })
  }
  const names =
    input.names === null
      ? requireNames(namesOfCsr(csr), CSR_PATHS)
      : requireNames({ ...input.names, commonName: commonNameOf(csr.subject) }, SAN_PATHS)
  const subject = certifiedName(csr.subject, names.commonName)
  if (!subject.ok) {
    throw new AppError('policy_violation', subject.error, { details: [{ path: 'csr_pem', message: subject.error }] })
  }
  await requireNamedCa(store, actor.tenantId, 'ca_id', input.caId)
  const signer = await requireSigner(store, actor.tenantId, input.caId, true)
  const nowMs = Math.floor(now() / 1000) * 1000
  const ttlSeconds = ((input.validityDays ?? DEFAULT_DAYS) * DAY_MS) / 1000
  const wantedMs = nowMs + ttlSeconds * 1000
  if (input.validityDays !== null && wantedMs > signer.notAfterMs) {
    const days = Math.floor((signer.notAfterMs - nowMs) / DAY_MS)
    const message = `A certificate never outlives its CA, which ends at ${formatTime(signer.notAfterMs)}: the longest possible is ${days} days`
    throw new AppError('policy_violation', message, { details: [{ path: 'validity_days', message }] })
  }
  if (signer.notAfterMs <= nowMs) throw invalidField('ca_id', 'the CA has ended')
  const signed = await signLeaf(dependencies, signer, {
    subjectDer: subject.value,
    commonName: names.commonName,
    altNames: names.altNames,
    spkiDer,
    key,
    // Never before its CA.
    notBeforeMs: Math.max(nowMs - BACKDATE_MS, signer.notBeforeMs),
    notAfterMs: Math.min(wantedMs, signer.notAfterMs),
    extKeyUsage,
    keyUsages: null,
  })
  const id = newId('certificate', now())
  const place = { tenantId: actor.tenantId, certificateId: id, serialNumber: signed.serialNumber }
  const certificate = newCertificateRow(
    {
      ...signed,
      // The key that was made here moves to the certificate.
      sealedPrivateKey:
        row.sealedKey === null ? null : await sealPrivateKey(store, place, await openCsrKey(store, row, row.sealedKey)),
      tenantId: actor.tenantId,
      id,
      source: 'internal',
      issuerCaId: signer.ca.id,
      keyOrigin: row.origin === 'generated' ? 'generated' : 'csr',
      // What a renewal stays within.
      issueTerms: {
        ttlSeconds,
        hasCommonName: names.hasCommonName,
        approved: { maxTtlSeconds: ttlSeconds, extKeyUsage, keyUsages: null },
      },
    },
    now(),
  )
  const change = { status: 'signed', certificateId: id, sealedKey: null, updatedAtMs: now() }
  const warnings = [...names.warnings, ...review.warnings]
  const issued: Issued = { certificate, privateKeyPem: null, chainPems: signer.chainPems, warnings }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      updateCsr(store, row, change),
      mustHaveSigner(store, signer.lineage),
      ...(await mustBeUncompromised(store, toCertify)),
      insertCertificate(store, certificate),
      ...insertTerms(store, certificate, nameTermsOf(certificate.commonName, certificate.names)),
      ...(await alongside(issued)),
    ],
    entries: [
      csrEntry('csr.signed', actor, { ...row, ...change }),
      issuedEntry('certificate.issued', actor, certificate),
    ],
  })
  if (outcome.kind !== 'committed') {
    await requireUncompromised(store, toCertify, 'csr_pem')
    throw changed()
  }
  return issued
}
