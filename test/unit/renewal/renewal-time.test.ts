import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextRenewalMs, retryRenewalMs } from '../../../src/renewal/renewal-time.ts'

const DAY_MS = 86_400_000
const START = Date.UTC(2026, 10, 20)

const daysBeforeEnd = (lifetimeDays: number, id = 'cert_a') =>
  (START + lifetimeDays * DAY_MS - nextRenewalMs(id, START, START + lifetimeDays * DAY_MS)) / DAY_MS

describe('when a renewal is due', () => {
  it.each([
    [90, 30],
    [45, 15],
    [6, 3],
    [398, 398 / 3],
    [3650, 3650 / 3],
  ])('ok: a certificate of %d days, about %d days before its end', (lifetime, reserve) => {
    expect(daysBeforeEnd(lifetime)).toBeGreaterThanOrEqual(reserve)
    expect(daysBeforeEnd(lifetime)).toBeLessThanOrEqual(reserve + lifetime * 0.02 + 0.001)
  })

  it('ok: always the same for the same certificate, spread over others', () => {
    const times = Array.from({ length: 200 }, (_, index) => daysBeforeEnd(90, `cert_${index}`))
    expect(daysBeforeEnd(90, 'cert_7')).toBe(times[7])
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(1.5)
  })

  it('ok: never before the certificate is valid nor after it has expired', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60_000, max: 40_000 * DAY_MS }), fc.string(), (lifetimeMs, id) => {
        const due = nextRenewalMs(id, START, START + lifetimeMs)
        expect(due).toBeGreaterThan(START)
        expect(due).toBeLessThan(START + lifetimeMs)
      }),
    )
  })
})

describe('when a failed renewal is tried again', () => {
  it.each([
    [1, 1],
    [2, 10],
    [3, 100],
    [4, 1_440],
    [5, 1_440],
    [400, 1_440],
  ])('ok: after %d failures, in %d minutes and up to a tenth more', (failures, minutes) => {
    const delayMinutes = (retryRenewalMs('cert_a', failures, START + 30 * DAY_MS, START) - START) / 60_000
    expect(delayMinutes).toBeGreaterThanOrEqual(minutes)
    expect(delayMinutes).toBeLessThanOrEqual(minutes * 1.1)
  })

  it.each([
    [1, 72, 1],
    [4, 72, 540],
    [4, 24, 180],
    [4, 1, 15],
    [2, 1, 10],
    // Too late: once a day, until somebody looks.
    [9, -1, 1_440],
  ])(
    'ok: after %d failures with %d hours left, in %d minutes and up to a tenth more',
    (failures, hoursLeft, minutes) => {
      const retryMs = retryRenewalMs('cert_a', failures, START + (hoursLeft * DAY_MS) / 24, START)
      expect((retryMs - START) / 60_000).toBeGreaterThanOrEqual(minutes)
      expect((retryMs - START) / 60_000).toBeLessThanOrEqual(minutes * 1.1)
    },
  )

  it('ok: what is mended before the end is tried again before the end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 90 * DAY_MS }), fc.integer({ min: 1, max: 50 }), (leftMs, failures) => {
        const mendedMs = START + leftMs - 20 * 60_000
        let tryMs = START
        for (let failed = failures; tryMs < mendedMs; failed += 1) {
          tryMs = retryRenewalMs('cert_a', failed, START + leftMs, tryMs)
        }
        expect(tryMs).toBeLessThan(Math.max(START + leftMs, START + 1))
      }),
    )
  })
})
