/** `key_type` and `key_size`: of what public CAs certify and of accounts at them, and of the internal PKI, which has more. */
import { z } from '@hono/zod-openapi'
import { invalidField } from '../core/errors.ts'
import type { CertificateKeySpec, KeySpec } from '../pki/keys.ts'

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

/** Sizes of the internal PKI, the default first. */
const INTERNAL_SIZES = { rsa: [2048, 3072, 4096], ec: [256, 384, 521], ed25519: [256] } as const

export const internalKeyType = z.enum(['rsa', 'ec', 'ed25519'])
export const internalKeySize = z
  .number()
  .int()
  .optional()
  .openapi({ description: 'rsa: 2048 (default), 3072 or 4096; ec: 256 (default), 384 or 521; none for ed25519' })

/** The size of such a key; throws `invalid_request` where the size does not belong to the type. */
export function internalKeySizeOf(type: keyof typeof INTERNAL_SIZES, size: number | undefined, field: string): number {
  const sizes: readonly number[] = INTERNAL_SIZES[type]
  const chosen = size ?? (sizes[0] as number)
  if (!sizes.includes(chosen)) throw invalidField(field, `for ${type} it is ${sizes.join(', ')}`)
  return chosen
}

/** Throws `invalid_request` where the size does not belong to the type. */
export function internalKeyOf(type: keyof typeof INTERNAL_SIZES, size: number | undefined, field: string): KeySpec {
  const chosen = internalKeySizeOf(type, size, field)
  return type === 'ed25519' ? { type } : ({ type, size: chosen } as KeySpec)
}
