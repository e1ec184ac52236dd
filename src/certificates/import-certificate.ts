/** Taking certificates from elsewhere into the list, so that they are seen and their end is told. */

import { findParent } from '../authority/cas/parent.ts'
import type { AuthorityDependencies } from '../authority/dependencies.ts'
import { requireChain, requireOne } from '../authority/given/given-certificates.ts'
import type { MaterialFields } from '../authority/given/given-material.ts'
import { namesOf } from '../authority/issuing/leaf.ts'
import type { Actor } from '../core/actor.ts'
import { toHex } from '../core/bytes.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import { resourceName } from '../core/resources.ts'
import { isAltName } from '../pki/alt-name.ts'
import type { Certificate } from '../pki/certificate.ts'
import { commonNameOf } from '../pki/general-name.ts'
import { exportPkcs8, importPrivateKeyPem, privateKeyMatches } from '../pki/keys.ts'
import { formatCertificatesPem } from '../pki/pem.ts'
import { describePublicKey } from '../pki/public-key.ts'
import { type CaRow, mustHaveSigner } from '../store/authorities.ts'
import { sourceDetail, versionDetail } from '../store/certificate-event.ts'
import { displayNameOf, newCertificateRow } from '../store/certificate-row.ts'
import { insertTerms, nameTermsOf, tagTerm } from '../store/certificate-terms.ts'
import { type CertificateRow, insertCertificate, sealPrivateKey } from '../store/certificates.ts'
import { insertCompromisedKeys } from '../store/compromised-keys.ts'
import { findVersionsBySerial, mustBeUnknown } from '../store/issued-versions.ts'
import { entryBy } from '../store/journal.ts'
import { findRevocation, partitionOf } from '../store/revocations.ts'
import type { Store } from '../store/store.ts'
import { type Alongside, nothingElse } from '../store/transaction.ts'

export interface CertificateImport {
  readonly fields: MaterialFields
  readonly certificatePem: string
  readonly privateKeyPem: string | null
  /** The certificates above it, its issuer first. */
  readonly chainPem: string | null
  /** A CA of the tenant that signed it; where it is not named, it is looked for. */
  readonly caId: string | null
  readonly tags: readonly string[]
  readonly description: string | null
}

/** Throws AppError: for a key that does not belong to it, for a chain that does not hold, and for a certificate that is here already. */
export async function importCertificate(
  dependencies: AuthorityDependencies,
  actor: Actor,
  input: CertificateImport,
  alongside: Alongside<CertificateRow> = nothingElse,
): Promise<CertificateRow> {
  const { store, now } = dependencies
  const { fields } = input
  const certificate = requireOne(fields.certificate, input.certificatePem)
  if (certificate.basicConstraints?.isCa === true) {
    throw invalidField(fields.certificate, 'it is the certificate of a CA: POST /v1/pki/ca/import, or a trust anchor')
  }
  const key = describePublicKey(certificate.subjectPublicKeyInfo)
  if (!key.ok) throw invalidField(fields.certificate, key.error.message)
  const privateKey = input.privateKeyPem === null ? null : await requireKey(certificate, input.privateKeyPem, fields)
  const chain = input.chainPem === null ? [] : await requireChain(certificate, input.chainPem, fields)
  const parent = await findParent(dependencies, actor, certificate)
  const issuerCaId = parent?.ca.id ?? null
  if (input.caId !== null && issuerCaId !== input.caId) {
    throw invalidField('ca_id', 'that CA did not sign the certificate')
  }
  if (parent !== null && parent.ca.status !== 'active') {
    throw new AppError('policy_violation', `Its CA, ${parent.ca.name}, is revoked, and with it the certificate`)
  }
  const serialNumber = toHex(certificate.serialNumber)
  const leafPem = formatCertificatesPem([certificate.der])
  await requireUnknown(store, actor, serialNumber, leafPem)
  const id = newId('certificate', now())
  const names = namesOf((certificate.subjectAltNames ?? []).filter(isAltName))
  const commonName = commonNameOf(certificate.subject)
  const place = { tenantId: actor.tenantId, certificateId: id, serialNumber }
  const revocation = parent === null ? null : await revocationOf(store, parent.ca, serialNumber)
  const row = newCertificateRow(
    {
      tenantId: actor.tenantId,
      id,
      source: 'imported',
      issuerCaId,
      commonName,
      displayName: displayNameOf({ commonName, names, serialNumber }),
      names,
      serialNumber,
      notBeforeMs: certificate.notBeforeMs,
      notAfterMs: certificate.notAfterMs,
      keyType: key.value.type,
      keySize: key.value.size,
      leafPem,
      chainPem:
        chain.length > 0 || parent === null
          ? formatCertificatesPem(chain.map(({ der }) => der))
          : parent.chainPems.join(''),
      sealedPrivateKey: privateKey === null ? null : await sealPrivateKey(store, place, await exportPkcs8(privateKey)),
      tags: [...new Set(input.tags)],
      description: input.description,
      revokedAtMs: revocation?.revokedAtMs ?? null,
      revocationReason: revocation?.reason ?? null,
    },
    now(),
  )
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      ...(parent === null ? [] : [mustHaveSigner(store, parent.lineage)]),
      ...mustBeUnknown(store, row),
      insertCertificate(store, row),
      ...(row.revocationReason === 'key_compromise'
        ? [await insertCompromisedKeys(store, actor.tenantId, [certificate.subjectPublicKeyInfo.der], now())]
        : []),
      ...insertTerms(store, row, [...nameTermsOf(commonName, names), ...row.tags.map(tagTerm)]),
      ...(await alongside(row)),
    ],
    entries: [
      entryBy(actor, {
        event: 'certificate.imported',
        resource: resourceName.certificate(id),
        detail: { ...versionDetail(row), ...sourceDetail(row), with_private_key: privateKey !== null },
      }),
    ],
  })
  if (outcome.kind !== 'committed') {
    await requireUnknown(store, actor, serialNumber, leafPem)
    throw new AppError('conflict', 'Its CA was changed at the same time: look at it and try again')
  }
  return row
}

/** Throws `already_exists`. */
async function requireUnknown(store: Store, actor: Actor, serialNumber: string, leafPem: string): Promise<void> {
  const known = await findVersionsBySerial(store, actor.tenantId, serialNumber)
  const same = known.find((version) => version.leafPem === leafPem)
  if (same !== undefined) throw new AppError('already_exists', `It is here already, as ${same.certificateId}`)
}

/** What its CA's CRL says of it: it may have been revoked before it came here. */
const revocationOf = (store: Store, { tenantId, id, crlPartitions }: CaRow, serialNumber: string) =>
  findRevocation(store, { tenantId, caId: id, partition: partitionOf(serialNumber, crlPartitions), serialNumber })

async function requireKey(certificate: Certificate, pem: string, fields: MaterialFields): Promise<CryptoKey> {
  const pair = await importPrivateKeyPem(pem, { extractable: true })
  if (!pair.ok) throw invalidField(fields.privateKey, pair.error.message)
  if (!(await privateKeyMatches(pair.value.privateKey, certificate.subjectPublicKeyInfo.der))) {
    throw invalidField(fields.privateKey, 'the key does not belong to the certificate')
  }
  return pair.value.privateKey
}
