/** What issuing answers, and the names that it is asked for. */
import { z } from '@hono/zod-openapi'
import type { Issued } from '../authority/issuing/issue.ts'
import type { RequestedNames } from '../authority/roles/requested-names.ts'
import { formatTime } from '../core/clock.ts'
import { formatSerialHex } from '../pki/serial.ts'

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

const names = z.array(z.string().min(1).max(255)).max(100).default([])

/** `san`: alternative names in place of those of a CSR. */
export const sanField = z.strictObject({
  dns: names,
  ip: names,
  email: names,
  uri: z.array(z.string().min(1).max(2_048)).max(100).default([]),
})

export const sanOf = (san: z.output<typeof sanField>): RequestedNames => ({ ...san, commonName: null })
