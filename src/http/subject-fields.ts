/** Fields of a subject's name, as bodies have them, and the form that the PKI takes. */
import { z } from '@hono/zod-openapi'
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
