/** Bundles the Worker as `wrangler deploy` would, into dist/worker. Skips what is up to date. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const SOURCES = ['src', 'durable-objects', 'wrangler.toml', 'package-lock.json']
export const BUNDLE = 'dist/worker/index.js'

/** Builds where a source is newer than the bundle. */
export function buildWorker(): void {
  if (existsSync(BUNDLE) && newest(SOURCES) < statSync(BUNDLE).mtimeMs) return
  execFileSync(
    process.execPath,
    ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--outdir', 'dist/worker'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
    },
  )
}

function newest(paths: readonly string[]): number {
  return Math.max(
    ...paths.map((path) => {
      const stat = statSync(path)
      return stat.isDirectory() ? newest(readdirSync(path).map((name) => join(path, name))) : stat.mtimeMs
    }),
    0,
  )
}
