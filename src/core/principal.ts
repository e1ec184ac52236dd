/** The caller of a request and what it may do: scopes, what a scope includes, and resources by glob. Does not read tokens. */
import type { Claims } from './claims.ts'
import { globCovers } from './path-glob.ts'

/** Every scope, and the ones that it includes. */
export const SCOPES = {
  'pki:read': [],
  'pki:issue': ['pki:read'],
  'pki:admin': ['pki:read', 'audit:read', 'secrets:write'],
  'secrets:read': [],
  'secrets:write': [],
  'audit:read': [],
  'tokens:admin': [],
  operator: [],
} as const satisfies Record<string, readonly string[]>

export type Scope = keyof typeof SCOPES

export const SCOPE_NAMES = Object.keys(SCOPES) as readonly Scope[]

/** The token of the deployment's settings, as the journal names it. */
export const ADMIN_TOKEN_ID = 'tok_admin'

/** Who signed in with a token of an issuer that the tenant trusts: access/sign-in. */
export interface Identity {
  /** `idp_…` of the tenant's trusted issuer. */
  readonly issuerId: string
  /** What the tenant calls it. */
  readonly issuerName: string
  /** As the token's `iss` has it. */
  readonly issuer: string
  /** As the token's `sub` has it. */
  readonly subject: string
  readonly claims: Claims
}

export interface Principal {
  readonly tenantId: string
  /** `tok_…`; or `oidc:…` of who signed in, the same for each token of the same subject and for no other. */
  readonly tokenId: string
  /** As granted, without what they include. */
  readonly scopes: readonly Scope[]
  /** Globs outside of which nothing is seen; null where nothing is outside. */
  readonly paths: readonly string[] | null
  readonly expiresAtMs: number | null
  /** None for tokens of ours. */
  readonly identity?: Identity
}

/** The granted scopes and all that they include. */
export function effectiveScopes(principal: Pick<Principal, 'scopes'>): ReadonlySet<Scope> {
  return new Set(principal.scopes.flatMap((scope) => [scope, ...SCOPES[scope]]))
}

/** Holds that scope, by itself or within another. */
export function hasScope(principal: Pick<Principal, 'scopes'>, scope: Scope): boolean {
  return effectiveScopes(principal).has(scope)
}

/** Does the principal see that resource, or all that a glob stands for? */
export function coversResource(principal: Pick<Principal, 'paths'>, resource: string): boolean {
  return principal.paths === null || principal.paths.some((glob) => globCovers(glob, resource))
}

/** Reads stored scopes; one that no longer exists grants nothing. */
export function parseScopes(names: readonly string[]): readonly Scope[] {
  return SCOPE_NAMES.filter((scope) => names.includes(scope))
}
