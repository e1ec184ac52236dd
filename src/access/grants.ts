/** What a token may give to the token that it makes: no scope, no path and no lifetime beyond its own. Pure; every refusal is thrown. */
import { AppError, invalidField } from '../core/errors.ts'
import { globCovers } from '../core/path-glob.ts'
import {
  coversResource,
  effectiveScopes,
  hasScope,
  type Principal,
  SCOPE_NAMES,
  type Scope,
} from '../core/principal.ts'
import { DEFAULT_TENANT_ID } from '../store/store.ts'

/**
 * The scopes in their usual order. `tenantId`: the tenant that the new token is for. `isFirst`: it is the first token of another tenant,
 * which an operator gives any scope but `operator`: nobody there could give one yet.
 */
export function grantedScopes(
  maker: Principal,
  scopes: readonly Scope[],
  tenantId: string,
  { isFirst }: { readonly isFirst: boolean } = { isFirst: false },
): readonly Scope[] {
  const own = isFirst && hasScope(maker, 'operator') ? new Set(SCOPE_NAMES) : effectiveScopes(maker)
  const beyond = scopes.filter((scope) => !own.has(scope))
  if (beyond.length > 0) throw new AppError('forbidden', `This token lacks ${beyond.join(', ')} and cannot give it`)
  if (scopes.includes('operator') && tenantId !== DEFAULT_TENANT_ID) {
    throw invalidField('scopes', 'operators belong to the default tenant')
  }
  return SCOPE_NAMES.filter((scope) => scopes.includes(scope))
}

/** The globs without those that another one covers; the maker's own where none are asked for. */
export function grantedPaths(maker: Principal, paths: readonly string[] | null): readonly string[] | null {
  if (paths === null) return maker.paths
  const beyond = paths.findIndex((path) => !coversResource(maker, path))
  if (beyond >= 0) throw new AppError('forbidden', `paths[${beyond}] is outside of this token's own paths`)
  return paths.filter((path, index) => !paths.some((other, at) => at !== index && isWithin(path, index, other, at)))
}

/** Of two globs that cover each other, the first stays. */
function isWithin(path: string, index: number, other: string, at: number): boolean {
  return globCovers(other, path) && (!globCovers(path, other) || at < index)
}

/** When the new token expires, in epoch milliseconds; with its maker where no time is asked for. Null: never. */
export function grantedExpiry(maker: Principal, expiresAtMs: number | null, nowMs: number): number | null {
  if (expiresAtMs === null) return maker.expiresAtMs
  if (expiresAtMs <= nowMs) throw invalidField('expires_at', 'must be in the future')
  if (maker.expiresAtMs !== null && expiresAtMs > maker.expiresAtMs) {
    throw new AppError('forbidden', 'A token cannot outlive the one that makes it')
  }
  return expiresAtMs
}
