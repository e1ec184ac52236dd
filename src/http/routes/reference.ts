/** The API's description: as an OpenAPI document, and as a page to read. */
import { z } from '@hono/zod-openapi'
import { json, raw } from '../answer.ts'
import { definePublicRoute, type Route } from '../define-route.ts'
import { renderDocs } from '../docs-page.ts'
import { openApiDocument } from '../openapi.ts'

const PUBLIC = { public: 'it describes what everybody may know' }
/** It changes with a deployment, and holds nothing of any tenant. */
const CACHED = { 'cache-control': 'public, max-age=300' }

/** The two routes, over all routes; asked late, since they are among them. */
export function referenceRoutes(routes: () => readonly Route[]): readonly Route[] {
  const document = definePublicRoute({
    method: 'get',
    path: '/v1/openapi.json',
    tag: 'Service',
    summary: 'This reference as an OpenAPI 3.1 document',
    access: PUBLIC,
    responses: { 200: { description: 'The document', schema: z.record(z.string(), z.unknown()) } },
    handler: ({ deps }) => json(200, { ...openApiDocument(routes(), deps.settings.publicUrl) }, CACHED),
  })
  const page = definePublicRoute({
    method: 'get',
    path: '/v1/docs',
    tag: 'Service',
    summary: 'This reference as a page',
    access: PUBLIC,
    responses: { 200: { description: 'The page', mediaTypes: ['text/html'] } },
    async handler({ deps }) {
      const { html, policy } = await renderDocs(openApiDocument(routes(), deps.settings.publicUrl))
      return raw(200, 'text/html; charset=utf-8', html, { ...CACHED, 'content-security-policy': policy })
    },
  })
  return [document, page]
}
