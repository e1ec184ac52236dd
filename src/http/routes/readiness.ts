/** Is the service able to work? Looks at the database, its migrations, the key ring, the cron and the public address. */
import { z } from '@hono/zod-openapi'
import { logFault } from '../../core/log.ts'
import { checkPublicAddress } from '../../core/public-address.ts'
import { hasCas } from '../../store/authorities.ts'
import { lastCronRun } from '../../store/cron-runs.ts'
import { missingMigrations } from '../../store/migrations.ts'
import { findUnopenable } from '../../store/reseal.ts'
import type { Store } from '../../store/store.ts'
import { json } from '../answer.ts'
import { definePublicRoute } from '../define-route.ts'
import type { AppDependencies } from '../dependencies.ts'

/** Runs every minute; ten missed ones are no hiccup. */
const CRON_JOB = 'resume-orders'
const CRON_FRESH_MS = 10 * 60_000
/** No token is needed for this, so an isolate looks at most once in this time. */
const LOOK_EVERY_MS = 5_000
/** After a start, callers poll until the service is ready. */
const LOOK_AGAIN_MS = 500

const check = z.enum(['ok', 'starting', 'failed'])
const readinessView = z.strictObject({
  status: z.enum(['ready', 'not_ready']),
  checks: z.strictObject({
    database: check,
    migrations: z
      .enum(['ok', 'missing', 'failed'])
      .openapi({ description: 'missing: apply them; until then requests are answered with `unavailable`' }),
    key_ring: check,
    cron: check,
    public_url: z.enum(['ok', 'failed']).openapi({
      description:
        'failed: PUBLIC_URL is not set, is an address that others cannot reach, or holds a user, a password, a query or a fragment. Certificates of the internal PKI would carry it, so none are issued; ' +
        'everything else works, and without CAs the service is ready',
    }),
  }),
})

type Readiness = z.infer<typeof readinessView>
type Check = z.infer<typeof check>

interface Look {
  /** When this isolate was first asked. */
  readonly sinceMs: number
  readonly atMs: number
  readonly found: Readiness
}

const looks = new WeakMap<Store, Look>()

export const readiness = definePublicRoute({
  method: 'get',
  path: '/readyz',
  tag: 'Service',
  summary: 'Is the service able to work?',
  description:
    'The database answers and has had its migrations, the key ring opens what is stored, the cron has run within ten minutes, ' +
    'and, where there are CAs, PUBLIC_URL, which their certificates carry, is an address that others can reach (a private one where private targets are ' +
    'allowed). A deployment ' +
    'on which the cron has never run counts as starting, and ready, for ten minutes after it was first asked.',
  access: { public: 'a load balancer has none' },
  responses: {
    200: { description: 'It is', schema: readinessView },
    503: { description: 'It is not', schema: readinessView },
  },
  async handler({ deps }) {
    const found = await look(deps)
    return found.status === 'ready' ? json(200, found) : json(503, found)
  },
})

async function look(deps: AppDependencies): Promise<Readiness> {
  const nowMs = deps.now()
  const last = looks.get(deps.store)
  const patienceMs = last?.found.status === 'ready' ? LOOK_EVERY_MS : LOOK_AGAIN_MS
  if (last !== undefined && nowMs - last.atMs < patienceMs) return last.found
  const sinceMs = last?.sinceMs ?? nowMs
  const found = await lookAnew(deps, nowMs, sinceMs)
  // What was found, not the promise of it: a promise belongs to the request that began it.
  looks.set(deps.store, { sinceMs, atMs: nowMs, found })
  return found
}

async function lookAnew(deps: AppDependencies, nowMs: number, sinceMs: number): Promise<Readiness> {
  const public_url = publicUrlCheck(deps)
  // The look at the migrations is the look at the database: without it, and without them, the others have nothing to look at.
  const missing = await attempt(() => missingMigrations(deps.store))
  if (missing === null) {
    return {
      status: 'not_ready',
      checks: { database: 'failed', migrations: 'failed', key_ring: 'failed', cron: 'failed', public_url },
    }
  }
  if (missing.length > 0) {
    logFault('readiness', new Error(`migrations missing: ${missing.join(', ')}`))
    const rest = { key_ring: 'starting', cron: 'starting', public_url } as const
    return { status: 'not_ready', checks: { database: 'ok', migrations: 'missing', ...rest } }
  }
  const cron = await attempt(async () => cronCheck(await lastCronRun(deps.store, CRON_JOB), nowMs, sinceMs))
  const keyRing = cron === null ? null : await attempt(async () => ringCheck(deps))
  const checks = {
    database: cron === null ? ('failed' as const) : ('ok' as const),
    migrations: 'ok' as const,
    key_ring: keyRing ?? ('failed' as const),
    cron: cron ?? ('failed' as const),
    public_url,
  }
  const { public_url: _, ...always } = checks
  const isUnable = Object.values(always).includes('failed') || (await lacksPublicUrl(deps, public_url))
  return { status: isUnable ? 'not_ready' : 'ready', checks }
}

const publicUrlCheck = ({ settings }: AppDependencies): 'ok' | 'failed' =>
  checkPublicAddress(settings.publicUrl, settings.allowPrivateTargets).ok ? 'ok' : 'failed'

/** Only certificates of own CAs carry the address: a deployment without CAs works without it. */
async function lacksPublicUrl(deps: AppDependencies, check: 'ok' | 'failed'): Promise<boolean> {
  return check === 'failed' && (await attempt(() => hasCas(deps.store))) !== false
}

async function ringCheck(deps: AppDependencies): Promise<Check> {
  return (await findUnopenable(deps.store)) === null ? 'ok' : 'failed'
}

function cronCheck(lastMs: number | null, nowMs: number, sinceMs: number): Check {
  if (lastMs === null) return nowMs - sinceMs < CRON_FRESH_MS ? 'starting' : 'failed'
  return nowMs - lastMs < CRON_FRESH_MS ? 'ok' : 'failed'
}

/** Null where the database failed. */
async function attempt<Found>(run: () => Promise<Found>): Promise<Found | null> {
  try {
    return await run()
  } catch (fault) {
    logFault('readiness', fault)
    return null
  }
}
