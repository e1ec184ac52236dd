/** The CA above another: the one that has signed it, and whether one that is to sign it may. */
import type { Actor } from '../../core/actor.ts'
import { AppError } from '../../core/errors.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { MAX_HIERARCHY_DEPTH } from '../../store/authorities.ts'
import { findCaCertificatesBySubject } from '../../store/ca-certificates.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { isSignedBy } from '../given/given-certificates.ts'
import { findSigner, parseStored, requireNamedCa, requireSigner, type Signer } from '../signer.ts'
import { subjectHashOf } from './ca-certificate.ts'

/** As `requireParent`, of a CA that a field names: `invalid_request` where there is none. */
export async function requireNamedParent(
  dependencies: AuthorityDependencies,
  actor: Actor,
  field: string,
  caId: string,
  maxPathLength: number | null,
): Promise<Signer> {
  await requireNamedCa(dependencies.store, actor.tenantId, field, caId)
  return requireParent(dependencies, actor, caId, maxPathLength)
}

/** The CA that is to sign another CA, where its path length lets it (RFC 5280 §4.2.1.9). */
export async function requireParent(
  { store }: AuthorityDependencies,
  actor: Actor,
  caId: string,
  maxPathLength: number | null,
): Promise<Signer> {
  const signer = await requireSigner(store, actor.tenantId, caId, true)
  const limit = signer.ca.maxPathLength
  if (limit === 0) {
    throw new AppError('policy_violation', `The CA ${signer.ca.name} may not sign CAs: its max_path_length is 0`)
  }
  if (limit !== null && maxPathLength !== null && maxPathLength >= limit) {
    throw new AppError('policy_violation', `max_path_length can be ${limit - 1} at most below ${signer.ca.name}`)
  }
  if (signer.chain.length >= MAX_HIERARCHY_DEPTH) {
    throw new AppError('policy_violation', `CAs stand at most ${MAX_HIERARCHY_DEPTH} deep`)
  }
  return signer
}

/** How many certificates of one subject are tried. */
const MAX_CANDIDATES = 20

/** The CA of this tenant that has signed the certificate, or null. */
export async function findParent(
  { store }: AuthorityDependencies,
  actor: Actor,
  certificate: Certificate,
): Promise<Signer | null> {
  const subjectHash = await subjectHashOf(certificate.issuer.der)
  const candidates = await findCaCertificatesBySubject(store, actor.tenantId, subjectHash, MAX_CANDIDATES)
  for (const candidate of candidates) {
    if (!(await isSignedBy(certificate, parseStored(candidate.certificatePem)))) continue
    return findSigner(store, actor.tenantId, candidate.caId, true)
  }
  return null
}
