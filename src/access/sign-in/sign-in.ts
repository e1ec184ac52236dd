/**
 * From a token of an issuer that a tenant trusts to a principal. Nothing is stored but the `jti` of tokens that sign in once. Every
 * refusal is the same to the caller; the reason is for the log, and for the tenant's journal where the signature shows whose token it is.
 */
import { compactVerify, importJWK } from 'jose'
import { sha256, toHex, utf8 } from '../../core/bytes.ts'
import { canonicalJson } from '../../core/canonical-json.ts'
import type { Claims } from '../../core/claims.ts'
import { type Clock, systemSleep } from '../../core/clock.ts'
import type { HttpClient } from '../../core/http-client.ts'
import { isId } from '../../core/ids.ts'
import type { Principal } from '../../core/principal.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { findSignInIssuerFor, mustHaveSignInIssuer, type SignInIssuerRow } from '../../store/sign-in-issuers.ts'
import { useSignIn } from '../../store/sign-in-once.ts'
import type { PublicJwk } from '../../store/sign-in-settings.ts'
import { DEFAULT_TENANT_ID, type Store } from '../../store/store.ts'
import { findStanding, mustBeActive, type TenantStanding } from '../../store/tenants.ts'
import type { Statement } from '../../store/transaction.ts'
import { audienceOf, checkClaims, isOfIssuer, issuerOf } from './check-claims.ts'
import { fetchKeys } from './fetch-keys.ts'
import { KeySets, keysFor } from './key-sets.ts'
import { MAX_TOLERANCE_SECONDS } from './limits.ts'
import { type Granted, grantsOf } from './mappings.ts'
import { readJwt, type UnverifiedJwt } from './read-jwt.ts'

export interface SignInDependencies {
  readonly store: Store
  readonly now: Clock
  readonly http: HttpClient
  readonly settings: { readonly publicUrl: string }
}

export interface PresentedJwt {
  readonly text: string
  /** The header `Certwright-Tenant`. */
  readonly tenantHeader: string | null
  /** Did it come in the header that Cloudflare Access sets? */
  readonly isAccessAssertion: boolean
}

export interface SignedIn {
  readonly principal: Principal
  /** The same for tokens of one subject that may do the same. */
  readonly credentialId: string
  readonly tenant: TenantStanding
  /** Undo a batch where the issuer was changed or deleted meanwhile, or the tenant is not active. */
  readonly preconditions: readonly Statement[]
}

interface Trusted {
  /** As it is for this request: what is changed or deleted holds at once. */
  readonly issuer: SignInIssuerRow
  readonly tenant: TenantStanding
}

export interface SignInRefusal {
  /** For the log; holds nothing of the token. */
  readonly reason: string
  /** Whose token it is, where its signature is the issuer's: for the tenant's journal. */
  readonly known: KnownRefusal | null
}

export interface KnownRefusal {
  readonly tenantId: string
  readonly issuerId: string
  /** As `Principal` has it. */
  readonly tokenId: string
  /** As the journal says it. */
  readonly reason: 'claims' | 'mapping' | 'replayed'
}

/** The audience that a tenant's callers ask their tokens for. */
export const audienceOfTenant = (publicUrl: string, tenantId: string): string => `${publicUrl}/${tenantId}`

export async function signIn(
  deps: SignInDependencies,
  presented: PresentedJwt,
): Promise<Result<SignedIn, SignInRefusal>> {
  const jwt = readJwt(presented.text)
  if (!jwt.ok) return refused(jwt.error)
  const trusted = await trustedIssuer(deps, presented, jwt.value)
  if (!trusted.ok) return refused(trusted.error)
  const verified = await verify(deps, trusted.value.issuer, jwt.value)
  if (!verified.ok) return refused(verified.error)
  return admit(deps, trusted.value, jwt.value)
}

const refused = (reason: string): Result<never, SignInRefusal> => err({ reason, known: null })

/** The row of the tenant that the token is for, found by its unverified claims: the keys of that row verify them. */
async function trustedIssuer(
  { store, now, settings }: SignInDependencies,
  { tenantHeader, isAccessAssertion }: PresentedJwt,
  { claims, algorithm }: UnverifiedJwt,
): Promise<Result<Trusted, string>> {
  const audience = audienceOf(claims)
  const name = issuerOf(claims)
  if (audience === null) return err('aud is not one audience')
  if (name === null) return err('iss is missing')
  const own = ownTenant(settings.publicUrl, audience)
  const tenantId = own ?? tenantHeader ?? (isAccessAssertion ? DEFAULT_TENANT_ID : null)
  if (tenantId === null) return err('the audience is no tenant of ours, and no Certwright-Tenant names one')
  if (!isId('tenant', tenantId) || (tenantHeader !== null && tenantHeader !== tenantId))
    return err('Certwright-Tenant is another tenant than that of the audience, or none')
  const [row, tenant] = await Promise.all([findSignInIssuerFor(store, tenantId, name), findStanding(store, tenantId)])
  if (row === null || tenant === null) return err('the tenant does not trust the issuer')
  // Nothing is written for such a tenant.
  if (tenant.status === 'deleting') return err('the tenant is being deleted')
  if (row.settings.accessApplication !== isAccessAssertion)
    return err(`the issuer is ${isAccessAssertion ? 'not ' : ''}set to be that of an access application`)
  if (own === null && !row.settings.audiences.includes(audience)) return err('the audience is none of the issuer')
  if (row.expiresAtMs !== null && row.expiresAtMs <= now()) return err('the trust in the issuer has expired')
  if (!row.settings.algorithms.includes(algorithm)) return err('the algorithm is none of the issuer')
  return ok({ issuer: row, tenant })
}

/** The tenant of an audience that is ours; null where it is somebody else's name. */
function ownTenant(publicUrl: string, audience: string): string | null {
  if (publicUrl === '' || !audience.startsWith(`${publicUrl}/`)) return null
  const id = audience.slice(publicUrl.length + 1)
  return isId('tenant', id) ? id : null
}

/** By store, so that two of them, as in tests, do not share. */
const keySets = new WeakMap<Store, KeySets>()

async function verify(
  { store, now, http }: SignInDependencies,
  row: SignInIssuerRow,
  jwt: UnverifiedJwt,
): Promise<Result<void, string>> {
  const source = row.settings.keys
  const known = keySets.get(store) ?? new KeySets(now, systemSleep)
  keySets.set(store, known)
  const keys =
    source.from === 'inline'
      ? inlineKeys(source.keys, jwt)
      : await known.find(`${row.tenantId}/${row.id}/${row.version}`, jwt, () => fetchKeys(http, row.issuer, source))
  if (!keys.ok) return keys
  for (const key of keys.value) if (await isSignedBy(key, jwt)) return ok(undefined)
  return err('the signature is not that of the key')
}

function inlineKeys(keys: readonly PublicJwk[], jwt: UnverifiedJwt): Result<readonly PublicJwk[], string> {
  const fitting = keysFor(keys, jwt)
  return fitting.length === 0 ? err('no key of the issuer has that kid and fits the algorithm') : ok(fitting)
}

async function isSignedBy(key: PublicJwk, { text, algorithm }: UnverifiedJwt): Promise<boolean> {
  try {
    await compactVerify(text, await importJWK({ ...key }, algorithm), { algorithms: [algorithm] })
    return true
  } catch {
    // A signature that is none, or a key that is none: what the library says of it may quote the token.
    return false
  }
}

async function admit(
  { store, now }: SignInDependencies,
  { issuer: row, tenant }: Trusted,
  { claims }: UnverifiedJwt,
): Promise<Result<SignedIn, SignInRefusal>> {
  const { tenantId, settings } = row
  const checked = checkClaims(claims, settings, now())
  const subject = typeof claims.sub === 'string' ? claims.sub.toWellFormed() : ''
  const tokenId = await subjectId(row.id, subject)
  const refuse = (reason: string, known: KnownRefusal['reason']): Result<never, SignInRefusal> =>
    err({ reason: `${row.id}: ${reason}`, known: { tenantId, issuerId: row.id, tokenId, reason: known } })
  if (!checked.ok) return refuse(checked.error, 'claims')
  if (!isOfIssuer(row.issuer, subject)) return refuse('the subject is of another trust domain', 'claims')
  const granted = grantsOf(settings.mappings, claims)
  if (granted === null) return refuse('no mapping matches the claims', 'mapping')
  const { jti } = checked.value
  // By whatever tolerance the issuer may be given until then.
  const endMs = checked.value.expiresAtMs + MAX_TOLERANCE_SECONDS * 1_000
  if (jti !== null && !(await useSignIn(store, { tenantId, issuerId: row.id, jti, expiresAtMs: endMs })))
    return refuse('the token was used before', 'replayed')
  const identity = { issuerId: row.id, issuerName: row.name, issuer: row.issuer, subject, claims }
  const preconditions = [mustHaveSignInIssuer(store, row), mustBeActive(store, tenantId)]
  // The trust may end before the token does: what such a caller makes ends with it too.
  const expiresAtMs = Math.min(checked.value.expiresAtMs, row.expiresAtMs ?? Number.POSITIVE_INFINITY)
  const principal = { tenantId, tokenId, ...granted, expiresAtMs, identity }
  const credentialId = `${tokenId}~${await rightsDigest(row, granted, claims)}`
  return ok({ principal, credentialId, tenant, preconditions })
}

/**
 * Of all that decides what the caller may do. Numbers are left out: they fill nothing in, and most are the times of one token; what a mapping
 * makes of them is among what is granted.
 */
async function rightsDigest(
  { version }: SignInIssuerRow,
  { scopes, paths }: Granted,
  { jti: _jti, ...claims }: Claims,
): Promise<string> {
  const withoutNumbers = JSON.stringify(claims, (_, value: unknown) => (typeof value === 'number' ? undefined : value))
  const rights = canonicalJson({ version, scopes, paths, claims: JSON.parse(withoutNumbers) })
  return toHex(await sha256(utf8(rights))).slice(0, DIGEST_CHARS)
}

/** Longer subjects, and those with other characters, are cut and told apart by their digest. */
const PLAIN_SUBJECT = /^[\x21-\x7d]{1,160}$/
const MAX_PLAIN_CHARS = 96
const DIGEST_CHARS = 32

/**
 * Who signed in, as the journal names them: the same for each token of that subject, and for no other. The issuer stands there by its id, since
 * its name can be changed, and can be given to another one. A `~` stands before a digest alone.
 */
async function subjectId(issuerId: string, subject: string): Promise<string> {
  if (PLAIN_SUBJECT.test(subject)) return `oidc:${issuerId}:${subject}`
  const readable = subject.replace(/[^\x21-\x7d]/g, '_').slice(0, MAX_PLAIN_CHARS)
  return `oidc:${issuerId}:${readable}~${toHex(await sha256(utf8(subject))).slice(0, DIGEST_CHARS)}`
}
