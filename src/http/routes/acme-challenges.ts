/** `/.well-known/acme-challenge/{token}`: what a CA asks for (RFC 8555 §8.3), for every order of every tenant. */
import { z } from '@hono/zod-openapi'
import { findKeyAuthorization } from '../../challenges/http-01.ts'
import { missing } from '../../core/errors.ts'
import { raw } from '../answer.ts'
import { definePublicRoute, type Route } from '../define-route.ts'

const answerChallenge = definePublicRoute({
  method: 'get',
  path: '/.well-known/acme-challenge/{token}',
  tag: 'ACME',
  summary: 'Answer an http-01 challenge',
  description: 'Route this path of your hosts here, or redirect it.',
  access: { public: 'CAs have none' },
  params: z.object({ token: z.string() }),
  responses: {
    200: { description: 'The key authorization', mediaTypes: ['application/octet-stream'] },
  },
  async handler({ params: { token }, deps }) {
    const known = await findKeyAuthorization(deps, token)
    if (known === null) throw missing('challenge')
    // As in the example of RFC 8555 §8.3.
    return raw(200, 'application/octet-stream', known)
  },
})

export const acmeChallengeRoutes: readonly Route[] = [answerChallenge]
