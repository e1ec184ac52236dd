/** Roles: what may be issued by which CA. Does not know what a policy means. */
import { and, desc, eq, getTableColumns, lt, sql } from 'drizzle-orm'
import { AFTER_EVERY_ID, type Page } from './page.ts'
import { roles } from './schema/authority.ts'
import { isOpen, StatementTemplate } from './statement-template.ts'
import type { Store } from './store.ts'
import { type Decoded, decodedPage, decodedRow } from './stored-json.ts'
import { mustChange, precondition, type Statement } from './transaction.ts'

export type RoleRow = Decoded<typeof roles.$inferSelect>

/** A role as it was read, with the text of its policy: a batch can require that it is still the same. */
export interface StoredRole extends RoleRow {
  readonly policyText: string
}

export async function findRole(store: Store, tenantId: string, name: string): Promise<StoredRole | null> {
  const row = await store.db
    .select({ ...getTableColumns(roles), policyText: sql<string>`${roles.policy}` })
    .from(roles)
    .where(isRole({ tenantId, name }))
    .get()
  return row === undefined ? null : decodedRow(roles, name, row)
}

/** What the journal says of a role: no JSON, which may not decode. */
export type RoleSummary = Pick<RoleRow, 'name' | 'caId' | 'version'>

export async function findRoleSummary(store: Store, tenantId: string, name: string): Promise<RoleSummary | null> {
  const { caId, version } = roles
  const row = await store.db
    .select({ name: roles.name, caId, version })
    .from(roles)
    .where(isRole({ tenantId, name }))
    .get()
  return row ?? null
}

/** By name, from the end of the alphabet: the key is the name. */
export function listRoles(store: Store, tenantId: string, page: Page): Promise<RoleRow[]> {
  return decodedPage(roles, page, ({ before, limit }) =>
    store.db
      .select()
      .from(roles)
      .where(and(eq(roles.tenantId, tenantId), lt(roles.name, before ?? AFTER_EVERY_ID)))
      .orderBy(desc(roles.name))
      .limit(limit)
      .all(),
  )
}

export function insertRole(store: Store, row: RoleRow): Statement {
  return mustChange(store.db.insert(roles).values(row))
}

/** Replaces a role that still is of `row.version - 1`. */
export function updateRole(store: Store, row: RoleRow): Statement {
  const { tenantId: _tenant, name: _name, ...values } = row
  return mustChange(
    store.db
      .update(roles)
      .set(values)
      .where(and(isRole(row), eq(roles.version, row.version - 1))),
  )
}

export function deleteRole(store: Store, tenantId: string, name: string): Statement {
  return mustChange(store.db.delete(roles).where(isRole({ tenantId, name })))
}

/** Undoes the batch where the role is not as it was read. A role that was deleted and made anew starts at version 1 again. */
export function mustHaveRole(store: Store, role: StoredRole): Statement {
  return precondition(unchangedRole.fill(store.db, role))
}

const unchangedRole = new StatementTemplate<StoredRole>((db) =>
  db
    .select({ name: roles.name })
    .from(roles)
    .where(
      and(
        isOpen(roles.tenantId, 'tenantId'),
        isOpen(roles.name, 'name'),
        isOpen(roles.version, 'version'),
        isOpen(roles.caId, 'caId'),
        eq(roles.policy, sql.param(sql.placeholder('policyText'))),
      ),
    ),
)

const isRole = ({ tenantId, name }: Pick<RoleRow, 'tenantId' | 'name'>) =>
  and(eq(roles.tenantId, tenantId), eq(roles.name, name))
