import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseExposition } from '../support/prometheus.ts'
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

describe('the metrics', () => {
  it('ok: are what the client library of Prometheus reads, each metric once', async () => {
    const answer = await fetch(`${service.url}/v1/metrics`, { headers: { authorization: `Bearer ${service.token}` } })
    const families = await parseExposition(await answer.text())
    const names = families.map(({ name }) => name)
    expect(names).toContain('certwright_cron_age_seconds')
    expect(new Set(names).size).toBe(names.length)
    expect(families.filter(({ type, help }) => type !== 'gauge' || help === '')).toEqual([])
    const values = families.flatMap(({ samples }) => samples.map(({ value }) => Number(value)))
    expect(values.length).toBeGreaterThan(15)
    expect(values.filter((value) => !Number.isFinite(value))).toEqual([])
  })
})
