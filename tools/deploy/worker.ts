/** The Worker as it is at Cloudflare: its secrets, its variables, its address, and which version of it is deployed. Reads only. */
import { z } from 'zod'
import { checkPublicAddress } from '../../src/core/public-address.ts'
import type { ApiRefusal, CloudflareApi } from './cloudflare-api.ts'
import { DeployError } from './deploy-error.ts'
import { orNull } from './resources.ts'

export interface DeployedWorker {
  /** Names. */
  readonly secrets: ReadonlySet<string>
  /** Null where it has none that it may have. */
  readonly publicUrl: string | null
  readonly allowsPrivateTargets: boolean
  /** The tag of the version that all requests go to; null where there are several, or it has none. */
  readonly tag: string | null
}

/** `text` is a string where the type is `plain_text`. */
const binding = z.object({ type: z.string(), name: z.string(), text: z.unknown().optional() })
const settingsSchema = z.object({ bindings: z.array(binding).nullish() })
const deploymentsSchema = z.object({
  deployments: z.array(z.object({ versions: z.array(z.object({ version_id: z.string().regex(/^[\w-]+$/) })) })),
})
const versionSchema = z.object({ annotations: z.object({ 'workers/tag': z.string().nullish() }).nullish() })

/** Null where there is no Worker of that name yet. */
export async function findWorker(api: CloudflareApi, account: string, name: string): Promise<DeployedWorker | null> {
  const path = `/accounts/${account}/workers/scripts/${name}`
  const secrets = await orNull(() => api.call('GET', `${path}/secrets`, z.array(z.object({ name: z.string() }))))
  if (secrets === null) return null
  const { bindings } = await api.call('GET', `${path}/settings`, settingsSchema)
  const { deployments } = await api.call('GET', `${path}/deployments`, deploymentsSchema)
  const versions = deployments[0]?.versions ?? []
  const [version] = versions
  const deployed =
    version === undefined || versions.length > 1
      ? null
      : await api.call('GET', `${path}/versions/${version.version_id}`, versionSchema)
  const variable = (wanted: string) => {
    const text = bindings?.find((each) => each.type === 'plain_text' && each.name === wanted)?.text
    return typeof text === 'string' ? text : undefined
  }
  const allowsPrivateTargets = variable('ALLOW_PRIVATE_TARGETS') === 'true'
  const publicUrl = variable('PUBLIC_URL') ?? ''
  return {
    secrets: new Set(secrets.map((each) => each.name)),
    publicUrl: checkPublicAddress(publicUrl, allowsPrivateTargets).ok ? publicUrl : null,
    allowsPrivateTargets,
    tag: deployed?.annotations?.['workers/tag'] ?? null,
  }
}

/** An account has a name below workers.dev from the first Worker on, if somebody has chosen one. */
const NO_SUBDOMAIN = 10_007

/** `https://certwright.example.workers.dev` */
export async function workersDevAddress(api: CloudflareApi, account: string, name: string): Promise<string> {
  const noSubdomain = (refused: ApiRefusal) => refused.codes.includes(NO_SUBDOMAIN)
  const found = await orNull(
    () =>
      api.call('GET', `/accounts/${account}/workers/subdomain`, z.object({ subdomain: z.string().regex(/^[\w-]+$/) })),
    noSubdomain,
  )
  if (found === null) {
    throw new DeployError(
      `The account has no workers.dev subdomain yet: choose one at https://dash.cloudflare.com/${account}/workers/onboarding, once`,
    )
  }
  return `https://${name}.${found.subdomain}.workers.dev`
}

/** What Cloudflare calls an account: it goes into paths. */
export const ACCOUNT_ID = /^[0-9a-f]{32}$/i

/** The account of the token, where it is for one. */
export async function findAccount(api: CloudflareApi): Promise<string> {
  const accounts = await api.list('/accounts', z.object({ id: z.string().regex(ACCOUNT_ID), name: z.string() }))
  const [first, second] = accounts
  if (first === undefined) {
    throw new DeployError('Cloudflare names no account for this token: set CLOUDFLARE_ACCOUNT_ID')
  }
  if (second !== undefined) {
    const names = accounts.map(({ id, name }) => `  ${id}  ${name}`).join('\n')
    throw new DeployError(`The token is for several accounts: set CLOUDFLARE_ACCOUNT_ID to one of these:\n${names}`)
  }
  return first.id
}
