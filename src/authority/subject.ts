/** Subjects as callers give them: by fields, with errors that name the field. */
import type { Bytes } from '../core/bytes.ts'
import { invalidField } from '../core/errors.ts'
import { buildName, type SubjectFields } from '../pki/distinguished-name.ts'

/** The subject in DER. `prefix` stands before the name of a field in errors. Throws `invalid_request`. */
export function requireSubjectName(subject: SubjectFields, prefix: '' | 'subject.'): Bytes {
  const name = buildName(subject)
  if (name.ok) return name.value
  throw invalidField(`${prefix}${subjectFieldName(name.error.field)}`, name.error.message)
}

/** A field of a subject as bodies have it: `organizational_unit`. */
export const subjectFieldName = (field: keyof SubjectFields): string =>
  field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
