/** Fields of a subject, the attributes of its name and its alternative names, as bodies have them, and the form that the PKI takes. */
import { z } from '@hono/zod-openapi'
import type { RequestedNames } from '../authority/roles/requested-names.ts'
import type { SubjectFields } from '../pki/distinguished-name.ts'

/** Spread into a body's schema. */
export const SUBJECT_FIELDS = {
  organization: z.string().max(64).optional(),
  organizational_unit: z.string().max(64).optional(),
  country: z.string().max(2).optional().openapi({ description: 'Two capital letters (ISO 3166)' }),
  province: z.string().max(128).optional(),
  locality: z.string().max(128).optional(),
}

interface SubjectBody {
  readonly organization?: string | undefined
  readonly organizational_unit?: string | undefined
  readonly country?: string | undefined
  readonly province?: string | undefined
  readonly locality?: string | undefined
}

export function subjectFieldsOf(body: SubjectBody): SubjectFields {
  return {
    ...(body.organization === undefined ? {} : { organization: body.organization }),
    ...(body.organizational_unit === undefined ? {} : { organizationalUnit: body.organizational_unit }),
    ...(body.country === undefined ? {} : { country: body.country }),
    ...(body.province === undefined ? {} : { province: body.province }),
    ...(body.locality === undefined ? {} : { locality: body.locality }),
  }
}

const names = z.array(z.string().min(1).max(255)).max(100).default([])

/** `san`: alternative names in place of those of a CSR. */
export const sanField = z.strictObject({
  dns: names,
  ip: names,
  email: names,
  uri: z.array(z.string().min(1).max(2_048)).max(100).default([]),
})

export const sanOf = (san: z.output<typeof sanField>): RequestedNames => ({ ...san, commonName: null })
