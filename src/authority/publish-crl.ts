/** Asks a CA's writer for a new CRL, which knows of everything that was revoked before the call. See crl-writer.ts and make-crl.ts. */
import type { Actor } from '../core/actor.ts'
import type { AuthorityDependencies } from './dependencies.ts'
import type { PublishedCrl } from './make-crl.ts'

/** The writers of CRLs, one for each CA. */
export interface CrlPublications {
  /**
   * `actor` is who asked for the list, and null where it follows from something else. Rejects where the list could not be made: it is
   * due in the database then, and the writer tries again by itself within seconds.
   */
  publish(tenantId: string, caId: string, actor: Actor | null): Promise<PublishedCrl | null>
}

/** Publishes now. Null where the CA has ended, whose lists nobody needs any more. Throws where the list could not be made. */
export function publishCrl(
  { publications }: Pick<AuthorityDependencies, 'publications'>,
  tenantId: string,
  caId: string,
  actor: Actor | null = null,
): Promise<PublishedCrl | null> {
  return publications.publish(tenantId, caId, actor)
}
