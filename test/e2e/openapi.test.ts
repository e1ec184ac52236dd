import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runSchemathesis } from '../support/schemathesis.ts'
import { type Service, startService } from '../support/service.ts'

let service: Service

beforeAll(async () => {
  service = await startService()
})
afterAll(() => service?.stop())

/** A 502 is a CA or provider that nobody has here; that there is no 500 is read from the log. */
const CHECKS = ['status_code_conformance', 'content_type_conformance', 'response_schema_conformance'] as const

describe('the OpenAPI document', () => {
  it('ok: the service answers as it says, whatever is sent (schemathesis)', async () => {
    const run = await runSchemathesis(`${service.url}/v1/openapi.json`, service.token, CHECKS, 20261120)
    expect(run.stdout).toMatch(/\d{3,} generated, \d{3,} passed/)
    expect(run.code).toBe(0)
    const faults = service
      .output()
      .split('\n')
      .filter((line) => line.includes('"status":500'))
    expect(faults).toEqual([])
  })
})
