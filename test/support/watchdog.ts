/** Notices a server that is there and answers no more, and has it started again. */

export interface WatchdogOptions {
  readonly name: string
  /** Rejects or never resolves where the server does not answer. */
  probe(): Promise<unknown>
  restart(): Promise<void>
  /** Between looks, and how long one may take. */
  readonly intervalMs: number
  /** So many looks in a row without an answer. */
  readonly misses: number
}

/** Looks until it is told to stop. Keeps no process alive. */
export function startWatchdog({ name, probe, restart, intervalMs, misses }: WatchdogOptions): { stop(): void } {
  let [missed, isLooking, isStopped] = [0, false, false]
  const look = async (): Promise<void> => {
    const late = new Promise<never>((_resolve, reject) => setTimeout(reject, intervalMs, new Error('late')).unref())
    missed = await Promise.race([probe(), late]).then(
      () => 0,
      () => missed + 1,
    )
    if (missed < misses || isStopped) return
    console.error(
      `${name} has not answered ${misses} times in a row: it is started again, and has forgotten everything`,
    )
    await restart()
    missed = 0
  }
  const timer = setInterval(() => {
    if (isLooking) return
    isLooking = true
    look()
      .catch((error: unknown) => console.error(`${name} could not be started again:`, error))
      .finally(() => {
        isLooking = false
      })
  }, intervalMs)
  timer.unref()
  return {
    stop() {
      isStopped = true
      clearInterval(timer)
    },
  }
}
