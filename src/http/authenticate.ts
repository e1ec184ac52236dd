/** From a request to its principal. Every failure is the same answer; the reason is in the log alone. */
import { MAX_JWT_CHARS } from '../access/sign-in/limits.ts'
import { signIn } from '../access/sign-in/sign-in.ts'
import { sha256, timingSafeEqual, utf8 } from '../core/bytes.ts'
import { AppError } from '../core/errors.ts'
import { IsolateCache } from '../core/isolate-cache.ts'
import { ADMIN_TOKEN_ID, type Principal, parseScopes, SCOPE_NAMES } from '../core/principal.ts'
import { DEFAULT_TENANT_ID } from '../store/store.ts'
import type { TenantStanding } from '../store/tenants.ts'
import { findTokenByHash, type HeldToken, hashToken, mustHaveToken, type TokenRow } from '../store/tokens.ts'
import type { Statement } from '../store/transaction.ts'
import { ACTIVE } from '../tenants/standing.ts'
import { mayUseAssertion } from './access-assertion.ts'
import { noteExpired, noteRefusedSignIn } from './authorize.ts'
import type { Route } from './define-route.ts'
import type { AppDependencies } from './dependencies.ts'
import type { RequestFacts } from './request-facts.ts'

/** Longer than any token of ours; keeps hashing cheap. */
const MAX_TOKEN_CHARS = 512

/** Who calls. */
export interface Caller {
  readonly principal: Principal
  /** Different for each secret that is accepted, and for what a JWT may do: what is kept for one caller is kept under it. */
  readonly credentialId: string
  /** How the caller's tenant stands: `serve.ts` refuses by it. */
  readonly tenant: TenantStanding
  /** Undoes a batch where the token is gone, or its tenant not active. None for the admin's token, which is a setting. */
  readonly preconditions: readonly Statement[]
}

/** Throws `unauthorized`, its message for the log. */
export async function authenticate(deps: AppDependencies, route: Route, facts: RequestFacts): Promise<Caller> {
  const assertion = facts.headers.get(ACCESS_ASSERTION)
  if (assertion !== null && !facts.headers.has('authorization')) {
    if (!mayUseAssertion(facts, deps.settings.publicUrl))
      throw new AppError('unauthorized', 'it came from another site')
    return signedIn(deps, route, facts, { text: assertion, isAccessAssertion: true })
  }
  const token = bearerToken(facts.headers.get('authorization'))
  if (await isAdminToken(deps.settings.adminToken, token)) return adminCaller(token)
  if (isJwt(token)) return signedIn(deps, route, facts, { text: token, isAccessAssertion: false })
  const row = await findTokenByHash(deps.store, await hashToken(token))
  // Nothing is written for a tenant that is being deleted.
  if (row !== null && row.tenant.status !== 'deleting' && hasExpired(row, deps.now()))
    await noteExpired({ deps, route, facts, principal: principalOf(row) })
  return callerOf(deps, row)
}

/**
 * The caller by what the isolate remembers of the token, for routes that store what they do with `preconditions` in the batch: a token
 * that is gone then stores nothing. Nothing but success may be answered by it: see `serve.ts`.
 */
export async function authenticateRemembered(deps: AppDependencies, headers: Headers): Promise<Caller> {
  const token = bearerToken(headers.get('authorization'))
  if (await isAdminToken(deps.settings.adminToken, token)) return adminCaller(token)
  // None of ours, so not among what is remembered: `authenticate` reads it, once.
  if (isJwt(token)) throw new AppError('unauthorized', 'a token that signs in is not remembered')
  const hash = await hashToken(token)
  return callerOf(deps, await remembered.get(deps.store, hash, false, () => findTokenByHash(deps.store, hash)))
}

const remembered = new IsolateCache<HeldToken>()

const ADMIN: Principal = {
  tenantId: DEFAULT_TENANT_ID,
  tokenId: ADMIN_TOKEN_ID,
  scopes: SCOPE_NAMES,
  paths: null,
  expiresAtMs: null,
}

/** Enough of a digest to tell one setting from the one before it. */
const FINGERPRINT_CHARS = 16

/** Its tenant, the default one, can be neither suspended nor deleted. The journal knows one admin, but the answers kept for one value of the setting are not given to a caller with another. */
async function adminCaller(token: string): Promise<Caller> {
  const fingerprint = (await hashToken(token)).slice(0, FINGERPRINT_CHARS)
  return { principal: ADMIN, credentialId: `${ADMIN_TOKEN_ID}.${fingerprint}`, tenant: ACTIVE, preconditions: [] }
}

/** What Cloudflare Access sets on requests that it has let through (developers.cloudflare.com/cloudflare-one, "Validate JWTs"). */
const ACCESS_ASSERTION = 'cf-access-jwt-assertion'

/** Tokens of ours have no dot. */
const isJwt = (token: string): boolean => token.includes('.')

/** The same subject is the same caller, whichever of its tokens it sends, while they may do the same. */
async function signedIn(
  deps: AppDependencies,
  route: Route,
  facts: RequestFacts,
  token: { readonly text: string; readonly isAccessAssertion: boolean },
): Promise<Caller> {
  const presented = { ...token, tenantHeader: facts.headers.get('certwright-tenant') }
  const outcome = await signIn(deps, presented)
  if (outcome.ok) return outcome.value
  const { known, reason } = outcome.error
  if (known !== null) await noteRefusedSignIn({ deps, route, facts }, known)
  throw new AppError('unauthorized', `sign-in: ${reason}`)
}

function callerOf(deps: AppDependencies, row: HeldToken | null): Caller {
  if (row === null) throw new AppError('unauthorized', 'no such token')
  if (hasExpired(row, deps.now())) throw new AppError('unauthorized', `the token ${row.id} has expired`)
  return {
    principal: principalOf(row),
    credentialId: row.id,
    tenant: row.tenant,
    preconditions: [mustHaveToken(deps.store, row)],
  }
}

const hasExpired = ({ expiresAtMs }: TokenRow, nowMs: number): boolean => expiresAtMs !== null && expiresAtMs <= nowMs

const principalOf = ({ tenantId, id: tokenId, scopes, paths, expiresAtMs }: TokenRow): Principal => ({
  tenantId,
  tokenId,
  scopes: parseScopes(scopes),
  paths,
  expiresAtMs,
})

/** RFC 6750 §2.1; the scheme in any case (RFC 9110 §11.1). */
function bearerToken(header: string | null): string {
  if (header === null) throw new AppError('unauthorized', 'no authorization header')
  const match = /^bearer +([\x21-\x7e]+) *$/i.exec(header)
  const token = match?.[1]
  const isToken = token !== undefined && token.length <= (isJwt(token) ? MAX_JWT_CHARS : MAX_TOKEN_CHARS)
  if (!isToken) throw new AppError('unauthorized', 'no bearer token')
  return token
}

/** Compared by digests of equal length, so that the time taken tells nothing about either. */
async function isAdminToken(adminToken: string | null, token: string): Promise<boolean> {
  if (adminToken === null) return false
  const [expected, presented] = await Promise.all([sha256(utf8(adminToken)), sha256(utf8(token))])
  return timingSafeEqual(expected, presented)
}
