/**
 * Names that a role allows by the caller's claims: `{claims.namespace}.svc.example.org`, `spiffe://example.org/ns/{claims.namespace}`. A claim
 * fills a place and never widens it: it is text that a label, or a segment of a path, is made of. A caller without the claim gets nothing.
 */
import { type Claims, fillTemplate, isTemplate, templateError, withFiller } from '../../core/claims.ts'
import { parseCertifiedDnsName } from '../../pki/dns-name.ts'
import type { RolePolicy } from '../../store/role-policy.ts'
import { uriPatternError } from './uri-pattern.ts'

/** The whole URI from the subject: for SPIFFE IDs alone, which say themselves where they belong. */
const WHOLE_SUBJECT = '{claims.sub}'

/** What stands where a claim will, while the rest is checked. */
const FILLER = 'a'

/** What is wrong with a domain that has claims to be filled in, or null. */
export function domainTemplateError(pattern: string): string | null {
  const error = templateError(pattern, '.')
  if (error !== null) return error
  const example = withFiller(pattern, FILLER)
  const parsed = parseCertifiedDnsName(example)
  if (!parsed.ok) return parsed.error
  if (parsed.value.name !== example) return 'beside the claims, write it in lower case with A-labels'
  // Behind the last one there is nothing that would hold what the claim says.
  if (pattern.endsWith('}') || isTemplate(lastLabel(pattern))) return 'the last label is not filled in'
  return null
}

/** Names of claims have dots too: the text behind the last dot that stands outside of braces. */
const lastLabel = (pattern: string): string => /(?:^|\.)([^.{}]*(?:\{[^{}]*\}[^.{}]*)*)$/.exec(pattern)?.[1] ?? pattern

/** What is wrong with a URI pattern that has claims to be filled in, or null. */
export function uriTemplateError(pattern: string): string | null {
  if (pattern === WHOLE_SUBJECT) return null
  const error = templateError(pattern, '/')
  if (error !== null) return error
  const [, head, path] = /^([^/]*:\/\/[^/]*)(\/.*)$/.exec(pattern) ?? []
  if (head === undefined || path === undefined || isTemplate(head)) {
    return `claims are filled into the path of a URI, or ${WHOLE_SUBJECT} stands for a SPIFFE ID as a whole`
  }
  return uriPatternError(withFiller(pattern, FILLER))
}

/** The policy for a caller with these claims; null: without any. What cannot be filled in allows nothing. */
export function filledPolicy(policy: RolePolicy, claims: Claims | null): RolePolicy {
  return {
    ...policy,
    allowedDomains: policy.allowedDomains.flatMap((pattern) => filledDomain(pattern, claims)),
    allowedEmailDomains: policy.allowedEmailDomains.flatMap((pattern) => filledDomain(pattern, claims)),
    allowedUriSans: policy.allowedUriSans.flatMap((pattern) => filledUri(pattern, claims)),
  }
}

/** A label or a part of one. No capitals: two subjects that differ by them alone would have the same name. */
const isLabelText = (value: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value)

function filledDomain(pattern: string, claims: Claims | null): string[] {
  if (!isTemplate(pattern)) return [pattern]
  const filled = fillTemplate(pattern, claims, isLabelText)
  if (filled === null) return []
  // What became of it has to be a name: a label of 63 characters at most, none that only looks like an A-label.
  const parsed = parseCertifiedDnsName(filled)
  return parsed.ok && parsed.value.name === filled ? [filled] : []
}

/** SPIFFE ID §2.2: what a segment of its path is made of. No star, which a pattern would read as any text. */
const isSegmentText = (value: string): boolean => /^[A-Za-z0-9._-]{1,255}$/.test(value)

/** SPIFFE ID §2: a trust domain in lower case, and a path; at most 2,048 bytes. */
const isSpiffeId = (value: string): boolean =>
  value.length <= 2_048 && /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[A-Za-z0-9._-]+)+$/.test(value)

function filledUri(pattern: string, claims: Claims | null): string[] {
  if (!isTemplate(pattern)) return [pattern]
  const filled = fillTemplate(pattern, claims, pattern === WHOLE_SUBJECT ? isSpiffeId : isSegmentText)
  // A segment that became `.` or `..` belongs to no name.
  return filled !== null && uriPatternError(filled) === null ? [filled] : []
}
