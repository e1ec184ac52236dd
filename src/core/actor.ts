/** Who does something, as the journal names them. What they may do is decided at the HTTP edge. */

export interface Actor {
  readonly tenantId: string
  /** A token's id, or `system` for cron jobs and objects. */
  readonly tokenId: string
  readonly requestId: string | null
}

/** The product itself, acting for a tenant. */
export const systemActor = (tenantId: string): Actor => ({ tenantId, tokenId: 'system', requestId: null })
