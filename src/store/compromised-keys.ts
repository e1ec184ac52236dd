/**
 * Public keys that a tenant has revoked for key_compromise: whoever signs for such a key may be somebody else. Keys alone, whichever
 * certificate they were revoked with; revocations from before the table existed are known by the versions of a certificate.
 */
import { and, eq, sql } from 'drizzle-orm'
import { type Bytes, sha256, toHex } from '../core/bytes.ts'
import { compromisedKeys } from './schema/authority.ts'
import { certificateVersions } from './schema/certificates.ts'
import type { Store } from './store.ts'
import { precondition, type Statement, statement } from './transaction.ts'

/** A key that is to be certified. */
export interface KeyToCertify {
  readonly tenantId: string
  /** SubjectPublicKeyInfo in DER. */
  readonly spkiDer: Bytes
  /** The certificate whose versions all have that key; null for a certificate that is new. */
  readonly certificateId: string | null
}

/** Keeps those keys, SubjectPublicKeyInfo in DER. One bound parameter for all of them. */
export async function insertCompromisedKeys(
  store: Store,
  tenantId: string,
  spkiDers: readonly Bytes[],
  nowMs: number,
): Promise<Statement> {
  const hashes = await Promise.all(spkiDers.map(keyHashOf))
  // `WHERE true`: without it, ON CONFLICT after a SELECT is read as part of a join.
  const values = sql`SELECT ${tenantId}, value, ${nowMs} FROM json_each(${JSON.stringify(hashes)}) WHERE true`
  return statement(store.db.insert(compromisedKeys).select(values).onConflictDoNothing())
}

/** Was that key revoked for key_compromise? */
export async function isCompromised(store: Store, key: KeyToCertify): Promise<boolean> {
  const counts = await Promise.all((await findings(store, key)).map((finding) => finding.get()))
  return counts.some((row) => row?.count !== 0)
}

/** Undoes the batch where that key was revoked for key_compromise. */
export async function mustBeUncompromised(store: Store, key: KeyToCertify): Promise<Statement[]> {
  return (await findings(store, key)).map((finding) => precondition(finding.having(sql`count(*) = 0`)))
}

/** Each counts what says that the key is compromised. */
async function findings(store: Store, { tenantId, spkiDer, certificateId }: KeyToCertify) {
  const count = sql<number>`count(*)`.as('count')
  const kept = and(eq(compromisedKeys.tenantId, tenantId), eq(compromisedKeys.keyHash, await keyHashOf(spkiDer)))
  const ofKey = store.db.select({ count }).from(compromisedKeys).where(kept).$dynamic()
  if (certificateId === null) return [ofKey]
  const earlier = and(
    eq(certificateVersions.tenantId, tenantId),
    eq(certificateVersions.certificateId, certificateId),
    eq(certificateVersions.revocationReason, 'key_compromise'),
  )
  return [ofKey, store.db.select({ count }).from(certificateVersions).where(earlier).$dynamic()]
}

const keyHashOf = async (spkiDer: Bytes): Promise<string> => toHex(await sha256(spkiDer))
