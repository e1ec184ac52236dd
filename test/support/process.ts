/**
 * Child processes for tests: started, waited for, and ended by their process id, at the latest when this process ends.
 * Keeps the output, so that a failure shows what the server said.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'

export interface StartOptions {
  readonly cwd?: string
  /** Added to this process's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface RunningProcess {
  readonly pid: number
  /** What it has said so far, standard output and error as they came, the last megabyte of it. */
  output(): string
  /** Resolves with the exit code, or with null where a signal ended it. */
  readonly exited: Promise<number | null>
  /** Resolves with the first line that matches, said before or after the call. Rejects with the output when it ends first or the time is up. */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<string>
  /** Asks it to end, then insists. Resolves when it has ended; idempotent. */
  stop(): Promise<void>
}

const DEFAULT_TIMEOUT_MS = 20_000
const INSIST_AFTER_MS = 5_000
const MAX_OUTPUT_CHARS = 1_048_576
const POLL_MS = 20

const running = new Set<ChildProcess>()

function endAll(): void {
  for (const child of running) child.kill('SIGKILL')
}
process.once('exit', endAll)
// A test runner ends its workers by signal, and then no `exit` event comes.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    endAll()
    process.kill(process.pid, signal)
  })
}

/**
 * Lets this process end while servers that it has started are still running; they are ended with it. For configuration
 * files, which nobody tells when the tests are over.
 */
export function leaveRunning(): void {
  for (const child of running) {
    child.unref()
    for (const pipe of [child.stdout, child.stderr]) (pipe as Socket | null)?.unref()
  }
}

/** Starts a program. Returns at once; wait for what it says with `waitForLine`, or for its port with `waitForPort`. */
export function startProcess(command: string, args: readonly string[], options: StartOptions = {}): RunningProcess {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let output = ''
  let ended: string | null = null
  const keep = (chunk: string): void => {
    output = (output + chunk).slice(-MAX_OUTPUT_CHARS)
  }
  child.stdout.setEncoding('utf8').on('data', keep)
  child.stderr.setEncoding('utf8').on('data', keep)
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child)
      // What could not be started closes too.
      ended ??= signal === null ? `ended with code ${code}` : `was ended by ${signal}`
      resolve(code)
    })
    child.once('error', (error) => {
      running.delete(child)
      ended = `could not be started: ${error.message}`
      resolve(null)
    })
  })

  return {
    pid: child.pid ?? -1,
    output: () => output,
    exited,
    async waitForLine(pattern, timeoutMs = DEFAULT_TIMEOUT_MS) {
      const deadlineMs = Date.now() + timeoutMs
      for (;;) {
        // Read before the search: what was said before the end is searched once more after it.
        const over = ended
        const line = output.split('\n').find((candidate) => pattern.test(candidate))
        if (line !== undefined) return line
        const problem = over ?? (Date.now() > deadlineMs ? `did not say ${pattern} within ${timeoutMs} ms` : null)
        if (problem !== null) throw new Error(`${command} ${problem}. It said:\n${output}`)
        await sleep(POLL_MS)
      }
    },
    async stop() {
      if (ended !== null) return
      child.kill('SIGTERM')
      const insist = setTimeout(() => child.kill('SIGKILL'), INSIST_AFTER_MS)
      await exited
      clearTimeout(insist)
    },
  }
}

export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions extends StartOptions {
  readonly stdin?: string
  readonly timeoutMs?: number
}

/** Runs a program to its end. */
export function runProcess(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: 'pipe' })
    running.add(child)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk
    })
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${command} ${args.join(' ')} took longer than ${timeoutMs} ms. It said:\n${stdout}${stderr}`))
    }, timeoutMs)
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      running.delete(child)
      resolve({ code, stdout, stderr })
    })
    // A program that ends without reading its input closes the pipe: its exit code tells, not the write.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.stdin ?? '')
  })
}

/** Runs a program and returns what it wrote to standard output. Rejects with its output where the exit code is not 0. */
export async function runSuccessfully(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await runProcess(command, args, options)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${code}:\n${stdout}${stderr}`)
  return stdout
}

/** Resolves when something on loopback accepts connections there. Rejects with the server's output when it ends first. */
export async function waitForPort(port: number, server: RunningProcess, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs
  let end: string | null = null
  void server.exited.then((code) => {
    end = `it ended with code ${code}`
  })
  while (!(await accepts(port))) {
    const problem = end ?? (Date.now() > deadlineMs ? `${timeoutMs} ms passed` : null)
    if (problem !== null) throw new Error(`nothing listens on port ${port}: ${problem}. It said:\n${server.output()}`)
    await sleep(POLL_MS)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}
