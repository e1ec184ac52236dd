/** `key_type` and `key_size` of what public CAs certify and of accounts at them. */
import { z } from '@hono/zod-openapi'
import { invalidField } from '../core/errors.ts'
import type { CertificateKeySpec } from '../orders/order-request.ts'

/** Spread into a body's schema. */
export const KEY_FIELDS = {
  key_type: z.enum(['ec', 'rsa']).default('ec'),
  key_size: z
    .number()
    .int()
    .optional()
    .openapi({ description: 'ec: 256 (default) or 384; rsa: 2048 (default), 3072 or 4096' }),
}

const SIZES = { ec: [256, 384], rsa: [2048, 3072, 4096] } as const

/** Throws `invalid_request` where the size does not belong to the type. */
export function certificateKeyOf(body: {
  readonly key_type: 'ec' | 'rsa'
  readonly key_size?: number | undefined
}): CertificateKeySpec {
  const sizes: readonly number[] = SIZES[body.key_type]
  const size = body.key_size ?? sizes[0]
  if (size === undefined || !sizes.includes(size)) {
    throw invalidField('key_size', `for ${body.key_type} it is ${sizes.join(', ')}`)
  }
  return { type: body.key_type, size } as CertificateKeySpec
}
