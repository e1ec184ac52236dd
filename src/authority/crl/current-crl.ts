/** The CRL that is published: whose number the database names, and whose bytes the object store has. */
import type { Bytes } from '../../core/bytes.ts'
import type { CaState } from '../../store/authorities.ts'
import { findCrlPart } from '../../store/crl-parts.ts'
import type { AuthorityDependencies } from '../dependencies.ts'

export interface CurrentCrl {
  readonly ca: CaState
  readonly thisUpdateMs: number
  readonly nextUpdateMs: number
  readonly der: Bytes
}

/**
 * Null where there is no such CA or part, or nothing was published yet. `partition` 0 is the list for all. `readCa` is asked
 * again where a newer list has taken the place of the one that its row named.
 */
export async function readCurrentCrl(
  { store, crls }: Pick<AuthorityDependencies, 'store' | 'crls'>,
  readCa: () => Promise<CaState | null>,
  partition: number,
): Promise<CurrentCrl | null> {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const ca = await readCa()
    if (ca === null || partition < 0 || partition > ca.crlPartitions) return null
    const { tenantId, id: caId, crlPublishedNumber, crlThisUpdateMs, crlNextUpdateMs } = ca
    if (crlThisUpdateMs === null || crlNextUpdateMs === null) return null
    const part = partition === 0 ? null : await findCrlPart(store, tenantId, caId, partition)
    const crlNumber = part?.crlNumber ?? crlPublishedNumber
    const der = await crls.get({ tenantId, caId, crlNumber, partition })
    if (der === null) continue
    const thisUpdateMs = part?.thisUpdateMs ?? crlThisUpdateMs
    return { ca, der, thisUpdateMs, nextUpdateMs: part?.nextUpdateMs ?? crlNextUpdateMs }
  }
  return null
}
