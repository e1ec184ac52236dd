/** The key of an ACME certificate and the request that is made with it. */
import type { Bytes } from '../core/bytes.ts'
import { buildCsr } from '../pki/csr.ts'
import { exportPkcs8, generateKeyPair, type KeyPair } from '../pki/keys.ts'
import type { OrderRequest } from './order-request.ts'

/** A new key, extractable, since its owner fetches it. */
export async function newCertificateKey(
  type: NonNullable<OrderRequest['keyType']>,
  size: number,
): Promise<{ readonly pair: KeyPair; readonly pkcs8: Bytes }> {
  const pair = await generateKeyPair({ type, size })
  return { pair, pkcs8: await exportPkcs8(pair.privateKey) }
}

/** RFC 8555 §7.4: the CSR names exactly the identifiers of the order; in the SAN alone, the subject stays empty. */
export function requestFor({ pair }: { readonly pair: KeyPair }, domains: readonly string[]): Promise<Bytes> {
  return buildCsr({ names: { dns: domains }, key: pair })
}
