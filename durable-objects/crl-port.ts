/** The way to the writers of CRLs. */
import type { CrlPublications } from '../src/authority/crl/publish-crl.ts'
import type { Env } from '../src/env.ts'

/** One object per CA: its lists are made one after another. */
export function crlPublications(env: Env): CrlPublications {
  return {
    publish: async (tenantId, caId, actor) =>
      env.CRL_PUBLISHER.getByName(`${tenantId}/${caId}`).publish(tenantId, caId, actor),
  }
}
