/** Names of zones that a DNS provider is said to manage. Text alone: no provider and no server is asked. */
import { err, ok, type Result } from '../core/result.ts'
import { parseDnsName } from '../pki/dns-name.ts'
import { MAX_DNS_NAME_CHARS } from '../pki/limits.ts'

/** What a zone's label may be beside a host's (RFC 2181 §11 allows more yet): an underscore name such as `_acme-challenge` (RFC 8552 §1.1). */
const UNDERSCORE_LABEL = /^(?=[a-z0-9_-]*_)(?=[a-z0-9_-]*[a-z0-9])[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/** Stands for an underscore label while the labels around it are read. */
const STAND_IN = 'x'

/**
 * Reads a managed zone, with `*.` in front or a dot behind: a DNS name whose labels, except for the last, may have
 * underscores: `_acme-challenge.example.org` is a zone of its own where NS records delegate it. Returns A-labels in lower
 * case. The error is a sentence for the caller.
 */
export function parseManagedZone(text: string): Result<string, string> {
  // Full stops of other scripts separate labels too (UTS 46 §4): labels keep their places below.
  const labels = text
    .toLowerCase()
    .replaceAll(/[\u3002\uff0e\uff61]/g, '.')
    .replace(/\.$/, '')
    .split('.')
  const isUnderscored = (label: string, index: number) => index < labels.length - 1 && UNDERSCORE_LABEL.test(label)
  if (labels.some((label, index) => label.includes('_') && !isUnderscored(label, index))) {
    return err('a label of a zone has an underscore out of place')
  }
  const parsed = parseDnsName(labels.map((label, index) => (isUnderscored(label, index) ? STAND_IN : label)).join('.'))
  if (!parsed.ok) return parsed
  const read = parsed.value.name.split('.')
  if (read.length !== labels.length) return err('a zone holds a character that names do not have')
  const zone = read
    .map((label, index) => (isUnderscored(labels[index] as string, index) ? labels[index] : label))
    .join('.')
  return zone.length > MAX_DNS_NAME_CHARS ? err(`a zone is longer than ${MAX_DNS_NAME_CHARS} characters`) : ok(zone)
}
