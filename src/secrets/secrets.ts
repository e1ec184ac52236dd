/**
 * Secrets by path: writing, reading and deleting them for callers of the API. Journals every change and every read; no entry
 * holds data. What a setting reads by reference is in `store/secrets.ts`.
 */

import type { Actor } from '../core/actor.ts'
import type { Clock } from '../core/clock.ts'
import { AppError, missing } from '../core/errors.ts'
import { resourceName } from '../core/resources.ts'
import { mustBeUnreferenced, providersReferringTo } from '../store/dns-providers.ts'
import { entryBy, type JournalEntry } from '../store/journal.ts'
import { journalBefore } from '../store/journal-event.ts'
import {
  deleteSecret,
  findSecret,
  KEPT_VERSIONS,
  nextSecretRow,
  readSecretVersion,
  type SecretRow,
  type SecretVersion,
  type SecretWriting,
  UNREADABLE,
  writeSecretVersion,
} from '../store/secrets.ts'
import type { Store } from '../store/store.ts'

export interface SecretDependencies {
  readonly store: Store
  readonly now: Clock
}

/** Writes the next version. `isNew`: it is the first. Throws `conflict` where another request wrote or deleted the secret at the same time. */
export async function writeSecret(
  { store, now }: SecretDependencies,
  actor: Actor,
  secret: SecretWriting,
): Promise<{ readonly row: SecretRow; readonly isNew: boolean }> {
  const before = await findSecret(store, actor.tenantId, secret.path)
  const row = nextSecretRow(actor.tenantId, secret, before, now())
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: await writeSecretVersion(store, row, secret.data, before),
    entries: [secretEntry('secret.written', actor, secret.path, row.version)],
  })
  // Also `exists`: another request wrote the first version since.
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'The secret was changed at the same time: read it and decide again')
  }
  return { row, isNew: before === null }
}

/** A version with its data, the current one where `version` is null. Journals that before the data leaves. Throws `not_found`. */
export async function readSecret(
  { store }: SecretDependencies,
  actor: Actor,
  path: string,
  version: number | null,
): Promise<SecretVersion> {
  const opened = await readSecretVersion(store, actor.tenantId, path, version)
  if (opened === null) throw await notThere(store, actor.tenantId, path, version)
  if (opened === 'unreadable') throw new AppError('conflict', `The data of ${resourceName.secret(path)} ${UNREADABLE}`)
  await journalBefore(store, actor, {
    event: 'secret.read',
    resource: resourceName.secret(path),
    detail: { version: opened.version },
  })
  return opened
}

/** The secret is not there, or that version of it: never written, or no longer kept. */
async function notThere(store: Store, tenantId: string, path: string, version: number | null): Promise<AppError> {
  const row = version === null ? null : await findSecret(store, tenantId, path)
  if (row === null) return missing(resourceName.secret(path))
  const kept = `the current one is ${row.version}, and the last ${KEPT_VERSIONS} are kept`
  return new AppError('not_found', `There is no version ${version} of secret ${path}: ${kept}`)
}

/**
 * Deletes a secret with all its versions. `sees`: may the caller know of that resource? Throws `not_found`, and `conflict` where a DNS provider
 * refers to the secret.
 */
export async function removeSecret(
  { store }: SecretDependencies,
  actor: Actor,
  path: string,
  sees: (resource: string) => boolean,
): Promise<void> {
  const row = await findSecret(store, actor.tenantId, path)
  if (row === null) throw missing(resourceName.secret(path))
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [mustBeUnreferenced(store, actor.tenantId, path), ...deleteSecret(store, row)],
    entries: [secretEntry('secret.deleted', actor, path, row.version)],
  })
  if (outcome.kind === 'committed') return
  const referring = await providersReferringTo(store, actor.tenantId, path)
  if (referring.length > 0) throw stillReferred(path, referring, sees)
  // Another request has deleted it since it was read: for this caller it is not there.
  throw missing(resourceName.secret(path))
}

/** Names the providers that the caller sees. */
function stillReferred(
  path: string,
  referring: readonly { readonly id: string; readonly name: string }[],
  sees: (resource: string) => boolean,
): AppError {
  const named = referring
    .filter(({ id }) => sees(resourceName.dnsProvider(id)))
    .map(({ id, name }) => `${name} (${id})`)
  const who = named.length === 0 ? 'a DNS provider' : `the DNS provider ${named.join(', ')}`
  const advice = 'change its settings, or delete it, before the secret'
  return new AppError('conflict', `The secret ${path} is in use by ${who}: ${advice}`)
}

function secretEntry(
  event: 'secret.written' | 'secret.deleted',
  actor: Actor,
  path: string,
  version: number,
): JournalEntry {
  return entryBy(actor, { event, resource: resourceName.secret(path), detail: { version } })
}
