/**
 * What callers are told when a target gives no answer. A caller may name targets, and must not learn from the text what is
 * there: where the policy does not disclose a host, a refused connection, silence, no TLS and another protocol read alike, and
 * the log has the reason. That a name does not resolve is said, since the public DNS says it to anyone. Times are not evened out.
 */
import type { Log } from './log.ts'

/** Has the public DNS an address for that name? Null where no resolver answered. */
export type NameCheck = (hostname: string) => Promise<boolean | null>

export interface DisclosurePolicy {
  /** May callers be told why this host gave no answer? */
  discloses(hostname: string): boolean
  /** Called after a failure; changes nothing but the sentence. */
  readonly resolves: NameCheck
  /** Gets the reasons that callers are not told. */
  readonly log: Log
}

/** The sentence for a name that does not resolve. */
export const unresolvedMessage = (hostname: string): string => `the name ${hostname} does not resolve`

/**
 * What workerd says of a name without an address, and of other failures too: `internal error; reference = …` also where TLS fails,
 * and that it cannot connect also where the port is closed.
 */
const INTERNAL_ERROR = /\binternal error\b/i
const NO_CONNECTION = /\bcannot connect to the specified address\b/i

/**
 * The sentence for the caller. `reason` is what the runtime said; `mayNotResolve` is false where time ran out. Without a policy, as
 * in tests and tools, the sentence is the reason.
 */
export async function describeFailure(
  { hostname, port }: { readonly hostname: string; readonly port: string | number },
  reason: string,
  mayNotResolve: boolean,
  policy: DisclosurePolicy | undefined,
): Promise<string> {
  if (policy === undefined) return reason
  const isTold = policy.discloses(hostname)
  if (!isTold) policy.log.warn('target_silent', { host: `${hostname}:${port}`, reason })
  const isVague = INTERNAL_ERROR.test(reason) || NO_CONNECTION.test(reason)
  if (mayNotResolve && (isVague || !isTold) && (await policy.resolves(hostname)) === false)
    return unresolvedMessage(hostname)
  if (!isTold) return 'no usable answer came from there; the log of the deployment says why'
  return INTERNAL_ERROR.test(reason)
    ? 'no connection: the name does not resolve, or TLS could not be agreed on'
    : reason
}
