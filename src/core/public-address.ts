/** The address of this deployment, as certificates carry it for good. Looks at it as it is written: resolves and fetches nothing. */
import { err, ok, type Result } from './result.ts'
import { checkPublicHost } from './targets.ts'

/** May certificates carry that address? The error says what is wrong with the setting and how to set it. */
export function checkPublicAddress(publicUrl: string, allowPrivateTargets: boolean): Result<void, string> {
  if (publicUrl === '') return err(`PUBLIC_URL is not set: ${HOW_TO_SET}`)
  const url = URL.canParse(publicUrl) ? new URL(publicUrl) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    return err(`PUBLIC_URL is not an http or https address: ${HOW_TO_SET}`)
  }
  if (!PLAIN_ADDRESS.test(publicUrl)) {
    return err(
      `PUBLIC_URL is not a plain address (it holds a user, a password, a query, a fragment or a space): ${HOW_TO_SET}`,
    )
  }
  if (allowPrivateTargets) return ok(undefined)
  const host = checkPublicHost(url.hostname)
  return host.ok ? ok(undefined) : err(`PUBLIC_URL is not reachable for others (${host.error}): ${HOW_TO_SET}`)
}

/** Scheme, host and port, and a path where there is one: paths are added behind it, and everybody reads it in certificates. */
const PLAIN_ADDRESS = /^https?:\/\/[^/?#@\s\\]+(?:\/[^?#\s\\]*)?$/i

const HOW_TO_SET =
  'certificates carry it, so set it to the public address of this deployment; ALLOW_PRIVATE_TARGETS=true allows a private one'
