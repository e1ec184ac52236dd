/** As openapi.test.ts, with what each schema has at its limits, and with requests that follow on from answers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FilledService, startFilledService } from '../support/every-route/filled-service.ts'
import { sendRequests } from '../support/every-route/sent-requests.ts'

let filled: FilledService

beforeAll(async () => {
  filled = await startFilledService()
})
afterAll(() => filled?.stop())

const TIMEOUT_MS = 900_000
const MANY = {
  phases: ['examples', 'coverage', 'fuzzing', 'stateful'],
  maxExamples: 15,
  seed: 20261121,
  timeoutMs: TIMEOUT_MS,
}

describe('the OpenAPI document', () => {
  it(
    'ok: the service answers as it says, to thousands of requests (schemathesis)',
    async () => {
      const sent = await sendRequests(filled, MANY)
      expect([sent.code, sent.failed], sent.output).toEqual([0, []])
      expect(sent.operations.length).toBe(sent.documented)
      expect(sent.refused.length / sent.documented, sent.refused.join(', ')).toBeLessThanOrEqual(0.1)
    },
    TIMEOUT_MS,
  )
})
