/** Reading stored private keys: as PEM, and in a PKCS#12 file. No key leaves without a trace in the audit log. */
import { z } from '@hono/zod-openapi'
import type { Bytes } from '../../core/bytes.ts'
import { AppError, invalidField } from '../../core/errors.ts'
import { exportPrivateKeyPem, importPrivateKey } from '../../pki/keys.ts'
import { parsePemOf } from '../../pki/pem.ts'
import { buildPkcs12 } from '../../pki/pkcs12.ts'
import { formatSerialHex } from '../../pki/serial.ts'
import { type CertificateRow, openPrivateKey } from '../../store/certificates.ts'
import { type JournalEvent, journalBefore } from '../../store/journal-event.ts'
import { json, raw } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'
import type { AppDependencies } from '../dependencies.ts'
import { requireCertificate } from '../require-certificate.ts'

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => `pki/certificates/${id}`

const privateKey = defineRoute({
  method: 'post',
  path: '/v1/pki/certificates/{id}/private-key',
  tag: 'Certificates',
  summary: 'Read the stored private key',
  description: 'PKCS#8. Every read is audited.',
  access: { scope: 'pki:issue', resource: resourceOf },
  params,
  responses: { 200: { description: 'The key', schema: z.strictObject({ private_key_pem: z.string() }) } },
  async handler(input) {
    const row = await requireCertificate(input)
    const pkcs8 = await openStoredKey(input.deps, row)
    const key = await importPrivateKey('pkcs8', pkcs8, { extractable: true })
    if (!key.ok) throw new Error(`a stored private key does not import: ${key.error.reason}`)
    const answer = json(200, { private_key_pem: await exportPrivateKeyPem(key.value.privateKey, 'pkcs8') })
    await journalBefore(input.deps.store, input.actor, keyRead(row))
    return answer
  },
})

const exportRoute = defineRoute({
  method: 'post',
  path: '/v1/pki/certificates/{id}/export',
  tag: 'Certificates',
  summary: 'Certificate, chain and private key as PKCS#12',
  description:
    'AES-256 with PBKDF2 (RFC 7292, RFC 8018), as openssl and keytool open it. Audited as reading the key is.',
  access: { scope: 'pki:issue', resource: resourceOf },
  params,
  body: z
    .strictObject({
      format: z.literal('pkcs12').default('pkcs12'),
      passphrase: z.string().min(8).max(1_000),
      friendly_name: z.string().min(1).max(128).optional(),
    })
    .openapi('ExportRequest'),
  responses: { 200: { description: 'The PKCS#12 file', mediaTypes: ['application/x-pkcs12'] } },
  async handler(input) {
    const { body } = input
    const row = await requireCertificate(input)
    const file = await buildPkcs12({
      privateKeyPkcs8Der: await openStoredKey(input.deps, row),
      certificateDers: dersOf(row.leafPem + row.chainPem),
      passphrase: body.passphrase,
      friendlyName: body.friendly_name ?? row.displayName,
    })
    if (!file.ok) throw invalidField('passphrase', file.error)
    await journalBefore(input.deps.store, input.actor, keyRead(row))
    const disposition = `attachment; filename="${row.id}.p12"`
    return raw(200, 'application/x-pkcs12', file.value, { 'content-disposition': disposition })
  },
})

export const certificateKeyRoutes: readonly Route[] = [privateKey, exportRoute]

/** PKCS#8 DER. Throws `not_found` with the reason where no key is kept. What leaves with it is journaled before. */
async function openStoredKey(deps: AppDependencies, row: CertificateRow): Promise<Bytes> {
  if (row.sealedPrivateKey === null) throw new AppError('not_found', whyNoKey(row))
  const version = { tenantId: row.tenantId, certificateId: row.id, serialNumber: row.serialNumber }
  return openPrivateKey(deps.store, version, row.sealedPrivateKey)
}

const keyRead = (row: CertificateRow): JournalEvent => ({
  event: 'certificate.private_key_read',
  resource: `pki/certificates/${row.id}`,
  detail: { certificate_id: row.id, version: row.version, serial_number: formatSerialHex(row.serialNumber) },
})

function whyNoKey(row: CertificateRow): string {
  if (row.source === 'acme') return 'No key is stored: the certificate was ordered with a CSR, whose owner has the key'
  if (row.source === 'imported') return 'No key is stored: the certificate was imported without one'
  if (row.keyOrigin === 'csr') return 'No key is stored: the certificate was signed from a CSR, whose owner has the key'
  return 'No key is stored: the role does not keep private keys (store_private_keys)'
}

function dersOf(pem: string): [Bytes, ...Bytes[]] {
  const ders = parsePemOf('CERTIFICATE', pem)
  if (!ders.ok) throw new Error('a stored certificate is no PEM')
  return ders.value as [Bytes, ...Bytes[]]
}
