/** The composition root: requests, cron triggers, messages of the queue, and the Durable Object classes. */

import { systemClock } from './core/clock.ts'
import { consoleLog } from './core/log.ts'
import { runCron } from './cron/run-cron.ts'
import type { Env } from './env.ts'
import { consumeWakes } from './events/consume-wakes.ts'
import { wakeBy } from './events/wake.ts'
import { createApp } from './http/app.ts'
import type { AppDependencies } from './http/dependencies.ts'
import { accountObjects, crlPublications, eraseObjects, orderObjects, zoneObjects } from './objects.ts'
import { runtimeOf } from './runtime.ts'

export { AcmeAccount } from '../durable-objects/acme-account.ts'
export { AcmeOrder } from '../durable-objects/acme-order.ts'
export { CrlPublisher } from '../durable-objects/crl-publisher.ts'
export { DnsZone } from '../durable-objects/dns-zone.ts'
export { TenantLedger } from '../durable-objects/tenant-ledger.ts'

async function dependenciesOf(env: Env): Promise<AppDependencies> {
  const runtime = await runtimeOf(env)
  return {
    ...runtime,
    orders: orderObjects(env),
    accounts: accountObjects(env),
    publications: crlPublications(env),
    zones: zoneObjects(env),
  }
}

/** What cron jobs and the queue have besides. */
async function backgroundOf(env: Env) {
  return { ...(await dependenciesOf(env)), wake: wakeBy(env.EVENTS), log: consoleLog }
}

const app = createApp<Env>({ dependenciesOf, now: systemClock, log: consoleLog })

export default {
  fetch: (request, env, context) => app.fetch(request, env, context),
  scheduled: async (controller, env) =>
    runCron(controller.cron, { ...(await backgroundOf(env)), eraseObject: eraseObjects(env) }),
  queue: async (batch, env, context) =>
    consumeWakes(batch.messages, await backgroundOf(env), (work) => context.waitUntil(work)),
} satisfies ExportedHandler<Env>
