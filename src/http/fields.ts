/** Fields that many bodies have. */
import { z } from '@hono/zod-openapi'

/** A name that people give: 1–100 characters on one line. */
export const nameField = z
  .string()
  .trim()
  .min(1)
  .max(100)
  // Not a regex of the schema: its flags would end up inside of the document's pattern.
  .refine((text) => !/\p{Cc}/u.test(text), 'must be one line of text without control characters')
