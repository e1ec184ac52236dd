/** How the CRLs of CAs are published: by one writer for each CA, which src/authority/crl/crl-writer.ts is. */
import type { Actor } from '../../core/actor.ts'

export interface PublishedCrl {
  /** As it is counted: see `crl-number.ts`. */
  readonly crlNumber: number
  readonly thisUpdateMs: number
  readonly nextUpdateMs: number
  readonly revokedCount: number
}

/** The writers of CRLs, one for each CA. */
export interface CrlPublications {
  /**
   * A CRL that knows of everything that was revoked before the call. `actor` is who asked for it, and null where it follows from
   * something else. Null where the CA has ended, and no CRL of it is needed. Rejects where the list could not be made: it is due
   * in the database then, and the writer tries again by itself within seconds.
   */
  publish(tenantId: string, caId: string, actor: Actor | null): Promise<PublishedCrl | null>
}

/** The Durable Object of one CA's CRLs. The class is in durable-objects/crl-publisher.ts. */
export interface CrlPublisherObject extends CrlPublications {
  /** Forgets the CA: its tenant is being deleted. Idempotent. */
  erase(): Promise<void>
}

/** Publishes what a change of the CA has made due. Never rejects: where the list cannot be made now, the cron makes it. */
export async function tryPublishCrl(
  { publications }: { readonly publications: CrlPublications },
  tenantId: string,
  caId: string,
): Promise<void> {
  await publications.publish(tenantId, caId, null).catch(() => null)
}
