/** What rows of certificates and of requests hold as JSON: names, and how an internal certificate was asked for. */
import { z } from 'zod'
import { KEY_USAGES } from '../pki/extensions.ts'
import { strings } from './stored-json.ts'

/** The subject alternative names by type, each in its canonical text form. */
export const certificateNamesSchema = z
  .strictObject({ dns: strings, ip: strings, email: strings, uri: strings })
  .readonly()
export type CertificateNames = z.output<typeof certificateNamesSchema>

const approvedTerms = z
  .strictObject({
    maxTtlSeconds: z.number(),
    /** Object identifiers. */
    extKeyUsage: strings,
    /** Null: what the kind of key is used for. */
    keyUsages: z.array(z.enum(KEY_USAGES)).readonly().nullable(),
  })
  .readonly()
export type ApprovedTerms = z.output<typeof approvedTerms>

/** How an internal certificate was asked for: what its renewals go by. */
export const issueTermsSchema = z
  .strictObject({
    /** From the moment of issuing to the end that was asked for: where the CA ends earlier, so does the certificate. */
    ttlSeconds: z.number(),
    /** Was a common name asked for? One that is too long for the subject stands among the alternative names alone. */
    hasCommonName: z.boolean(),
    /** What was granted when a request was approved. Null under a role, which is asked anew. */
    approved: approvedTerms.nullable(),
  })
  .readonly()
export type IssueTerms = z.output<typeof issueTermsSchema>
