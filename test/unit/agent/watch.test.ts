import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { waitSeconds } from '../../../src/agent/watch.ts'

describe('waitSeconds', () => {
  it('ok: the interval, and after failures ever longer up to it', () => {
    expect([0, 1, 2, 3, 4, 20].map((failures) => waitSeconds(failures, 3_600, 0.5))).toEqual([
      3_600, 15, 30, 60, 120, 3_600,
    ])
  })

  it('ok: within a tenth of it, never at once', () => {
    const inputs = [
      fc.nat(2_000),
      fc.integer({ min: 1, max: 86_400 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
    ] as const
    fc.assert(
      fc.property(...inputs, (failures, interval, random) => {
        const wait = waitSeconds(failures, interval, random)
        expect(wait).toBeGreaterThanOrEqual(Math.min(15, interval) * 0.9 - 1e-9)
        expect(wait).toBeLessThanOrEqual(interval * 1.1 + 1e-9)
      }),
    )
  })
})
