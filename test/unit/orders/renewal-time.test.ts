import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextRenewalMs, retryRenewalMs } from '../../../src/orders/renewal-time.ts'

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
    const delayMinutes = (retryRenewalMs('cert_a', failures, START) - START) / 60_000
    expect(delayMinutes).toBeGreaterThanOrEqual(minutes)
    expect(delayMinutes).toBeLessThanOrEqual(minutes * 1.1)
  })
})
