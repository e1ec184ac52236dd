/** Taking over a CA from elsewhere, so that what it has issued stays good: its certificate, its key, and what it has revoked. */

import type { Actor } from '../../core/actor.ts'
import { equalBytes, toHex } from '../../core/bytes.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import { type Certificate, isSelfIssued } from '../../pki/certificate.ts'
import { checkCertifiedKeyDer } from '../../pki/certified-key.ts'
import { type Crl, crlEntries } from '../../pki/crl.ts'
import { formatName } from '../../pki/distinguished-name.ts'
import { commonNameOf } from '../../pki/general-name.ts'
import { exportPkcs8, importPrivateKeyPem, type KeyPair, privateKeyMatches } from '../../pki/keys.ts'
import { formatCertificatesPem } from '../../pki/pem.ts'
import { type RevocationReason, revocationReasonOf } from '../../pki/revocation-reason.ts'
import { type CaRow, sealCaKey } from '../../store/authorities.ts'
import {
  type CaCertificatesOfSubject,
  findCaCertificatesBySubject,
  mustBeOnlyOneOfSubject,
} from '../../store/ca-certificates.ts'
import { insertRevocations, partitionOf, type RevocationRow } from '../../store/revocations.ts'
import type { Store } from '../../store/store.ts'
import { type Alongside, nothingElse, type Statement } from '../../store/transaction.ts'
import { crlNumbersAfter } from '../crl/crl-number.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import {
  requireCaCertificate,
  requireChain,
  requireCurrentSignature,
  requireStanding,
  verifyCertificateSignature,
} from '../given/given-certificates.ts'
import { requireFullCrl } from '../given/given-crl.ts'
import type { MaterialFields } from '../given/given-material.ts'
import { parseStored } from '../signer.ts'
import { certificateColumns, subjectHashOf } from './ca-certificate.ts'
import { dnsDomainsOf } from './name-constraints.ts'
import { findParent } from './parent.ts'
import { commitNewCa, newCrlColumns, publishedRow } from './store-ca.ts'

export interface CaImport {
  readonly name: string
  readonly fields: MaterialFields
  readonly certificatePem: string
  readonly privateKeyPem: string
  /** The CAs above it, its issuer first; not needed where they are here. */
  readonly chainPem: string | null
  /** Its last CRL, so that nothing that was revoked comes back. */
  readonly crlPem: string | null
  readonly crlPartitions: number
}

/** Throws AppError. */
export async function importCa(
  dependencies: AuthorityDependencies,
  actor: Actor,
  input: CaImport,
  alongside: Alongside<CaRow> = nothingElse,
): Promise<CaRow> {
  const { store, now } = dependencies
  const { fields } = input
  const certificate = requireCaCertificate(fields.certificate, input.certificatePem)
  const pair = await requireKey(certificate, input.privateKeyPem, fields)
  const isRoot = isSelfIssued(certificate)
  if (isRoot) await requireOwnSignature(certificate, fields)
  else requireCurrentSignature(fields.certificate, certificate)
  const parent = isRoot ? null : await findParent(dependencies, actor, certificate)
  if (parent !== null && parent.ca.status !== 'active') {
    throw new AppError('policy_violation', `Its issuer, the CA ${parent.ca.name}, is revoked`)
  }
  if (!isRoot && parent === null && input.chainPem === null) {
    throw invalidField(fields.chain, 'its issuer is not here: give the certificates above it, its issuer first')
  }
  const chain = input.chainPem === null ? [] : await requireChain(certificate, input.chainPem, fields)
  const foreignChain = isRoot || parent !== null ? [] : chain
  requireStanding([certificate, ...(parent?.chain ?? foreignChain)], now(), fields)
  const crl = input.crlPem === null ? null : await requireFullCrl(certificate, input.crlPem, now())
  const known = await requireUnknownCa(store, actor, certificate)
  const id = newId('ca', now())
  const row: CaRow = {
    tenantId: actor.tenantId,
    id,
    name: input.name,
    caType: isRoot ? 'root' : 'intermediate',
    parentCaId: parent?.ca.id ?? null,
    status: 'active',
    commonName: commonNameOf(certificate.subject) ?? formatName(certificate.subject),
    keyType: pair.kind.type,
    keySize: pair.kind.size,
    sealedKey: await sealCaKey(store, { tenantId: actor.tenantId, id }, await exportPkcs8(pair.privateKey)),
    ...certificateColumns(certificate),
    foreignChainPem: formatCertificatesPem(foreignChain.map(({ der }) => der)),
    maxPathLength: certificate.basicConstraints?.pathLength ?? null,
    permittedDnsDomains: dnsDomainsOf(certificate.nameConstraints?.permitted ?? []),
    excludedDnsDomains: dnsDomainsOf(certificate.nameConstraints?.excluded ?? []),
    ...newCrlColumns(input.crlPartitions, firstNumbers(crl, now()), now()),
    createdAtMs: now(),
    updatedAtMs: now(),
  }
  const revocations = crl === null ? [] : revocationStatements(dependencies, row, crl)
  const more = [mustBeOnlyOneOfSubject(store, known), ...revocations, ...(await alongside(row))]
  try {
    await commitNewCa(dependencies, actor, row, certificate, parent, 'ca.imported', more)
  } catch (error) {
    if (error instanceof AppError && error.code === 'conflict') await requireUnknownCa(store, actor, certificate)
    throw error
  }
  return publishedRow(dependencies, row)
}

/**
 * A root is trusted for its key, and its own signature is no part of any path (RFC 5280 §6.1): a signature
 * with an outdated algorithm, as SHA-1, is passed over, a wrong one is refused.
 */
async function requireOwnSignature(certificate: Certificate, fields: MaterialFields): Promise<void> {
  const verified = await verifyCertificateSignature(certificate, certificate)
  if (verified.ok || verified.error.reason === 'unsupported_algorithm') return
  throw invalidField(fields.certificate, 'it names itself as its issuer, but its own key did not sign it')
}

async function requireKey(certificate: Certificate, pem: string, fields: MaterialFields): Promise<KeyPair> {
  const pair = await importPrivateKeyPem(pem, { extractable: true })
  if (!pair.ok) throw invalidField(fields.privateKey, pair.error.message)
  const key = checkCertifiedKeyDer(pair.value.spkiDer)
  if (!key.ok) throw invalidField(fields.privateKey, key.error.message)
  if (!(await privateKeyMatches(pair.value.privateKey, certificate.subjectPublicKeyInfo.der))) {
    throw invalidField(fields.privateKey, 'the key does not belong to the certificate')
  }
  // RFC 5280 §4.2.1.3: relying parties refuse the CRLs of a CA without cRLSign.
  if (certificate.keyUsage?.has('cRLSign') === false) {
    throw invalidField(fields.certificate, 'its key usage does not let it sign CRLs, which is what revoking needs')
  }
  return pair.value
}

/**
 * Throws `already_exists` where a CA with that name and key is here: two of them would publish two CRLs for the same certificates
 * (RFC 5280 §5), and one that was revoked would be back. Returns what is here of that name: the transaction requires that it is all.
 */
async function requireUnknownCa(
  store: Store,
  { tenantId }: Actor,
  certificate: Certificate,
): Promise<CaCertificatesOfSubject> {
  const subjectHash = await subjectHashOf(certificate.subject.der)
  const rows = await findCaCertificatesBySubject(store, tenantId, subjectHash, MAX_OF_SUBJECT)
  // Every certificate of a CA has its key.
  for (const known of new Map(rows.map((row) => [row.caId, row])).values()) {
    const { subjectPublicKeyInfo } = parseStored(known.certificatePem)
    if (equalBytes(subjectPublicKeyInfo.der, certificate.subjectPublicKeyInfo.der)) {
      throw new AppError('already_exists', `A CA with that name and key is here already: ${known.caId}`)
    }
  }
  return { tenantId, subjectHash, rows }
}

/** Certificates of CAs with one subject. Beyond that, the batch finds one that was not read, and nothing is taken over. */
const MAX_OF_SUBJECT = 1_000

/** Behind every number that the CA may have used elsewhere: that of its last CRL, else a number larger than counters are. */
function firstNumbers(crl: Crl | null, nowMs: number): { readonly count: number; readonly base: string | null } {
  const last = crl?.crlNumber ?? null
  if (last === null) return { count: Math.floor(nowMs / 1000), base: null }
  const numbers = crlNumbersAfter(last)
  if (numbers === null) throw invalidField('crl_pem', 'there is no room for CRL numbers behind that of this CRL')
  return numbers
}

const ROWS_PER_STATEMENT = 1_000

/** Page by page: of a large list, no second copy is held. */
function revocationStatements({ store }: AuthorityDependencies, row: CaRow, crl: Crl): Statement[] {
  const statements: Statement[] = []
  let page: Omit<RevocationRow, 'tenantId'>[] = []
  const flush = (): void => {
    if (page.length > 0) statements.push(insertRevocations(store, row.tenantId, page))
    page = []
  }
  for (const entry of crlEntries(crl)) {
    const serialNumber = toHex(entry.serialNumber)
    page.push({
      caId: row.id,
      partition: partitionOf(serialNumber, row.crlPartitions),
      serialNumber,
      revokedAtMs: entry.revokedAtMs,
      reason: reasonOf(entry.reasonCode),
      invalidityDateMs: entry.invalidityDateMs,
      notAfterMs: null,
    })
    if (page.length === ROWS_PER_STATEMENT) flush()
  }
  flush()
  return statements
}

function reasonOf(code: number): RevocationReason {
  const reason = revocationReasonOf(code)
  if (reason === null)
    throw new AppError('invalid_request', `crl_pem: an entry has the reason ${code}, which full CRLs do not have`)
  return reason
}
