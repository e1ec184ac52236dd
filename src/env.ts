/** Unchecked bindings → checked bindings, once per isolate, with a message that says how to set what is missing. */
import type { AccountObject } from './accounts/account-object.ts'
import type { CrlPublisherObject } from './authority/crl/publish-crl.ts'
import type { ZoneObject } from './challenges/zone-object.ts'
import type { WakeMessage } from './events/wake.ts'
import type { OrderObject } from './orders/order-object.ts'
import { type KeyRing, parseKeyRing } from './store/key-ring.ts'
import type { Ledger } from './store/ledger.ts'
import { type Plans, parsePlans } from './tenants/plans.ts'

/** What wrangler.toml and the Worker's secrets provide; nothing is believed before `checkEnv`. */
export interface Env {
  readonly DB: D1Database
  readonly CRLS: R2Bucket
  readonly EVENTS: Pick<Queue<WakeMessage>, 'sendBatch'>
  readonly TENANT_LEDGER: ObjectNamespace<Pick<Ledger, 'commit'>>
  readonly ACME_ACCOUNT: ObjectNamespace<AccountObject>
  readonly ACME_ORDER: ObjectNamespace<OrderObject>
  readonly CRL_PUBLISHER: ObjectNamespace<CrlPublisherObject>
  readonly DNS_ZONE: ObjectNamespace<ZoneObject>
  readonly KEY_RING?: string
  readonly ADMIN_TOKEN?: string
  readonly PUBLIC_URL?: string
  readonly ALLOW_PRIVATE_TARGETS?: string
  readonly DNS_RESOLVERS?: string
  readonly PLANS?: string
}

/** The objects of a class, by the methods that they offer: they are declared in the room that answers. */
type ObjectNamespace<Methods> = DurableObjectNamespace<Methods & Rpc.DurableObjectBranded>

export interface Settings {
  readonly ring: KeyRing
  /** The first admin's token; null where the deployment no longer sets one. */
  readonly adminToken: string | null
  /** Without a trailing slash; empty where it is not set, and then nothing is issued that would carry it. */
  readonly publicUrl: string
  readonly allowPrivateTargets: boolean
  /** DNS-over-HTTPS addresses (RFC 8484). */
  readonly dnsResolvers: readonly string[]
  /** What tenants may be given: those that are shipped, with what the setting adds or changes. */
  readonly plans: Plans
}

/** The shortest admin token: 256 bits of base64url are 43 characters, 32 are 192 bits. */
const MIN_ADMIN_TOKEN_CHARS = 32

/** Throws an Error whose message says which setting is wrong and how to set it. Holds no secret. */
export async function checkEnv(env: Env): Promise<Settings> {
  if (!env.KEY_RING)
    throw new Error('KEY_RING is not set: npm run keyring:new prints one for `wrangler secret put KEY_RING`')
  const ring = await parseKeyRing(env.KEY_RING)
  if (!ring.ok) throw new Error(ring.error)
  if (env.ADMIN_TOKEN && env.ADMIN_TOKEN.length < MIN_ADMIN_TOKEN_CHARS) {
    throw new Error(`ADMIN_TOKEN is shorter than ${MIN_ADMIN_TOKEN_CHARS} characters`)
  }
  const publicUrl = (env.PUBLIC_URL ?? '').replace(/\/+$/, '')
  if (publicUrl !== '' && !URL.canParse(publicUrl))
    throw new Error('PUBLIC_URL is not an address: `npm run deploy -- --public-url` sets it')
  const plans = parsePlans(env.PLANS ?? '')
  if (!plans.ok) throw new Error(plans.error)
  return {
    ring: ring.value,
    adminToken: env.ADMIN_TOKEN || null,
    publicUrl,
    allowPrivateTargets: checkBoolean('ALLOW_PRIVATE_TARGETS', env.ALLOW_PRIVATE_TARGETS),
    dnsResolvers: checkResolvers(env.DNS_RESOLVERS ?? ''),
    plans: plans.value,
  }
}

function checkBoolean(name: string, value: string | undefined): boolean {
  if (value === undefined || value === '' || value === 'false') return false
  if (value === 'true') return true
  throw new Error(`${name} is "true" or "false"`)
}

function checkResolvers(list: string): readonly string[] {
  const entries = list.split(',').map((each) => each.trim())
  const wrong = entries.findIndex((each) => each !== '' && !URL.canParse(each))
  // An address of a resolver may hold its customer's id: the position alone is told.
  if (wrong !== -1) throw new Error(`DNS_RESOLVERS: entry ${wrong + 1} is not an address`)
  return entries.filter((each) => each !== '')
}
