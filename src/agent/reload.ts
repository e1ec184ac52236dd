/** Tells the server of a new certificate, by a command of the operator's. It gets its time and no more. */
import { type ChildProcess, spawn } from 'node:child_process'

/** Between asking the command to end and ending it. */
const KILL_AFTER_MS = 5_000

/**
 * Runs the command in a shell. Rejects where it does not end with 0, takes longer than `timeoutMs`, or `stop` comes first;
 * in the last two cases it is ended, with every process that it has started. What a command that succeeds leaves running
 * goes on.
 */
export function runReload(command: string, timeoutMs: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that what the shell has started ends with it.
    const child = spawn(command, { shell: true, stdio: 'inherit', detached: true })
    let endedBy: string | null = null
    let insist: NodeJS.Timeout | undefined
    const end = (reason: string): void => {
      if (endedBy !== null) return
      endedBy = reason
      killGroup(child, 'SIGTERM')
      insist = setTimeout(() => killGroup(child, 'SIGKILL'), KILL_AFTER_MS)
    }
    const onStop = (): void => end('was ended, since the companion was told to end')
    const timer = setTimeout(() => end(`took longer than ${timeoutMs / 1000} s and was ended`), timeoutMs)
    const settle = (): void => {
      clearTimeout(timer)
      clearTimeout(insist)
      stop.removeEventListener('abort', onStop)
      // The shell may be gone and what it has started not.
      if (endedBy !== null) killGroup(child, 'SIGKILL')
    }
    child.once('error', (error) => {
      settle()
      reject(error)
    })
    child.once('exit', (code, signal) => {
      settle()
      if (endedBy === null && code === 0) resolve()
      else reject(new Error(`the reload command ${endedBy ?? `ended with ${signal ?? code}`}; ${AGAIN}`))
    })
    if (stop.aborted) onStop()
    else stop.addEventListener('abort', onStop)
  })
}

const AGAIN = 'it is tried again at the next run'

function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    // A negative id is the group's.
    process.kill(-pid, signal)
  } catch {
    // Nothing of it is left.
  }
}
