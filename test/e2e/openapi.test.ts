import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FilledService, startFilledService } from '../support/every-route/filled-service.ts'
import { sendRequests } from '../support/every-route/sent-requests.ts'
import { parseExposition } from '../support/prometheus.ts'

let filled: FilledService

beforeAll(async () => {
  filled = await startFilledService()
})
afterAll(() => filled?.stop())

/** Of every operation a few; openapi-whole.test.ts sends more. */
const FEW = { phases: ['examples', 'fuzzing'], maxExamples: 3, seed: 20261120, timeoutMs: 240_000 }

describe('the OpenAPI document', () => {
  it('ok: the service answers as it says, whatever is sent about the things of a filled tenant (schemathesis)', async () => {
    const sent = await sendRequests(filled, FEW)
    expect([sent.code, sent.failed], sent.output).toEqual([0, []])
    expect(sent.operations.length).toBe(sent.documented)
    expect(sent.refused.length / sent.documented, sent.refused.join(', ')).toBeLessThanOrEqual(0.1)
  })
})

describe('the metrics', () => {
  it('ok: are what the client library of Prometheus reads, each metric once', async () => {
    const { service } = filled
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
