/** Certificates and keys that are brought: PEM, encrypted or not, or a PKCS#12 file. */
import { z } from '@hono/zod-openapi'
import type { BroughtMaterial } from '../authority/given/given-material.ts'

const text = z.string().min(1).max(1_000_000)

/** Spread into a body's schema. */
export const MATERIAL_FIELDS = {
  certificate_pem: text.optional().openapi({ description: 'Needed unless there is pkcs12' }),
  private_key_pem: text.optional().openapi({ description: 'PKCS#8, also encrypted with PBES2; SEC1; PKCS#1' }),
  chain_pem: text.optional().openapi({ description: 'The certificates above it, its issuer first' }),
  pkcs12: text.optional().openapi({
    description:
      'A PKCS#12 file in base64, in place of the three: its key, the certificate of that key, and those above',
  }),
  passphrase: z
    .string()
    .max(1_000)
    .optional()
    .openapi({ description: 'Of the file, or of the encrypted private key. It is not kept' }),
}

interface MaterialBody {
  readonly certificate_pem?: string | undefined
  readonly private_key_pem?: string | undefined
  readonly chain_pem?: string | undefined
  readonly pkcs12?: string | undefined
  readonly passphrase?: string | undefined
}

export const materialOf = (body: MaterialBody): BroughtMaterial => ({
  certificatePem: body.certificate_pem ?? null,
  privateKeyPem: body.private_key_pem ?? null,
  chainPem: body.chain_pem ?? null,
  pkcs12: body.pkcs12 ?? null,
  passphrase: body.passphrase ?? null,
})
