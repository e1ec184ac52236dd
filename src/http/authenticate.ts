/** From a request to its principal. Every failure is the same answer; why is for the log alone. */
import { sha256, timingSafeEqual, utf8 } from '../core/bytes.ts'
import { AppError } from '../core/errors.ts'
import { ADMIN_TOKEN_ID, type Principal, parseScopes, SCOPE_NAMES } from '../core/principal.ts'
import { DEFAULT_TENANT_ID } from '../store/store.ts'
import { findTokenByHash, hashToken } from '../store/tokens.ts'
import type { AppDependencies } from './dependencies.ts'

/** Longer than any token; keeps hashing cheap. */
const MAX_TOKEN_CHARS = 512

/** Throws `unauthorized`, its message for the log. */
export async function authenticate(deps: AppDependencies, headers: Headers): Promise<Principal> {
  const token = bearerToken(headers.get('authorization'))
  if (await isAdminToken(deps.settings.adminToken, token)) {
    return { tenantId: DEFAULT_TENANT_ID, tokenId: ADMIN_TOKEN_ID, scopes: SCOPE_NAMES, paths: null, expiresAtMs: null }
  }
  const row = await findTokenByHash(deps.store, await hashToken(token))
  if (row === null) throw new AppError('unauthorized', 'no such token')
  if (row.expiresAtMs !== null && row.expiresAtMs <= deps.now()) {
    throw new AppError('unauthorized', `the token ${row.id} has expired`)
  }
  return {
    tenantId: row.tenantId,
    tokenId: row.id,
    scopes: parseScopes(row.scopes),
    paths: row.paths,
    expiresAtMs: row.expiresAtMs,
  }
}

/** RFC 6750 §2.1; the scheme in any case (RFC 9110 §11.1). */
function bearerToken(header: string | null): string {
  if (header === null) throw new AppError('unauthorized', 'no authorization header')
  const match = /^bearer +([\x21-\x7e]+) *$/i.exec(header)
  const token = match?.[1]
  if (token === undefined || token.length > MAX_TOKEN_CHARS) throw new AppError('unauthorized', 'no bearer token')
  return token
}

/** Compared by digests of equal length, so that the time taken tells nothing about either. */
async function isAdminToken(adminToken: string | null, token: string): Promise<boolean> {
  if (adminToken === null) return false
  const [expected, presented] = await Promise.all([sha256(utf8(adminToken)), sha256(utf8(token))])
  return timingSafeEqual(expected, presented)
}
