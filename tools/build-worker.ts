/** Bundles the Worker as `wrangler deploy` would, into dist/worker. Skips what is up to date. */
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { delimiter, dirname } from 'node:path'
import { newestOf } from './newest.ts'

const SOURCES = [
  'src',
  'durable-objects',
  'migrations',
  'wrangler.toml',
  'package.json',
  'package-lock.json',
  'tools/build-agent.ts',
]
export const BUNDLE = 'dist/worker/index.js'

/** Builds where a source is newer than the bundle. */
export function buildWorker(): void {
  if (existsSync(BUNDLE) && newestOf(SOURCES) < statSync(BUNDLE).mtimeMs) return
  execFileSync(
    process.execPath,
    ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--outdir', 'dist/worker'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        // wrangler.toml's build command says "node": this one.
        PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
        WRANGLER_SEND_METRICS: 'false',
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      },
    },
  )
}

if (import.meta.main) buildWorker()
