/** The OpenAPI 3.1 document, made of the declared routes: what is served is what is described. */
import { OpenAPIHono } from '@hono/zod-openapi'
import { ERRORS } from '../core/errors.ts'
import { SCOPES } from '../core/principal.ts'
import { EVENT_CATALOGUE, exampleBody } from '../events/catalogue.ts'
import { bodySchema } from '../events/catalogue-document.ts'
import type { Route } from './define-route.ts'

export type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>

const documents = new WeakMap<readonly Route[], OpenApiDocument>()

/** The document of these routes. Made once. */
export function openApiDocument(routes: readonly Route[], publicUrl: string): OpenApiDocument {
  const known = documents.get(routes)
  if (known !== undefined) return known
  const registry = new OpenAPIHono()
  registry.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: `A token as POST /v1/tokens makes it (cw_…), or one of an issuer that the tenant trusts (a JWT, see /v1/sign-in/issuers), with scopes:\n\n${scopeLines()}`,
  })
  for (const route of routes) registry.openAPIRegistry.registerPath(route.openapi)
  const document = registry.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Certwright', version: '1', description: INTRODUCTION },
    // Where it is not set: the address that the document came from.
    servers: [{ url: publicUrl || '/' }],
  })
  const whole = { ...document, webhooks: webhooks() }
  documents.set(routes, whole)
  return whole
}

/** What subscriptions deliver, one entry for each event: the schemas are JSON Schema, as OpenAPI 3.1 takes them. */
function webhooks(): NonNullable<OpenApiDocument['webhooks']> {
  return Object.fromEntries(
    EVENT_CATALOGUE.map((kind) => {
      const content = { 'application/json': { schema: bodySchema(kind), example: exampleBody(kind) } }
      const post = {
        tags: [EVENTS_TAG],
        summary: kind.name,
        description: kind.meaning,
        requestBody: { required: true, content },
        responses: { '2XX': { description: 'It was taken: any status from 200 to 299' } },
        security: [],
      }
      return [kind.name, { post }]
    }),
  )
}

const EVENTS_TAG = 'Events'

const INTRODUCTION = `TLS certificates by ACME and from an internal PKI.

JSON in and out; times in RFC 3339 UTC. Lists are newest first unless they say otherwise and go on with \`cursor\`.
Every answer carries \`X-Request-Id\`. POSTs that create or issue take \`Idempotency-Key\`.

Errors are one envelope, with these codes:

${Object.entries(ERRORS)
  .map(([code, { status, title }]) => `- \`${code}\` ${status}: ${title}`)
  .join('\n')}`

function scopeLines(): string {
  return Object.entries(SCOPES)
    .map(([scope, included]) => `- \`${scope}\`${included.length === 0 ? '' : `, with ${included.join(', ')}`}`)
    .join('\n')
}
