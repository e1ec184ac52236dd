/** `npm start`: the service on this machine. PORT, STATE_DIR and ADMIN_TOKEN come from the environment. */
import { watchFile } from 'node:fs'
import { resolve } from 'node:path'
import { buildWorker } from './build-worker.ts'
import { DEV_VARS, ensureDevVars, readDevVars } from './dev-vars.ts'
import { startLocalService } from './local-service.ts'
import { readReadiness } from './readiness.ts'

const MIN_ADMIN_TOKEN_CHARS = 32

const port = Number(process.env.PORT ?? 8787)
if (!Number.isInteger(port) || port < 1 || port > 65_535) {
  console.error('PORT is a number from 1 to 65535')
  process.exit(2)
}
const adminToken = process.env.ADMIN_TOKEN
if (adminToken !== undefined && adminToken.length < MIN_ADMIN_TOKEN_CHARS) {
  console.error(`ADMIN_TOKEN is at least ${MIN_ADMIN_TOKEN_CHARS} characters long`)
  process.exit(2)
}

/** How long until it is said why it is not ready; it is waited for all the same. */
const PATIENCE_MS = 20_000
const ASK_EVERY_MS = 100

const address = `http://127.0.0.1:${port}`
/** Settings that the environment may give instead of .dev.vars. */
const FROM_ENVIRONMENT = ['ADMIN_TOKEN', 'PUBLIC_URL', 'ALLOW_PRIVATE_TARGETS', 'DNS_RESOLVERS', 'KEY_RING'] as const
const vars = () => ({
  PUBLIC_URL: address,
  ...readDevVars(),
  ...Object.fromEntries(
    FROM_ENVIRONMENT.flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value] as const]
    }),
  ),
})

ensureDevVars()
buildWorker()
const service = await startLocalService({ port, stateDir: resolve(process.env.STATE_DIR ?? '.state'), vars: vars() })
watchFile(DEV_VARS, { interval: 500 }, () => {
  service.update(vars()).then(
    () => console.info(`${DEV_VARS} was read again`),
    (error: unknown) => console.error(`${DEV_VARS} could not be applied:`, error),
  )
})

console.info(`API reference: ${address}/v1/docs`)
console.info(
  adminToken === undefined ? `Admin token: ADMIN_TOKEN in ${resolve(DEV_VARS)}` : 'Admin token: from the environment',
)
await untilReady()
console.info(`Certwright is ready on ${address}`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void service.stop().finally(() => process.exit(0))
  })
}

/** Answering is not being ready: `/readyz` is 200 when the database has its migrations and the key ring opens what is stored. */
async function untilReady(): Promise<void> {
  let isTold = false
  for (const sinceMs = Date.now(); ; ) {
    const answer = await fetch(`${address}/readyz`).catch(() => null)
    const found = (await answer?.text().catch(() => null)) ?? 'no answer'
    const { isReady, lacksPublicUrl } = readReadiness(answer?.status ?? 0, found)
    if (isReady && lacksPublicUrl) {
      console.error('No certificates are issued by the internal PKI: PUBLIC_URL is an address that others cannot reach')
    }
    if (isReady) return
    if (!isTold && Date.now() - sinceMs > PATIENCE_MS) {
      console.error(`Not ready yet: ${found}`)
      isTold = true
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS))
  }
}
