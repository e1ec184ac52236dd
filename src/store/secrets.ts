/**
 * Secrets by path, each with its last versions, sealed. A version is written by compare-and-set: of two writers at once
 * one gets a conflict. Reading by reference is here too: settings of DNS providers name secrets.
 */

import { and, asc, desc, eq, gt, gte, lt, lte } from 'drizzle-orm'
import { z } from 'zod'
import type { Json } from '../core/canonical-json.ts'
import { logFault } from '../core/log.ts'
import { resourceName } from '../core/resources.ts'
import { err, ok, type Result } from '../core/result.ts'
import { openText, type SealPlace, sealText } from './key-ring.ts'
import { secrets, secretVersions } from './schema/dns.ts'
import type { Store } from './store.ts'
import { decodeJson, Undecodable } from './stored-json.ts'
import { mustChange, type Statement, statement } from './transaction.ts'

export type SecretRow = typeof secrets.$inferSelect
export type SecretData = Readonly<Record<string, Json>>

/** Any object, and taken as it is: its members have whatever names their owner gave them. */
const secretDataSchema = z.custom<SecretData>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
)

export interface SecretVersion {
  readonly secret: SecretRow
  readonly version: number
  readonly data: SecretData
  readonly createdAtMs: number
}

/** Versions that are kept, the current one among them. */
export const KEPT_VERSIONS = 10
export const MAX_SECRET_PATH_CHARS = 512
/** Sorts above every character that a path has. */
const AFTER_EVERY_CHAR = '~'

/** Is this a path of a secret? Segments of `a-zA-Z0-9._-`, none of them empty, `.` or `..`. */
export function isSecretPath(text: string): boolean {
  if (text.length > MAX_SECRET_PATH_CHARS || !/^[a-zA-Z0-9._\-/]+$/.test(text)) return false
  return text.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}

export async function findSecret(store: Store, tenantId: string, path: string): Promise<SecretRow | null> {
  const row = await store.db
    .select()
    .from(secrets)
    .where(and(eq(secrets.tenantId, tenantId), eq(secrets.path, path)))
    .get()
  return row ?? null
}

/** Secrets whose path begins with the prefix, by path: a range of the primary key. */
export function listSecrets(
  store: Store,
  tenantId: string,
  prefix: string,
  page: { readonly after: string | null; readonly limit: number },
): Promise<SecretRow[]> {
  return store.db
    .select()
    .from(secrets)
    .where(
      and(
        eq(secrets.tenantId, tenantId),
        page.after === null ? gte(secrets.path, prefix) : gt(secrets.path, page.after),
        lt(secrets.path, prefix + AFTER_EVERY_CHAR),
      ),
    )
    .orderBy(asc(secrets.path))
    .limit(page.limit)
    .all()
}

/** What a secret's next version is made of. */
export interface SecretWriting {
  readonly path: string
  readonly secretType: string
  readonly data: SecretData
}

/** The row of the next version. `before` is what was read: null where the secret is new. */
export function nextSecretRow(
  tenantId: string,
  { path, secretType }: SecretWriting,
  before: SecretRow | null,
  nowMs: number,
): SecretRow {
  const version = (before?.version ?? 0) + 1
  return { tenantId, path, secretType, version, createdAtMs: before?.createdAtMs ?? nowMs, updatedAtMs: nowMs }
}

/** Writes a row and the data of its version, and leaves out versions that are no longer kept. A conflict where the secret is not as `before` says. */
export async function writeSecretVersion(
  store: Store,
  row: SecretRow,
  data: SecretData,
  before: SecretRow | null,
): Promise<readonly Statement[]> {
  const { tenantId, path, version, updatedAtMs: createdAtMs } = row
  const sealedData = await sealText(store.ring, placeOf(row, version), JSON.stringify(data))
  return [
    before === null ? mustChange(store.db.insert(secrets).values(row)) : replaceRow(store, row, before),
    mustChange(store.db.insert(secretVersions).values({ tenantId, path, version, sealedData, createdAtMs })),
    statement(
      store.db
        .delete(secretVersions)
        .where(and(isVersionOf(row), lte(secretVersions.version, version - KEPT_VERSIONS))),
    ),
  ]
}

function replaceRow(store: Store, { secretType, version, updatedAtMs }: SecretRow, before: SecretRow): Statement {
  return mustChange(
    store.db
      .update(secrets)
      .set({ secretType, version, updatedAtMs })
      .where(
        and(eq(secrets.tenantId, before.tenantId), eq(secrets.path, before.path), eq(secrets.version, before.version)),
      ),
  )
}

/** Deletes a secret with all its versions. A conflict where it is gone. */
export function deleteSecret(store: Store, row: Pick<SecretRow, 'tenantId' | 'path'>): readonly Statement[] {
  const remove = store.db.delete(secrets).where(and(eq(secrets.tenantId, row.tenantId), eq(secrets.path, row.path)))
  return [mustChange(remove), statement(store.db.delete(secretVersions).where(isVersionOf(row)))]
}

/**
 * The text that a `…_path` setting refers to: `path#field`; without a field the one of the setting's own name, else
 * `value`, else the only one. Looked up each time it is used, so that a rotated secret takes effect at once. The error
 * is a sentence for the caller, without data. `onRead` is told which version was opened.
 */
export async function readSecretField(
  store: Store,
  tenantId: string,
  reference: string,
  settingName: string,
  onRead: (secret: { readonly path: string; readonly version: number }) => void = () => undefined,
): Promise<Result<string, string>> {
  const [path = '', field, ...rest] = reference.split('#')
  if (!isSecretPath(path) || field === '' || rest.length > 0) return err('a reference is a path, or path#field')
  const opened = await readSecretVersion(store, tenantId, path, null)
  if (opened === null) return err(`there is no secret ${path}`)
  if (opened === 'unreadable') return err(`the secret ${path} ${UNREADABLE}`)
  onRead({ path, version: opened.version })
  const name = field ?? fieldFor(opened.data, settingName)
  if (name === null)
    return err(`the secret ${path} has several fields, none called ${settingName} or value: add #field`)
  const value = Object.hasOwn(opened.data, name) ? opened.data[name] : undefined
  if (value === undefined || value === null) return err(`the secret ${path} has no field ${name}`)
  // A service account may be stored as the object that it is.
  return ok(typeof value === 'string' ? value : JSON.stringify(value))
}

function fieldFor(data: SecretData, settingName: string): string | null {
  const names = Object.keys(data)
  const own = [settingName, 'value'].find((name) => names.includes(name))
  if (own !== undefined) return own
  return names.length === 1 ? (names[0] ?? null) : null
}

/** A version with its data, the current one where `version` is null; null where there is none, `unreadable` where no key of the ring opens it. */
export async function readSecretVersion(
  store: Store,
  tenantId: string,
  path: string,
  version: number | null,
): Promise<SecretVersion | 'unreadable' | null> {
  // Secret and version in one statement: between two, a writer could remove the version that the first one named.
  const row = await store.db
    .select({ secret: secrets, stored: secretVersions })
    .from(secrets)
    .innerJoin(
      secretVersions,
      and(eq(secretVersions.tenantId, secrets.tenantId), eq(secretVersions.path, secrets.path)),
    )
    .where(
      and(
        eq(secrets.tenantId, tenantId),
        eq(secrets.path, path),
        version === null ? eq(secretVersions.version, secrets.version) : eq(secretVersions.version, version),
      ),
    )
    .orderBy(desc(secretVersions.version))
    .get()
  if (row === undefined) return null
  const { secret, stored } = row
  try {
    const text = await openText(store.ring, placeOf(secret, stored.version), stored.sealedData)
    const data = decodeJson('sealed_data', secretDataSchema, text)
    if (data instanceof Undecodable) throw new Error(`${data.field} is not what this release can read`)
    return { secret, version: stored.version, data, createdAtMs: stored.createdAtMs }
  } catch (fault) {
    logFault(`${resourceName.secret(path)}, version ${stored.version}`, fault)
    return 'unreadable'
  }
}

/** How messages go on after naming the secret. */
export const UNREADABLE = 'cannot be opened with the key ring of this deployment: write it again'

function isVersionOf(row: Pick<SecretRow, 'tenantId' | 'path'>) {
  return and(eq(secretVersions.tenantId, row.tenantId), eq(secretVersions.path, row.path))
}

function placeOf(row: Pick<SecretRow, 'tenantId' | 'path'>, version: number): SealPlace {
  return { tenantId: row.tenantId, column: 'secret_versions.sealed_data', row: `${row.path}/${version}` }
}
