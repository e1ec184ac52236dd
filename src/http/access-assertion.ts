/**
 * Cloudflare Access takes a browser's cookie and sets a header: a request that another site makes the browser send would be signed in, too.
 * So requests with that header have to come from a page of ours, or from a program.
 */
import type { RequestFacts } from './request-facts.ts'

/** Is the header that Access sets to be believed for that request? */
export function mayUseAssertion({ method, url, headers }: Omit<RequestFacts, 'id'>, publicUrl: string): boolean {
  const isRead = method === 'GET' || method === 'HEAD'
  const site = headers.get('sec-fetch-site')
  // Fetch Metadata: browsers say where a request comes from, and pages cannot change it. `none` is an address that was typed in.
  if (site !== null) return site === 'same-origin' || (site === 'none' && isRead)
  // RFC 6454: older browsers say it of writes, and of what a script of another site reads.
  const origin = headers.get('origin')
  if (origin !== null) return origin === url.origin || (publicUrl !== '' && origin === new URL(publicUrl).origin)
  if (isRead) return true
  // A program. A page of another site cannot send a header of this name without asking first, and is refused then.
  return headers.has('certwright-tenant')
}
