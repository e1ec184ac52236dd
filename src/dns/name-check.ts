/** Does a name lead anywhere? For what errors say of targets that could not be reached; nothing is decided by it. */
import type { NameCheck } from '../core/failure-disclosure.ts'
import { checkPublicHost, parseIpv4 } from '../core/targets.ts'
import { type LookupContext, resolverSources } from './dns-source.ts'
import { lookupFirst } from './lookup.ts'
import { TYPE } from './wire/codes.ts'

/** An error waits no longer than this for its text. */
const CHECK_TIMEOUT_MS = 3_000

/** Asks the deployment's resolvers for addresses of public names. Null for addresses and private names: that cannot be known. */
export function createNameCheck(context: Pick<LookupContext, 'http' | 'connect' | 'resolvers'>): NameCheck {
  const sources = resolverSources({ ...context, allowPrivateTargets: false })
  return async (hostname) => {
    const name = hostname.replace(/\.$/, '').toLowerCase()
    // RFC 6761 §6.4: names under `invalid` are known to lead nowhere, without asking.
    if (name === 'invalid' || name.endsWith('.invalid')) return false
    if (parseIpv4(name) !== null || name.includes(':') || !checkPublicHost(name).ok) return null
    const signal = AbortSignal.timeout(CHECK_TIMEOUT_MS)
    const found = await Promise.all([TYPE.A, TYPE.AAAA].map((type) => lookupFirst(sources, name, type, signal)))
    if (found.some((each) => each.ok && each.value.records.length > 0)) return true
    return found.every((each) => each.ok) ? false : null
  }
}
