/** Errors as callers see them: one envelope, whatever went wrong. Does not log. */
import { z } from '@hono/zod-openapi'
import { AppError, ERRORS, type ErrorCode } from '../core/errors.ts'
import { type JsonAnswer, json } from './answer.ts'

export const errorEnvelope = z
  .strictObject({
    error: z.strictObject({
      code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
      message: z.string(),
      request_id: z.string(),
      details: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
      retry_after: z.number().int().optional().openapi({ description: 'Seconds until it is worth trying again' }),
    }),
  })
  .openapi('Error')

export type ErrorEnvelope = z.infer<typeof errorEnvelope>

/** The answer for anything that was thrown. What is not an AppError is `internal`, and `internal` says nothing. */
export function errorAnswer(thrown: unknown, requestId: string): JsonAnswer<number, ErrorEnvelope> {
  const error = thrown instanceof AppError ? thrown : new AppError('internal', '')
  const row = ERRORS[error.code]
  const retryAfter = error.retryAfterSeconds === null ? null : Math.max(1, Math.ceil(error.retryAfterSeconds))
  const body: ErrorEnvelope = {
    error: {
      code: error.code,
      message: row.expose && error.message !== '' ? error.message : row.title,
      request_id: requestId,
      ...(row.expose && error.details.length > 0 ? { details: [...error.details] } : {}),
      ...(retryAfter === null ? {} : { retry_after: retryAfter }),
    },
  }
  return json(row.status, body, {
    ...(retryAfter === null ? {} : { 'retry-after': String(retryAfter) }),
    // RFC 9110 §11.6.1: a 401 MUST carry a challenge.
    ...(row.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  })
}
