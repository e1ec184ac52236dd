/** Is the service alive? Does not look at the database: see `readiness.ts`. */
import { z } from '@hono/zod-openapi'
import { json } from '../answer.ts'
import { definePublicRoute } from '../define-route.ts'

export const health = definePublicRoute({
  method: 'get',
  path: '/healthz',
  tag: 'Service',
  summary: 'Is the service alive?',
  access: { public: 'a supervisor has none' },
  responses: { 200: { description: 'It answers', schema: z.strictObject({ status: z.literal('ok') }) } },
  handler: () => json(200, { status: 'ok' }),
})
