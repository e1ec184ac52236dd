/** Handing out stored private keys: as PEM, and in a PKCS#12 file. The journal's entry is written before a key leaves. */

import type { Actor } from '../core/actor.ts'
import type { Bytes } from '../core/bytes.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import { exportPrivateKeyPem, importPrivateKey } from '../pki/keys.ts'
import { parsePemOf } from '../pki/pem.ts'
import { buildPkcs12 } from '../pki/pkcs12.ts'
import { formatSerialHex } from '../pki/serial.ts'
import { type CertificateRow, openPrivateKey } from '../store/certificates.ts'
import { type JournalEvent, journalBefore } from '../store/journal-event.ts'
import type { Store } from '../store/store.ts'
import { requireCertificate } from './read-certificate.ts'

/** The private key of the current version, PKCS#8 in PEM. Throws `not_found` with the reason where no key is kept. */
export async function readPrivateKey(store: Store, actor: Actor, id: string): Promise<string> {
  const row = await requireCertificate(store, actor, id)
  const key = await importPrivateKey('pkcs8', await openStoredKey(store, row), { extractable: true })
  if (!key.ok) throw new Error(`a stored private key does not import: ${key.error.reason}`)
  const pem = await exportPrivateKeyPem(key.value.privateKey, 'pkcs8')
  await journalBefore(store, actor, keyRead(row))
  return pem
}

export interface Pkcs12Request {
  readonly passphrase: string
  /** Null: the certificate's display name. */
  readonly friendlyName: string | null
}

/** The current version with its chain and its private key as a PKCS#12 file. Throws as `readPrivateKey` does. */
export async function exportPkcs12(
  store: Store,
  actor: Actor,
  id: string,
  { passphrase, friendlyName }: Pkcs12Request,
): Promise<Bytes> {
  const row = await requireCertificate(store, actor, id)
  const file = await buildPkcs12({
    privateKeyPkcs8Der: await openStoredKey(store, row),
    certificateDers: dersOf(row.leafPem + row.chainPem),
    passphrase,
    friendlyName: friendlyName ?? row.displayName,
  })
  if (!file.ok) throw invalidField('passphrase', file.error)
  await journalBefore(store, actor, keyRead(row))
  return file.value
}

/** PKCS#8 DER. */
async function openStoredKey(store: Store, row: CertificateRow): Promise<Bytes> {
  if (row.sealedPrivateKey === null) throw new AppError('not_found', whyNoKey(row))
  const version = { tenantId: row.tenantId, certificateId: row.id, serialNumber: row.serialNumber }
  return openPrivateKey(store, version, row.sealedPrivateKey)
}

const keyRead = (row: CertificateRow): JournalEvent => ({
  event: 'certificate.private_key_read',
  resource: resourceName.certificate(row.id),
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
