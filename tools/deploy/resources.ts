/** The database, the bucket and the queues at Cloudflare: found by name, made where they are missing. Removes nothing. */
import { z } from 'zod'
import { ApiRefusal, type CloudflareApi } from './cloudflare-api.ts'
import { DeployError } from './deploy-error.ts'
import type { Target } from './target.ts'

const databaseRow = z.object({ uuid: z.string().regex(/^[\w-]+$/), name: z.string() })

/** The database's id; null where there is none of that name. */
export async function findDatabase(api: CloudflareApi, account: string, target: Target): Promise<string | null> {
  const { id, name } = target.database
  if (id !== null) {
    const found = await orNull(() => api.call('GET', `/accounts/${account}/d1/database/${id}`, databaseRow))
    if (found === null) {
      throw new DeployError(`wrangler.toml names the database ${id}, which this account does not have: remove the line`)
    }
    return found.uuid
  }
  // The filter finds parts of names, too.
  const rows = await api.list(`/accounts/${account}/d1/database`, databaseRow, { name })
  return rows.find((row) => row.name === name)?.uuid ?? null
}

export async function makeDatabase(api: CloudflareApi, account: string, target: Target): Promise<string> {
  const { name } = target.database
  const made = await orNull(() => api.call('POST', `/accounts/${account}/d1/database`, databaseRow, { name }), isTaken)
  const id = made?.uuid ?? (await findDatabase(api, account, target))
  if (id === null) throw new DeployError(`the database ${name} can neither be made nor found`)
  return id
}

export async function hasBucket(api: CloudflareApi, account: string, name: string): Promise<boolean> {
  return (await orNull(() => api.call('GET', `/accounts/${account}/r2/buckets/${name}`, z.unknown()))) !== null
}

export async function makeBucket(api: CloudflareApi, account: string, name: string): Promise<void> {
  await orNull(() => api.call('POST', `/accounts/${account}/r2/buckets`, z.unknown(), { name }), isTaken)
}

const queueRow = z.object({ queue_name: z.string() })

/** Those of the names that no queue has. */
export async function findMissingQueues(api: CloudflareApi, account: string, target: Target): Promise<string[]> {
  if (target.queueNames.length === 0) return []
  const rows = await api.list(`/accounts/${account}/queues`, queueRow)
  return target.queueNames.filter((name) => !rows.some((row) => row.queue_name === name))
}

export async function makeQueue(api: CloudflareApi, account: string, name: string): Promise<void> {
  await orNull(() => api.call('POST', `/accounts/${account}/queues`, z.unknown(), { queue_name: name }), isTaken)
}

/** Two deployments may make the same at the same time: the second is told that the name is taken. */
const NAME_TAKEN = new Set([
  7502, // D1
  10_004, // R2
  11_009, // Queues
])

const isTaken = (refused: ApiRefusal): boolean => refused.codes.some((code) => NAME_TAKEN.has(code))
const isMissing = (refused: ApiRefusal): boolean => refused.status === 404

/** Null where Cloudflare refuses for a reason that `isExpected` knows: by default that there is no such thing. */
export async function orNull<Result>(
  ask: () => Promise<Result>,
  isExpected: (refused: ApiRefusal) => boolean = isMissing,
): Promise<Result | null> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ApiRefusal && isExpected(error)) return null
    throw error
  }
}
