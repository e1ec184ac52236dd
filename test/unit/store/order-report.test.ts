/** Reports of orders, as rows hold them: with the names of this release, and with those of the API, as earlier ones wrote them. */
import { describe, expect, it } from 'vitest'
import { EMPTY_REPORT, type OrderReport, orderReportSchema } from '../../../src/store/order-report.ts'

const REPORT: OrderReport = {
  version: 2,
  challenges: [
    {
      id: 'acme_chal_1_0',
      domain: '*.example.org',
      type: 'dns-01',
      status: 'pending',
      token: 't',
      keyAuthorization: 't.k',
      recordName: '_acme-challenge.example.org',
      recordValue: 'v',
      error: null,
    },
    {
      id: 'acme_chal_1_1',
      domain: 'example.org',
      type: 'dns-persist-01',
      status: 'invalid',
      token: null,
      keyAuthorization: null,
      recordName: null,
      recordValue: null,
      error: 'no record',
    },
  ],
  log: [{ atMs: Date.parse('2026-04-23T14:00:00Z'), message: 'm' }],
  error: { code: 'backend_error', message: 'e' },
  warnings: ['w'],
  waitingFor: 'the CA',
  lastError: { code: 'too_many_errors', message: 'l' },
  attempt: 3,
}

/** The same as the releases before version 2 wrote it. */
const BEFORE = {
  challenges: [
    {
      id: 'acme_chal_1_0',
      domain: '*.example.org',
      type: 'dns-01',
      status: 'pending',
      token: 't',
      key_authorization: 't.k',
      record_name: '_acme-challenge.example.org',
      record_value: 'v',
      error: null,
    },
    {
      id: 'acme_chal_1_1',
      domain: 'example.org',
      type: 'dns-persist-01',
      status: 'invalid',
      token: null,
      key_authorization: null,
      record_name: null,
      record_value: null,
      error: 'no record',
    },
  ],
  log: [{ at: '2026-04-23T14:00:00Z', message: 'm' }],
  error: { code: 'backend_error', message: 'e' },
  warnings: ['w'],
  waiting_for: 'the CA',
  last_error: { code: 'too_many_errors', message: 'l' },
  attempt: 3,
}

describe('the stored report of an order', () => {
  it('ok: is read as it was written', () => {
    expect(orderReportSchema.parse(JSON.parse(JSON.stringify(REPORT)))).toEqual(REPORT)
    expect(orderReportSchema.parse(JSON.parse(JSON.stringify(EMPTY_REPORT)))).toEqual(EMPTY_REPORT)
  })

  it('ok: of earlier releases is read with everything that it says', () => {
    expect(orderReportSchema.parse(BEFORE)).toEqual(REPORT)
  })

  it('ok: of the first releases ends with the warnings', () => {
    expect(orderReportSchema.parse({ challenges: [], log: [], error: null, warnings: [] })).toEqual(EMPTY_REPORT)
  })

  it.each([
    ['a version that is not known', { ...REPORT, version: 3 }],
    ['a version that is not known, and nothing to tell', { ...EMPTY_REPORT, version: 3 }],
    ['names of both versions', { ...REPORT, challenges: BEFORE.challenges }],
    ['a time that is none', { ...BEFORE, log: [{ at: 'yesterday', message: 'm' }] }],
    ['no challenges', { ...BEFORE, challenges: undefined }],
  ])('fail: %s', (_what, stored) => {
    expect(orderReportSchema.safeParse(stored).success).toBe(false)
  })
})
