/** Reading stored private keys: as PEM, and in a PKCS#12 file. No key leaves without a trace in the audit log. */

import { z } from '@hono/zod-openapi'
import { exportPkcs12, readPrivateKey } from '../../certificates/export-certificate.ts'
import { resourceName } from '../../core/resources.ts'

import { json, raw } from '../answer.ts'
import { defineRoute, type Route } from '../define-route.ts'

const params = z.object({ id: z.string() })
const resourceOf = ({ id }: { readonly id: string }) => resourceName.certificate(id)

const privateKey = defineRoute({
  method: 'post',
  path: '/v1/pki/certificates/{id}/private-key',
  tag: 'Certificates',
  summary: 'Read the stored private key',
  description: 'PKCS#8. Every read is audited.',
  access: { scope: 'pki:issue', resource: resourceOf },
  params,
  responses: { 200: { description: 'The key', schema: z.strictObject({ private_key_pem: z.string() }) } },
  handler: async ({ params: { id }, actor, deps }) =>
    json(200, { private_key_pem: await readPrivateKey(deps.store, actor, id) }),
})

const exportRoute = defineRoute({
  method: 'post',
  path: '/v1/pki/certificates/{id}/export',
  tag: 'Certificates',
  summary: 'Certificate, chain and private key as PKCS#12',
  description:
    'AES-256 with PBKDF2 (RFC 7292, RFC 8018), as openssl and keytool open it. Audited as reading the key is.',
  access: { scope: 'pki:issue', resource: resourceOf },
  params,
  body: z
    .strictObject({
      format: z.literal('pkcs12').default('pkcs12'),
      passphrase: z.string().min(8).max(1_000),
      friendly_name: z.string().min(1).max(128).optional(),
    })
    .openapi('ExportRequest'),
  responses: { 200: { description: 'The PKCS#12 file', mediaTypes: ['application/x-pkcs12'] } },
  async handler({ params: { id }, body, actor, deps }) {
    const request = { passphrase: body.passphrase, friendlyName: body.friendly_name ?? null }
    const file = await exportPkcs12(deps.store, actor, id, request)
    const disposition = `attachment; filename="${id}.p12"`
    return raw(200, 'application/x-pkcs12', file, { 'content-disposition': disposition })
  },
})

export const certificateKeyRoutes: readonly Route[] = [privateKey, exportRoute]
