/** A certificate as the API shows it: a managed certificate, and what issuing answers. */
import { z } from '@hono/zod-openapi'
import type { Issued } from '../authority/issuing/issue.ts'
import { formatTime } from '../core/clock.ts'
import { formatSerialHex } from '../pki/serial.ts'
import type { CertificateRow } from '../store/certificates.ts'

const time = z.iso.datetime()

/** The alternative names of a certificate, or of a request. */
export const namesSchema = z.strictObject({
  dns: z.array(z.string()),
  ip: z.array(z.string()),
  email: z.array(z.string()),
  uri: z.array(z.string()),
})

export const showNames = ({
  names: { dns, ip, email, uri },
}: Pick<CertificateRow, 'names'>): z.input<typeof namesSchema> => ({
  dns: [...dns],
  ip: [...ip],
  email: [...email],
  uri: [...uri],
})

export const certificateSchema = z
  .strictObject({
    id: z.string(),
    common_name: z.string().nullable(),
    display_name: z.string().openapi({ description: 'The common name, or the first alternative name' }),
    source: z.enum(['internal', 'acme', 'imported']),
    status: z.enum(['active', 'expired', 'revoked']),
    version: z.number().int(),
    names: namesSchema,
    issuer_ca_id: z.string().nullable(),
    role: z.string().nullable().openapi({ description: 'The role that it was issued under' }),
    acme_account_id: z.string().nullable().openapi({ description: 'The account that renews it' }),
    issued_by_account_id: z
      .string()
      .nullable()
      .openapi({ description: 'The account that the current version came by; another one after a move' }),
    serial_number: z.string(),
    valid_from: time,
    valid_until: time,
    is_revoked: z.boolean(),
    revoked_at: time.nullable(),
    revocation_reason: z.string().nullable(),
    key_type: z.string(),
    key_size: z.number().int(),
    has_private_key: z.boolean(),
    tags: z.array(z.string()),
    description: z.string().nullable(),
    auto_renew: z.boolean(),
    next_renewal_at: time.nullable(),
    renewal_reason: z.string().nullable().openapi({ description: 'ari: the CA suggests it; lifetime; forced' }),
    renewal_explanation_url: z.string().nullable().openapi({ description: 'Why the CA suggests it, where it says so' }),
    renewal_failures: z.number().int().openapi({ description: 'Failed renewals in a row' }),
    renewal_error: z.string().nullable().openapi({ description: 'What the last one failed of' }),
    order_id: z.string().nullable().openapi({ description: 'The order that is making the next version' }),
    created_at: time,
    updated_at: time,
  })
  .openapi('Certificate')

export function showCertificate(row: CertificateRow, nowMs: number): z.input<typeof certificateSchema> {
  return {
    id: row.id,
    common_name: row.commonName,
    display_name: row.displayName,
    source: row.source as 'internal' | 'acme' | 'imported',
    status: row.revokedAtMs !== null ? 'revoked' : row.notAfterMs <= nowMs ? 'expired' : 'active',
    version: row.version,
    names: showNames(row),
    issuer_ca_id: row.issuerCaId,
    role: row.roleName,
    acme_account_id: row.renewalRequest?.accountId ?? row.acmeAccountId,
    issued_by_account_id: row.acmeAccountId,
    serial_number: formatSerialHex(row.serialNumber),
    valid_from: formatTime(row.notBeforeMs),
    valid_until: formatTime(row.notAfterMs),
    is_revoked: row.revokedAtMs !== null,
    revoked_at: row.revokedAtMs === null ? null : formatTime(row.revokedAtMs),
    revocation_reason: row.revocationReason,
    key_type: row.keyType,
    key_size: row.keySize,
    has_private_key: row.sealedPrivateKey !== null,
    tags: [...row.tags],
    description: row.description,
    auto_renew: row.autoRenew,
    next_renewal_at: row.nextRenewalAtMs === null ? null : formatTime(row.nextRenewalAtMs),
    renewal_reason: row.nextRenewalAtMs === null ? null : row.renewalReason,
    renewal_explanation_url: row.nextRenewalAtMs === null ? null : row.ariExplanationUrl,
    renewal_failures: row.renewalFailures,
    renewal_error: row.renewalError,
    order_id: row.openOrderId,
    created_at: formatTime(row.createdAtMs),
    updated_at: formatTime(row.updatedAtMs),
  }
}

/** What issuing answers: the new version, with its key where it was made here. */
export const issuedSchema = z
  .strictObject({
    id: z.string(),
    version: z.number().int(),
    certificate: z.string(),
    private_key: z.string().optional().openapi({ description: 'Shown once; absent where the caller has the key' }),
    private_key_type: z.string().optional(),
    ca_chain: z.array(z.string()).openapi({ description: 'From the issuer up' }),
    serial_number: z.string(),
    not_before: z.iso.datetime(),
    not_after: z.iso.datetime(),
    warnings: z.array(z.string()).openapi({ description: 'What was understood differently from what was written' }),
  })
  .openapi('IssuedCertificate')

export function showIssued(issued: Issued): z.input<typeof issuedSchema> {
  const { certificate, privateKeyPem } = issued
  return {
    id: certificate.id,
    version: certificate.version,
    certificate: certificate.leafPem,
    ...(privateKeyPem === null ? {} : { private_key: privateKeyPem, private_key_type: certificate.keyType }),
    ca_chain: [...issued.chainPems],
    serial_number: formatSerialHex(certificate.serialNumber),
    not_before: formatTime(certificate.notBeforeMs),
    not_after: formatTime(certificate.notAfterMs),
    warnings: [...issued.warnings],
  }
}
