/** Runs this project's wrangler, with nobody to ask: it takes its defaults and writes nothing into wrangler.toml. */
import { spawn } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { rightFor } from './cloudflare-api.ts'
import { DeployError } from './deploy-error.ts'

export type Env = Readonly<Record<string, string | undefined>>

const MAX_OUTPUT_CHARS = 200_000

/** Standard output. Throws with all that it said where it fails, and with the right that is missing where that is why. */
export function runWrangler(args: readonly string[], env: Env): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join('node_modules', 'wrangler', 'bin', 'wrangler.js'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...env,
        // wrangler.toml's build command says "node": this one.
        PATH: [dirname(process.execPath), env.PATH].join(delimiter),
        WRANGLER_SEND_METRICS: 'false',
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
        // Nor does it ask npm for a newer one of itself.
        WRANGLER_HIDE_BANNER: 'true',
        NO_COLOR: '1',
      },
    })
    let output = ''
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
      said = (said + chunk).slice(-MAX_OUTPUT_CHARS)
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      said = (said + chunk).slice(-MAX_OUTPUT_CHARS)
    })
    child.once('error', reject)
    child.once('close', (exitCode) => {
      if (exitCode === 0) return resolve(output)
      const right = missingRight(said)
      const why = right === null ? '' : `: the API token lacks the right "${right}"`
      reject(new DeployError(`wrangler ${args.slice(0, 3).join(' ')} failed${why}.\n${said.trim()}`))
    })
  })
}

/** By wrangler's words for a call that Cloudflare refused. */
export function missingRight(said: string): string | null {
  if (!/\[code: (?:10000|9109|10023)\]/.test(said)) return null
  const path = /A request to the Cloudflare API \((\S+)\) failed/.exec(said)?.[1]
  return path === undefined ? null : rightFor(path)
}
