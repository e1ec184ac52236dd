/** Waits for `/readyz` after an upload: a new address takes its time to be known everywhere. */
import { DeployError } from './deploy-error.ts'

const POLL_MS = 2_000
const REQUEST_TIMEOUT_MS = 10_000
const MAX_SHOWN_CHARS = 500

export interface Waiting {
  readonly fetch: typeof globalThis.fetch
  readonly readyTimeoutMs: number
}

/** The first of the addresses that is ready. Throws DeployError with the last answers where none is in time. */
export async function waitUntilReady(
  addresses: readonly string[],
  { fetch, readyTimeoutMs }: Waiting,
): Promise<string> {
  const asked = [...new Set(addresses)]
  const deadlineMs = Date.now() + readyTimeoutMs
  for (;;) {
    const answers = await Promise.all(asked.map((address) => askReadiness(fetch, address)))
    const ready = asked.find((_, index) => answers[index] === null)
    if (ready !== undefined) return ready
    if (Date.now() >= deadlineMs) {
      const lines = asked.map((address, index) => `  ${address}/readyz: ${answers[index]}`)
      throw new DeployError(
        `The Worker is deployed, and was not ready within ${Math.round(readyTimeoutMs / 1000)} s:\n${lines.join('\n')}\n` +
          'Deploying again goes on waiting.',
      )
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, readyTimeoutMs)))
  }
}

/** Null where it is ready, else what it said instead. */
async function askReadiness(fetch: typeof globalThis.fetch, address: string): Promise<string | null> {
  try {
    const response = await fetch(`${address}/readyz`, {
      redirect: 'manual',
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    const text = (await response.text()).slice(0, MAX_SHOWN_CHARS)
    return response.status === 200 && text.includes('"ready"') ? null : `${response.status} ${text}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
