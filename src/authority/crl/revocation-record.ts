/** What a revocation writes besides the mark on the certificate: its line in the CRL of its CA, and its entry in the journal. */

import type { Actor } from '../../core/actor.ts'
import { formatTime } from '../../core/clock.ts'
import { resourceName } from '../../core/resources.ts'
import { isAltName } from '../../pki/alt-name.ts'
import { commonNameOf } from '../../pki/general-name.ts'
import type { RevocationReason } from '../../pki/revocation-reason.ts'
import { findCaState } from '../../store/authorities.ts'
import { versionDetail } from '../../store/certificate-event.ts'
import { displayNameOf } from '../../store/certificate-row.ts'
import type { IssuedVersion } from '../../store/issued-versions.ts'
import { entryBy, type JournalEntry } from '../../store/journal.ts'
import { insertRevocations, partitionOf } from '../../store/revocations.ts'
import type { Statement } from '../../store/transaction.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { namesOf } from '../issuing/leaf.ts'
import { tryParseStored } from '../signer.ts'

export const HOLD: RevocationReason = 'certificate_hold'

/** What is to be revoked. */
export type RevocationTarget =
  /** Hex of the serial number's content octets. */
  | { readonly by: 'serial'; readonly serialNumber: string; readonly caId: string | null }
  /** Every version that is not over. */
  | { readonly by: 'certificate'; readonly certificateId: string }

export interface RevocationInput {
  readonly reason: RevocationReason
  /** When the key was lost, where that is known. */
  readonly invalidityDateMs: number | null
}

/** Lines for the CRLs of the tenant's CAs; a certificate whose issuer is not here gets none. */
export async function crlStatements(
  dependencies: AuthorityDependencies,
  tenantId: string,
  versions: readonly IssuedVersion[],
  revocation: RevocationInput & { readonly revokedAtMs: number },
): Promise<Statement[]> {
  const places = await placesOf(dependencies, versions)
  if (places.length === 0) return []
  const rows = places.map(({ caId, partition, serialNumber, notAfterMs }) => ({
    caId,
    partition,
    serialNumber,
    revokedAtMs: revocation.revokedAtMs,
    reason: revocation.reason,
    invalidityDateMs: revocation.invalidityDateMs,
    notAfterMs,
  }))
  return [insertRevocations(dependencies.store, tenantId, rows)]
}

interface CrlLine {
  readonly tenantId: string
  readonly caId: string
  readonly partition: number
  readonly serialNumber: string
  readonly notAfterMs: number
}

export async function placesOf(
  { store }: AuthorityDependencies,
  versions: readonly IssuedVersion[],
): Promise<CrlLine[]> {
  const partitions = new Map<string, number>()
  const lines: CrlLine[] = []
  for (const { tenantId, issuerCaId: caId, serialNumber, notAfterMs } of versions) {
    if (caId === null) continue
    const known = partitions.get(caId) ?? (await findCaState(store, tenantId, caId))?.crlPartitions ?? 0
    partitions.set(caId, known)
    lines.push({ tenantId, caId, partition: partitionOf(serialNumber, known), serialNumber, notAfterMs })
  }
  return lines
}

export function revokedEntry(
  actor: Actor,
  version: IssuedVersion,
  reason: RevocationReason,
  revokedAtMs: number,
): JournalEntry {
  return entryBy(actor, {
    event: 'certificate.revoked',
    resource: resourceName.certificate(version.certificateId),
    detail: {
      ...versionDetail({ ...version, id: version.certificateId, ...leafOf(version) }),
      order_id: null,
      reason,
      revoked_at: formatTime(revokedAtMs),
    },
  })
}

/**
 * What the version's own certificate says. Names in the certificate's row are those of its current version, and its JSON may not decode;
 * neither that nor a PEM that does not parse keeps a version from being revoked.
 */
function leafOf({ leafPem, serialNumber, notAfterMs }: IssuedVersion) {
  const leaf = tryParseStored(leafPem)
  const commonName = leaf === null ? null : commonNameOf(leaf.subject)
  const names = namesOf((leaf?.subjectAltNames ?? []).filter(isAltName))
  const displayName = displayNameOf({ commonName, names, serialNumber })
  return { commonName, names, displayName, notBeforeMs: leaf?.notBeforeMs ?? notAfterMs }
}
