import { describe, expect, it } from 'vitest'
import { type AdvisedCertificate, adviseRenewal } from '../../../src/renewal/renewal-advice.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const NOW = Date.UTC(2026, 10, 21)

/** A certificate of 90 days, 50 of them gone, that has been heard of by nobody. */
function certificate(changed: Partial<AdvisedCertificate> = {}): AdvisedCertificate {
  return {
    id: 'cert_1',
    version: 1,
    notBeforeMs: NOW - 50 * DAY_MS,
    notAfterMs: NOW + 40 * DAY_MS,
    nextRenewalAtMs: NOW + 10 * DAY_MS,
    renewalFailures: 0,
    ariStartMs: null,
    ariEndMs: null,
    ...changed,
  }
}

const windowOf = (startDays: number, endDays: number) => ({
  startMs: NOW + startDays * DAY_MS,
  endMs: NOW + endDays * DAY_MS,
  explanationUrl: null,
  retryAfterMs: null,
})

describe('what a suggested window means (RFC 9773 §4.2)', () => {
  it('ok: a time within it, the same for as long as the window is, spread over certificates', () => {
    const times = Array.from({ length: 200 }, (_, index) => {
      const row = certificate({ id: `cert_${index}` })
      const first = adviseRenewal(row, windowOf(8, 12), NOW)
      const known = { ...row, ariStartMs: NOW + 8 * DAY_MS, ariEndMs: NOW + 12 * DAY_MS }
      const again = adviseRenewal({ ...known, nextRenewalAtMs: first.renewAtMs }, windowOf(8, 12), NOW + DAY_MS)
      expect(again).toEqual({ renewAtMs: first.renewAtMs, isNews: false })
      return (first.renewAtMs ?? 0) - NOW
    })
    expect(Math.min(...times)).toBeGreaterThanOrEqual(8 * DAY_MS)
    expect(Math.max(...times)).toBeLessThan(12 * DAY_MS)
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(3.8 * DAY_MS)
    const mean = times.reduce((sum, each) => sum + each, 0) / times.length
    expect(Math.abs(mean - 10 * DAY_MS)).toBeLessThan(0.3 * DAY_MS)
  })

  it('ok: one in the past is due at once, and is news; the first ordinary one is none', () => {
    const past = adviseRenewal(certificate(), windowOf(-3, -2), NOW)
    expect(past.renewAtMs).toBeLessThanOrEqual(NOW)
    expect(past.isNews).toBe(true)
    expect(adviseRenewal(certificate(), windowOf(8, 12), NOW).isNews).toBe(false)
  })

  it('ok: one that moves is news, with another time', () => {
    const row = certificate({ ariStartMs: NOW + 8 * DAY_MS, ariEndMs: NOW + 12 * DAY_MS })
    const moved = adviseRenewal(row, windowOf(2, 3), NOW)
    expect(moved.isNews).toBe(true)
    expect(moved.renewAtMs).toBeGreaterThanOrEqual(NOW + 2 * DAY_MS)
    expect(moved.renewAtMs).toBeLessThan(NOW + 3 * DAY_MS)
  })

  it.each([
    [90, 39, 40],
    [90, 4_000, 5_000],
    [6, 2.9, 3],
  ])('ok: of %d days, a tenth is kept for the tries after a failure, whatever the CA suggests', (days, start, end) => {
    const row = certificate({ notBeforeMs: NOW - (days / 2) * DAY_MS, notAfterMs: NOW + (days / 2) * DAY_MS })
    const { renewAtMs } = adviseRenewal(row, windowOf(start, end), NOW)
    expect(renewAtMs).toBe(row.notAfterMs - (days / 10) * DAY_MS)
  })

  it('fail: a CA whose every new certificate is due at once cannot make us order without an end', () => {
    const fresh = { notBeforeMs: NOW, notAfterMs: NOW + 90 * DAY_MS, nextRenewalAtMs: NOW + 60 * DAY_MS }
    expect(adviseRenewal(certificate(fresh), windowOf(-3, -2), NOW).renewAtMs).toBe(NOW)
    const renewed = adviseRenewal(certificate({ ...fresh, version: 2 }), windowOf(-3, -2), NOW)
    expect(renewed.renewAtMs).toBe(NOW + 12 * HOUR_MS)
    const short = { ...fresh, notAfterMs: NOW + 6 * DAY_MS, version: 2 }
    expect(adviseRenewal(certificate(short), windowOf(-3, -2), NOW).renewAtMs).toBe(NOW + 3 * HOUR_MS)
  })

  it('fail: while renewals fail, a window in the past does not order at every check', () => {
    const failing = { renewalFailures: 4, nextRenewalAtMs: NOW + DAY_MS }
    const known = { ariStartMs: NOW - 3 * DAY_MS, ariEndMs: NOW - 2 * DAY_MS }
    const same = adviseRenewal(certificate({ ...failing, ...known }), windowOf(-3, -2), NOW)
    expect(same).toEqual({ renewAtMs: NOW + DAY_MS, isNews: false })
    const unheard = adviseRenewal(certificate(failing), windowOf(-3, -2), NOW)
    expect(unheard).toEqual({ renewAtMs: NOW + DAY_MS, isNews: false })
    // A window that moved may bring it forward, and never back.
    const sooner = adviseRenewal(certificate({ ...failing, ...known }), windowOf(-2, -1), NOW)
    expect(sooner.isNews).toBe(true)
    expect(sooner.renewAtMs).toBeLessThan(NOW)
    const later = adviseRenewal(certificate({ ...failing, ...known }), windowOf(5, 6), NOW)
    expect(later).toEqual({ renewAtMs: NOW + DAY_MS, isNews: false })
  })
})
