/**
 * Is the certificate for that name (RFC 9525 §6)? Looks at subject alternative names alone, never at the common name. Does not
 * know public suffixes, so `*.com` stands for every name under it.
 */
import { equalBytes } from '../../core/bytes.ts'
import { formatAltName, isAltName } from '../alt-name.ts'
import type { Certificate } from '../certificate.ts'
import { matchesDnsName, parseDnsName } from '../dns-name.ts'
import type { GeneralName } from '../general-name.ts'
import { parseIpAddress } from '../ip-address.ts'
import { parseMailbox } from './mailbox.ts'
import type { PathProblem } from './path-error.ts'

export interface ReferenceName {
  readonly kind: 'dns' | 'ip' | 'email'
  readonly value: string
}

/** Names in the evidence of a mismatch: enough to see what went wrong. */
const MAX_SHOWN_NAMES = 10

/** Null where one of the certificate's names is the name that was asked for. */
export function checkSubjectName(certificate: Certificate, reference: ReferenceName): PathProblem | null {
  const names = certificate.subjectAltNames ?? []
  const matches = matcherOf(reference)
  if (matches !== null && names.some(matches)) return null
  const shown = names.filter(isAltName).slice(0, MAX_SHOWN_NAMES).map(formatAltName)
  const message =
    matches === null
      ? 'the name that was asked for is not a name that a certificate can hold'
      : 'the certificate is for other names'
  return {
    code: 'name_mismatch',
    message,
    depth: 0,
    evidence: { expected: reference.value, presented: shown.join(', '), presentedCount: names.length },
  }
}

/** How a presented name is compared with it, or null where it is no name. */
function matcherOf({ kind, value }: ReferenceName): ((name: GeneralName) => boolean) | null {
  switch (kind) {
    case 'dns': {
      const parsed = parseDnsName(value)
      if (!parsed.ok || parsed.value.isWildcard) return null
      return (name) => name.type === 'dns' && matchesDnsName(name.value, parsed.value.name)
    }
    case 'ip': {
      // RFC 9525 §6.5: octets against octets, and never against a dNSName.
      const octets = parseIpAddress(value)
      return octets === null ? null : (name) => name.type === 'ip' && equalBytes(name.value, octets)
    }
    case 'email': {
      const wanted = parseMailbox(value)
      if (wanted === null) return null
      return (name) => {
        const mailbox = name.type === 'email' ? parseMailbox(name.value) : null
        return mailbox !== null && mailbox.local === wanted.local && mailbox.host === wanted.host
      }
    }
  }
}
