/** `watch`: repeats `fetch`. While the service does not answer, what is installed stays, and the pauses grow. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { WatchCommand } from './arguments.ts'
import { fetchOnce } from './fetch-certificate.ts'

type Say = (line: string) => void

const FIRST_RETRY_SECONDS = 15
/** Of a wait, so that hosts that started together do not come together. */
const JITTER = 0.1

/** Resolves when it is stopped. */
export async function watch(command: WatchCommand, say: Say, complain: Say, stop: AbortSignal): Promise<void> {
  let failures = 0
  while (!stop.aborted) {
    try {
      await fetchOnce(command, say, stop)
      failures = 0
    } catch (error) {
      failures += 1
      if (!stop.aborted) complain(error instanceof Error ? error.message : String(error))
    }
    const seconds = waitSeconds(failures, command.intervalSeconds, Math.random())
    await sleep(seconds * 1000, undefined, { signal: stop }).catch(() => undefined)
  }
}

/** After so many failures in a row; `random` is from 0 to 1. Never longer than the interval and its jitter. */
export function waitSeconds(failures: number, intervalSeconds: number, random: number): number {
  const usual = failures === 0 ? intervalSeconds : FIRST_RETRY_SECONDS * 2 ** (failures - 1)
  return Math.min(usual, intervalSeconds) * (1 + JITTER * (2 * random - 1))
}
