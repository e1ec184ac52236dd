/** API tokens. What is stored is the hash; the token itself is shown once and kept nowhere. */
import { and, desc, eq, getTableColumns, lt, sql } from 'drizzle-orm'
import { randomBytes, sha256, timingSafeEqual, toBase64Url, toHex, utf8 } from '../core/bytes.ts'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { tenants, tokens } from './schema/access.ts'
import { isOpen, StatementTemplate } from './statement-template.ts'
import type { Database, Store } from './store.ts'
import { type Decoded, decodedPage, decodedRow, isUndecodable, withNulls } from './stored-json.ts'
import { STANDING_COLUMNS, type TenantStanding } from './tenants.ts'
import { mustChange, precondition, type Statement } from './transaction.ts'

export type TokenRow = Decoded<typeof tokens.$inferSelect>

const TOKEN_PREFIX = 'cw_'
const TOKEN_BYTES = 32

/** A new token: 256 random bits. */
export function newToken(): string {
  return TOKEN_PREFIX + toBase64Url(randomBytes(TOKEN_BYTES))
}

/** SHA-256 in hex. A token has 256 random bits, so there is nothing to guess and nothing to slow down. */
export async function hashToken(token: string): Promise<string> {
  return toHex(await sha256(utf8(token)))
}

/** A token with the standing of its tenant. */
export type HeldToken = TokenRow & { readonly tenant: TenantStanding }

/** The token with that hash, in whatever tenant, and how that tenant stands. Does not judge either. */
export async function findTokenByHash(store: Store, tokenHash: string): Promise<HeldToken | null> {
  const query = tokenQueries.get(store.db) ?? prepareTokenQuery(store.db)
  const row = await query.get({ tokenHash })
  if (row === undefined || !timingSafeEqual(utf8(row.token.tokenHash), utf8(tokenHash))) return null
  return { ...decodedRow(tokens, row.token.id, row.token), tenant: row.tenant }
}

/** Every request asks this: the SQL is built once, the table is read each time. */
const tokenQueries = new WeakMap<Database, ReturnType<typeof prepareTokenQuery>>()

function prepareTokenQuery(db: Database) {
  const query = db
    .select({ token: getTableColumns(tokens), tenant: STANDING_COLUMNS })
    .from(tokens)
    .innerJoin(tenants, eq(tenants.id, tokens.tenantId))
    .where(eq(tokens.tokenHash, sql.placeholder('tokenHash')))
    .prepare()
  tokenQueries.set(db, query)
  return query
}

/** Undoes the batch where the token is gone, or its tenant not active. Tokens are never changed, only made and deleted. */
export function mustHaveToken(store: Store, token: Pick<TokenRow, 'tokenHash'>): Statement {
  return precondition(standingToken.fill(store.db, token))
}

const standingToken = new StatementTemplate<Pick<TokenRow, 'tokenHash'>>((db) =>
  db
    .select({ id: tokens.id })
    .from(tokens)
    .innerJoin(tenants, eq(tenants.id, tokens.tenantId))
    .where(and(isOpen(tokens.tokenHash, 'tokenHash'), eq(tenants.status, 'active'))),
)

export async function findToken(store: Store, tenantId: string, id: string): Promise<TokenRow | null> {
  const row = await store.db
    .select()
    .from(tokens)
    .where(and(eq(tokens.tenantId, tenantId), eq(tokens.id, id)))
    .get()
  return row === undefined ? null : decodedRow(tokens, row.id, row)
}

/** What the journal says of a token; `undecodable` where that does not decode (null is a token without limits): it is deleted all the same. */
export type TokenSummary = Pick<TokenRow, 'tenantId' | 'id' | 'name'> & {
  readonly [Name in 'scopes' | 'paths']: TokenRow[Name] | 'undecodable'
}

export async function findTokenSummary(store: Store, tenantId: string, id: string): Promise<TokenSummary | null> {
  const { name, scopes, paths } = tokens
  const row = await store.db
    .select({ tenantId: tokens.tenantId, id: tokens.id, name, scopes, paths })
    .from(tokens)
    .where(and(eq(tokens.tenantId, tenantId), eq(tokens.id, id)))
    .get()
  if (row === undefined) return null
  return {
    ...withNulls(tokens, row),
    ...(isUndecodable(row.scopes) ? { scopes: 'undecodable' } : { scopes: row.scopes }),
    ...(isUndecodable(row.paths) ? { paths: 'undecodable' } : { paths: row.paths }),
  }
}

export function listTokens(store: Store, tenantId: string, page: Page): Promise<TokenRow[]> {
  return decodedPage(tokens, page, ({ before, limit }) =>
    store.db
      .select()
      .from(tokens)
      .where(and(eq(tokens.tenantId, tenantId), lt(tokens.id, before ?? AFTER_EVERY_ID)))
      .orderBy(desc(tokens.id))
      .limit(limit)
      .all(),
  )
}

export function insertToken(store: Store, row: TokenRow): Statement {
  return mustChange(store.db.insert(tokens).values(row))
}

/** Two that delete at once: one of them changes nothing, which is a conflict. */
export function deleteToken(store: Store, tenantId: string, id: string): Statement {
  return mustChange(store.db.delete(tokens).where(and(eq(tokens.tenantId, tenantId), eq(tokens.id, id))))
}
