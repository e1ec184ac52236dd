/** The OpenAPI 3.1 document, made of the declared routes: what is served is what is described. */
import { OpenAPIHono } from '@hono/zod-openapi'
import { ERRORS } from '../core/errors.ts'
import { SCOPES } from '../core/principal.ts'
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
    description: `A token as POST /v1/tokens makes it (cw_…), with scopes:\n\n${scopeLines()}`,
  })
  for (const route of routes) registry.openAPIRegistry.registerPath(route.openapi)
  const document = registry.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Certwright', version: '1', description: INTRODUCTION },
    // Where it is not set: the address that the document came from.
    servers: [{ url: publicUrl || '/' }],
  })
  documents.set(routes, document)
  return document
}

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
