/** API tokens: making, reading and deleting them. Who calls is found out in `http/authenticate.ts`. */

import type { Actor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import { AppError, missing } from '../core/errors.ts'
import { newId } from '../core/ids.ts'
import { hasScope, type Principal, type Scope } from '../core/principal.ts'
import { resourceName } from '../core/resources.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import type { Page } from '../store/page.ts'
import type { Store } from '../store/store.ts'
import { findStanding, hasTokens, mustHaveNoToken, tenantExists } from '../store/tenants.ts'
import {
  deleteToken,
  findToken,
  findTokenSummary,
  hashToken,
  insertToken,
  listTokens as listTokenRows,
  newToken,
  type TokenRow,
  type TokenSummary,
} from '../store/tokens.ts'
import { type Alongside, nothingElse } from '../store/transaction.ts'
import { grantedExpiry, grantedPaths, grantedScopes } from './grants.ts'

export interface AccessDependencies {
  readonly store: Store
  readonly now: Clock
}

export interface TokenRequest {
  /** Null: the maker's own. */
  readonly tenantId: string | null
  readonly name: string
  readonly scopes: readonly Scope[]
  /** Globs; null: the maker's own. */
  readonly paths: readonly string[] | null
  /** Epoch milliseconds; null: with the maker. */
  readonly expiresAtMs: number | null
}

export interface MadeToken {
  readonly row: TokenRow
  /** The secret: kept nowhere, so it is shown now or never. */
  readonly token: string
}

/**
 * Makes a token for the maker's tenant, or for another one where the maker is an operator, who gives the first token of a tenant any scope
 * but `operator`. Throws AppError for what the maker cannot give.
 */
export async function makeToken(
  { store, now }: AccessDependencies,
  actor: Actor,
  maker: Principal,
  request: TokenRequest,
  alongside: Alongside<MadeToken> = nothingElse,
): Promise<MadeToken> {
  const nowMs = now()
  const tenantId = await tenantOf(store, maker, request.tenantId)
  const isForAnother = tenantId !== maker.tenantId
  if (isForAnother) await refuseDeleting(store, tenantId)
  const isFirst = isForAnother && !(await hasTokens(store, tenantId))
  const token = newToken()
  const row: TokenRow = {
    tenantId,
    id: newId('token', nowMs),
    name: request.name,
    tokenHash: await hashToken(token),
    scopes: grantedScopes(maker, request.scopes, tenantId, { isFirst }),
    paths: grantedPaths(maker, request.paths),
    expiresAtMs: grantedExpiry(maker, request.expiresAtMs, nowMs),
    createdBy: maker.tokenId,
    createdAtMs: nowMs,
  }
  const made = { row, token }
  const outcome = await store.commit({
    tenantId,
    statements: [
      ...(isFirst ? [mustHaveNoToken(store, tenantId)] : []),
      insertToken(store, row),
      ...(await alongside(made)),
    ],
    entries: [tokenEntry('token.created', row, actor)],
  })
  if (outcome.kind !== 'committed') throw new AppError('conflict', 'The token could not be made: try again')
  return made
}

/** A page of a tenant's tokens, newest first. `tenantId` null: the caller's own. Throws `not_found` for a tenant that the caller does not see. */
export async function listTokens(
  { store }: AccessDependencies,
  caller: Principal,
  tenantId: string | null,
  page: Page,
): Promise<readonly TokenRow[]> {
  return listTokenRows(store, await tenantOf(store, caller, tenantId), page)
}

/** Throws `not_found`. */
export async function readToken(
  { store }: AccessDependencies,
  caller: Principal,
  tenantId: string | null,
  id: string,
): Promise<TokenRow> {
  const row = await findToken(store, await tenantOf(store, caller, tenantId), id)
  if (row === null) throw missing(resourceName.token(id))
  return row
}

/** Deletes a token: it is refused from the next request on. The tokens that it has made stay. Throws `not_found`. */
export async function removeToken(
  dependencies: AccessDependencies,
  actor: Actor,
  caller: Principal,
  tenantId: string | null,
  id: string,
): Promise<void> {
  const { store } = dependencies
  const row = await findTokenSummary(store, await tenantOf(store, caller, tenantId), id)
  if (row === null) throw missing(resourceName.token(id))
  const outcome = await store.commit({
    tenantId: row.tenantId,
    statements: [deleteToken(store, row.tenantId, row.id)],
    entries: [tokenEntry('token.deleted', row, actor)],
  })
  // Another request has deleted it since it was read: for this caller it is not there.
  if (outcome.kind !== 'committed') throw missing(resourceName.token(id))
}

async function refuseDeleting(store: Store, tenantId: string): Promise<void> {
  if ((await findStanding(store, tenantId))?.status !== 'deleting') return
  throw new AppError('conflict', 'The tenant is being deleted: take that back first (PATCH /v1/tenants/{id})')
}

/** The tenant that is meant: the caller's own, or for operators any. To a caller without `operator`, other tenants do not exist. */
async function tenantOf(store: Store, caller: Principal, tenantId: string | null): Promise<string> {
  if (tenantId === null || tenantId === caller.tenantId) return caller.tenantId
  if (!hasScope(caller, 'operator') || !(await tenantExists(store, tenantId)))
    throw missing(resourceName.tenant(tenantId))
  return tenantId
}

function tokenEntry(event: 'token.created' | 'token.deleted', row: TokenSummary, actor: Actor): JournalEntry {
  const { name, scopes, paths } = row
  return entryBy(actor, { event, resource: resourceName.token(row.id), detail: { name, scopes, paths } })
}
