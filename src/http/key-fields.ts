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

/** For orders: what is left out is the tenant's setting, else as for accounts. */
export const ORDER_KEY_FIELDS = {
  key_type: z
    .enum(['ec', 'rsa'])
    .optional()
    .openapi({ description: "Default: the tenant's `default_key_type`, else ec" }),
  key_size: KEY_FIELDS.key_size,
}

const SIZES = { ec: [256, 384], rsa: [2048, 3072, 4096] } as const

/** The key that an order asks for. `usual`: what it is where the body says nothing. Throws `invalid_request` as `certificateKeyOf` does. */
export function orderKeyOf(
  body: { readonly key_type?: 'ec' | 'rsa' | undefined; readonly key_size?: number | undefined },
  usual: CertificateKeySpec,
): CertificateKeySpec {
  const type = body.key_type ?? usual.type
  return certificateKeyOf({ key_type: type, key_size: body.key_size ?? (type === usual.type ? usual.size : undefined) })
}

/** Throws `invalid_request` about `field` where the size does not belong to the type. */
export function certificateKeyOf(
  body: { readonly key_type: 'ec' | 'rsa'; readonly key_size?: number | undefined },
  field = 'key_size',
): CertificateKeySpec {
  const sizes: readonly number[] = SIZES[body.key_type]
  const size = body.key_size ?? sizes[0]
  if (size === undefined || !sizes.includes(size)) {
    throw invalidField(field, `for ${body.key_type} it is ${sizes.join(', ')}`)
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
