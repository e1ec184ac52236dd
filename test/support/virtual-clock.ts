/** A clock that stands still until everybody waits, and then goes on to the next who wakes. */
export interface VirtualClock {
  now(): number
  pause(ms: number): Promise<void>
  /** Lets time pass until the work has ended. Rejects where nobody is left to wake. */
  run<T>(work: Promise<T>): Promise<T>
}

export function virtualClock(startMs: number): VirtualClock {
  let nowMs = startMs
  const sleepers: { readonly atMs: number; wake(): void }[] = []

  /** Signatures are made off the thread: what they lead to comes after a few turns of the event loop. */
  const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 2))

  return {
    now: () => nowMs,
    pause: (ms) => new Promise((resolve) => sleepers.push({ atMs: nowMs + Math.max(0, ms), wake: resolve })),
    async run(work) {
      let isOver = false
      const ended = work.finally(() => {
        isOver = true
      })
      ended.catch(() => undefined)
      for (let idle = 0; !isOver; ) {
        await settle()
        const next = sleepers.sort((a, b) => a.atMs - b.atMs).shift()
        idle = next === undefined ? idle + 1 : 0
        if (idle > 500) throw new Error('nobody is left to wake')
        if (next === undefined) continue
        nowMs = Math.max(nowMs, next.atMs)
        next.wake()
      }
      return ended
    },
  }
}
