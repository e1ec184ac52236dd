/** pki-worker.ts in workerd, alone: what it does is timed from here, since clocks stand still in there while it works. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import { freePort } from '../../test/support/ports.ts'
import { makeTempFolder } from '../../test/support/temp-folder.ts'
import type { Task } from './pki-worker.ts'

export interface PkiRuntime {
  /** Does it so often, within one request. */
  readonly url: (task: Task, count: number) => string
  /** Microseconds for each. */
  microsecondsEach(task: Task, count: number): Promise<number>
  stop(): Promise<void>
}

export async function startPkiRuntime(): Promise<PkiRuntime> {
  const folder = makeTempFolder('bench-worker')
  const config = join(import.meta.dirname, 'wrangler.toml')
  const args = ['deploy', '--dry-run', '--config', config, '--outdir', folder.path]
  execFileSync(process.execPath, ['node_modules/wrangler/bin/wrangler.js', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
  })
  const port = await freePort()
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: '127.0.0.1',
      port,
      log: new Log(LogLevel.WARN),
      telemetry: { enabled: false },
      cf: false,
      workers: [
        {
          name: 'bench',
          modules: true,
          scriptPath: 'pki-worker.js',
          script: readFileSync(join(folder.path, 'pki-worker.js'), 'utf8'),
          compatibilityDate: '2026-10-20',
        },
      ],
    }),
  )
  await miniflare.ready
  const url = (task: Task, count: number): string => `http://127.0.0.1:${port}/${task}?count=${count}`
  return {
    url,
    async microsecondsEach(task, count) {
      const startMs = performance.now()
      const answer = await fetch(url(task, count), { method: 'POST' })
      const text = await answer.text()
      if (answer.status !== 200) throw new Error(`${task} failed: ${text}`)
      return ((performance.now() - startMs) * 1000) / count
    },
    async stop() {
      await miniflare.dispose()
      folder.remove()
    },
  }
}
