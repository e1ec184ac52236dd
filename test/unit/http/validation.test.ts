import { z } from '@hono/zod-openapi'
import { describe, expect, it } from 'vitest'
import type { AppError } from '../../../src/core/errors.ts'
import { parseWith } from '../../../src/http/validation.ts'

function refusal(schema: z.ZodType, value: unknown, whole?: string): string {
  try {
    parseWith(schema, value, whole)
  } catch (error) {
    return (error as AppError).message
  }
  throw new Error('it was taken')
}

describe('sentences about values', () => {
  it.each([
    [z.number().int(), 1e300, 'the body: is too large'],
    [z.number().int(), -1e300, 'the body: is too small'],
    [z.number().int().max(9), 10, 'the body: must be at most 9'],
    [z.number().gt(5), 5, 'the body: must be more than 5'],
    [z.number().lt(5), 5, 'the body: must be less than 5'],
    [z.strictObject({}), [], 'the body: must be an object'],
    [
      z.record(z.string().max(3), z.string()),
      { long: 'x' },
      'the body: has a field whose name must be at most 3 characters long',
    ],
  ])('fail: case %#', (schema, value, message) => {
    expect(refusal(schema, value)).toBe(message)
  })

  it('fail: what is not the body is called by its name', () => {
    expect(refusal(z.string(), 7, 'the query')).toBe('the query: must be text')
  })
})
