import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ROUTES } from '../../../src/http/routes.ts'
import { testApp } from '../support/worker-app.ts'

const TAKING = ROUTES.filter(({ method }) => method === 'post' || method === 'put' || method === 'patch')

/** Bodies that are nearly right are more telling than noise: fields of the schemas with values of every kind. */
const FIELDS = [
  'name',
  'scopes',
  'paths',
  'ttl',
  'expires_at',
  'data',
  'secret_type',
  'type',
  'provider',
  'provider_type',
  'config',
  'credentials',
  'managed_zones',
  'verify',
  'account_id',
  'domains',
  'challenge_type',
  'key_type',
  'key_size',
  'csr_pem',
  'directory_url',
  'environment',
  'email',
  'eab',
  'tags',
  'description',
  'auto_renew',
  'cursor',
  'not_after',
  'solver',
]
const nearlyRight = fc.dictionary(
  fc.constantFrom(...FIELDS),
  fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('dns-01', 'rfc2136', 'cloudflare', 'custom', 'letsencrypt', 'json', '30d', 'acme.example', '-1'),
    fc.array(fc.constantFrom('pki:read', 'acme.example', '*.acme.example', 'a'.repeat(300), '\u0000'), {
      maxLength: 3,
    }),
  ),
)

describe('whatever is sent', () => {
  it.each(TAKING.map(({ method, path }) => [method, path] as const))(
    'ok: %s %s answers with an envelope, never with a 500',
    async (method, path) => {
      const app = await testApp()
      const url = path.replaceAll(/\{\w+\}/g, 'x')
      await fc.assert(
        fc.asyncProperty(fc.oneof(nearlyRight, fc.jsonValue()), async (body) => {
          const answer = await app.request(method.toUpperCase(), url, { body })
          // 502 would be a CA or a provider: these tests have no network, and it is said as such.
          expect([200, 201, 202, 204, 400, 403, 404, 409, 422, 502]).toContain(answer.status)
          expect(answer.status < 400 || typeof answer.json?.error?.code === 'string').toBe(true)
        }),
        { numRuns: 40 },
      )
    },
  )
})
