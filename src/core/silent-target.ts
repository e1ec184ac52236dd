/**
 * What callers are told of a target that gave no answer. Whoever may name targets must not learn from the text what is
 * there: refused, silent, no TLS and another protocol then read alike, and the log has the reason. That a name leads
 * nowhere is said, since the public DNS says it to everybody. Times are not evened out.
 */
import type { Log } from './log.ts'

/** Has the public DNS an address for that name? Null where nobody can say. */
export type NameCheck = (hostname: string) => Promise<boolean | null>

export interface SilencePolicy {
  /** May callers be told why this host gave no answer? */
  tells(hostname: string): boolean
  /** Asked after a failure, for its text alone. */
  readonly resolves: NameCheck
  /** Gets the reasons that callers are not told. */
  readonly log: Log
}

/** As errors say it of a name. */
export const unresolvedMessage = (hostname: string): string => `the name ${hostname} does not resolve`

/**
 * workerd's words for names without an address, which it also has for other things: of TLS that fails it says
 * `internal error; reference = …` too, and of a socket that nobody takes, that it cannot connect.
 */
const INTERNAL_ERROR = /\binternal error\b/i
const NO_CONNECTION = /\bcannot connect to the specified address\b/i

/**
 * The sentence for the caller. `reason` is what the runtime said; `mayNotResolve` is false where time ran out. Without a policy, as in tests and tools, the reason is told as it is.
 */
export async function explainSilence(
  { hostname, port }: { readonly hostname: string; readonly port: string | number },
  reason: string,
  mayNotResolve: boolean,
  policy: SilencePolicy | undefined,
): Promise<string> {
  if (policy === undefined) return reason
  const isTold = policy.tells(hostname)
  if (!isTold) policy.log.warn('target_silent', { host: `${hostname}:${port}`, reason })
  const isVague = INTERNAL_ERROR.test(reason) || NO_CONNECTION.test(reason)
  if (mayNotResolve && (isVague || !isTold) && (await policy.resolves(hostname)) === false)
    return unresolvedMessage(hostname)
  if (!isTold) return 'no usable answer came from there; the log of the deployment says why'
  return INTERNAL_ERROR.test(reason)
    ? 'no connection: the name does not resolve, or TLS could not be agreed on'
    : reason
}
