/** Tells the server of a new certificate, by a command of the operator's. It gets its time and no more. */
import { type ChildProcess, spawn } from 'node:child_process'

/** Between asking the command to end and ending it. */
const KILL_AFTER_MS = 5_000

/** How often to check whether a process of the command is left. */
const CHECK_EVERY_MS = 50

/**
 * Runs the command in a shell. Rejects where it does not end with 0, takes longer than `timeoutMs`, or `stop` comes first;
 * in the last two cases it is ended, with every process that it has started: asked first, and made to some seconds later.
 * Settles when all of them are gone. What a command that succeeds leaves running goes on.
 */
export function runReload(command: string, timeoutMs: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that what the shell has started ends with it.
    const child = spawn(command, { shell: true, stdio: 'inherit', detached: true })
    let endedBy: string | null = null
    let insistAtMs = Number.POSITIVE_INFINITY
    let insist: NodeJS.Timeout | undefined
    const end = (reason: string): void => {
      if (endedBy !== null) return
      endedBy = reason
      signalGroup(child, 'SIGTERM')
      insistAtMs = performance.now() + KILL_AFTER_MS
      insist = setTimeout(() => signalGroup(child, 'SIGKILL'), KILL_AFTER_MS)
    }
    const onStop = (): void => end('was ended, since the companion was told to end')
    const timer = setTimeout(() => end(`took longer than ${timeoutMs / 1000} s and was ended`), timeoutMs)
    const settle = (): void => {
      clearTimeout(timer)
      clearTimeout(insist)
      stop.removeEventListener('abort', onStop)
    }
    child.once('error', (error) => {
      settle()
      reject(error)
    })
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      if (endedBy === null) {
        settle()
        if (code === 0) resolve()
        else reject(new Error(`the reload command ended with ${signal ?? code}; ${AGAIN}`))
        return
      }
      // The shell may be gone and what it has started still be ending: it has the same time for that.
      const checkAgain = (): void => {
        if (signalGroup(child, 0) && performance.now() < insistAtMs) {
          setTimeout(checkAgain, CHECK_EVERY_MS)
          return
        }
        settle()
        signalGroup(child, 'SIGKILL')
        reject(new Error(`the reload command ${endedBy}; ${AGAIN}`))
      }
      checkAgain()
    })
    if (stop.aborted) onStop()
    else stop.addEventListener('abort', onStop)
  })
}

const AGAIN = 'it is tried again at the next run'

/** False where nothing of the group is left. 0 asks that alone. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false
  try {
    // A negative id is the group's.
    return process.kill(-pid, signal)
  } catch {
    return false
  }
}
