/** Who does something, as the journal names them. What they may do is decided at the HTTP edge. */
import type { Identity } from './principal.ts'

export interface Actor {
  readonly tenantId: string
  /** A token's id, `oidc:…` of who signed in, or `system` for cron jobs and objects. */
  readonly tokenId: string
  readonly requestId: string | null
  /** Of who signed in with a token of an issuer that the tenant trusts. */
  readonly identity?: Pick<Identity, 'issuer' | 'subject'>
}

/** The product itself, acting for a tenant. */
export const systemActor = (tenantId: string): Actor => ({ tenantId, tokenId: 'system', requestId: null })
