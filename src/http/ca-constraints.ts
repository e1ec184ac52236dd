/** Name constraints of CAs (RFC 5280 §4.2.1.10): fields of answers, and those of bodies beyond DNS domains. */
import { z } from '@hono/zod-openapi'
import { type ConstraintFields, constraintNames, shownConstraints } from '../authority/cas/name-constraints.ts'
import { parseStored } from '../authority/signer.ts'
import type { NameConstraintsInput } from '../pki/build-extensions.ts'

const names = (description: string) => z.array(z.string().min(1).max(254)).max(100).default([]).openapi({ description })
const EMAIL = 'example.com for the mailboxes of that host, .example.com for those of all hosts below it'
const URI = 'example.com for URIs of that host, .example.com for those of all hosts below it'
const RANGE = '10.0.0.0/8 or fd00::/8'

/** Spread into the body's schema. */
export const CONSTRAINT_FIELDS = {
  permitted_email_domains: names(EMAIL),
  excluded_email_domains: names(EMAIL),
  permitted_uri_domains: names(URI),
  excluded_uri_domains: names(URI),
  permitted_ip_ranges: names(RANGE),
  excluded_ip_ranges: names(RANGE),
}

/** Spread into the answer's schema. */
export const SHOWN_CONSTRAINTS = {
  permitted_dns_domains: z.array(z.string()),
  excluded_dns_domains: z.array(z.string()),
  permitted_email_domains: z.array(z.string()),
  excluded_email_domains: z.array(z.string()),
  permitted_uri_domains: z.array(z.string()),
  excluded_uri_domains: z.array(z.string()),
  permitted_ip_ranges: z.array(z.string()),
  excluded_ip_ranges: z.array(z.string()),
}

type ConstraintBody = { readonly [Name in keyof typeof CONSTRAINT_FIELDS]: readonly string[] }

const sideOf = (body: ConstraintBody, side: 'permitted' | 'excluded'): ConstraintFields => ({
  emailDomains: body[`${side}_email_domains`],
  uriDomains: body[`${side}_uri_domains`],
  ipRanges: body[`${side}_ip_ranges`],
})

/** Throws `invalid_request` for a text that is not a constraint of its kind. */
export const constraintsOf = (body: ConstraintBody): NameConstraintsInput => ({
  permitted: constraintNames('permitted', sideOf(body, 'permitted')),
  excluded: constraintNames('excluded', sideOf(body, 'excluded')),
})

/** What the certificate of a CA says, also of one from elsewhere. */
export function showConstraints(certificatePem: string) {
  const { nameConstraints } = parseStored(certificatePem)
  const permitted = shownConstraints(nameConstraints?.permitted ?? [])
  const excluded = shownConstraints(nameConstraints?.excluded ?? [])
  return {
    permitted_dns_domains: permitted.dnsDomains,
    excluded_dns_domains: excluded.dnsDomains,
    permitted_email_domains: permitted.emailDomains,
    excluded_email_domains: excluded.emailDomains,
    permitted_uri_domains: permitted.uriDomains,
    excluded_uri_domains: excluded.uriDomains,
    permitted_ip_ranges: permitted.ipRanges,
    excluded_ip_ranges: excluded.ipRanges,
  }
}
