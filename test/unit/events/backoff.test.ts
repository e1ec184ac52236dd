/** What follows from an attempt. */
import { describe, expect, it } from 'vitest'
import { consequenceOf, HEALTHY } from '../../../src/events/backoff.ts'
import type { WebhookResult } from '../../../src/events/webhook.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND
const DAY = 24 * HOUR
const NOW = Date.parse('2026-11-20T12:00:00Z')

const result = (kind: WebhookResult['kind'], retryAtMs: number | null = null): WebhookResult => ({
  kind,
  attempt: { atMs: NOW, durationMs: 5, status: null, error: 'x', response: null },
  retryAtMs,
})

const failed = (tries: number, endpoint: Partial<typeof HEALTHY> = {}, retryAtMs: number | null = null) =>
  consequenceOf(result('failed', retryAtMs), { tries }, { ...HEALTHY, ...endpoint }, NOW, 0)

describe('a failed delivery', () => {
  it('ok: is tried for a day, with longer and longer waits, and is then dead', () => {
    const waits: number[] = []
    for (let tries = 0; ; tries += 1) {
      const { delivery } = failed(tries)
      expect(delivery.tries).toBe(tries + 1)
      if (delivery.nextAttemptAtMs === null) {
        expect(delivery.status).toBe('dead')
        break
      }
      expect(delivery.status).toBe('pending')
      waits.push(delivery.nextAttemptAtMs - NOW)
    }
    expect(waits).toEqual([...waits].sort((a, b) => a - b))
    expect(waits[0]).toBe(5 * SECOND)
    const total = waits.reduce((sum, wait) => sum + wait, 0)
    expect(total).toBeGreaterThan(23 * HOUR)
    expect(total).toBeLessThanOrEqual(DAY)
  })

  it('ok: what failed together is not tried together', () => {
    const at = (chance: number) =>
      consequenceOf(result('failed'), { tries: 5 }, HEALTHY, NOW, chance).delivery.nextAttemptAtMs ?? 0
    expect(at(0.99) - at(0)).toBeGreaterThan(5 * 60 * SECOND)
    expect(at(0.99) - NOW).toBeLessThanOrEqual(1.1 * HOUR)
  })

  it('ok: the next event is tried at once after one failure, and after more the endpoint has a pause', () => {
    const pauses = [0, 1, 2, 3, 4, 5, 6, 60].map((failures) => {
      const { endpoint } = failed(0, { failures, failingSinceMs: NOW - HOUR, lastFailureMs: NOW - HOUR })
      return ((endpoint?.pausedUntilMs ?? 0) - NOW) / SECOND
    })
    expect(pauses).toEqual([0, 5, 15, 60, 300, 900, 900, 900])
  })

  it('ok: a pause that the receiver asks for holds for the delivery and for the others', () => {
    const { delivery, endpoint } = failed(0, {}, NOW + HOUR)
    expect(delivery.nextAttemptAtMs).toBe(NOW + HOUR)
    expect(endpoint?.pausedUntilMs).toBe(NOW + HOUR)
  })
})

describe('an endpoint', () => {
  it('ok: that is back after ten minutes in which everything failed has what waits due at once', () => {
    const delivered = (failures: number, minutes = 0) => {
      const [failingSinceMs, lastFailureMs] = [NOW - HOUR, NOW - HOUR + minutes * 60 * SECOND]
      const endpoint = failures === 0 ? HEALTHY : { ...HEALTHY, failures, failingSinceMs, lastFailureMs }
      return consequenceOf(result('delivered'), { tries: 3 }, endpoint, NOW, 0)
    }
    expect(delivered(0)).toEqual({
      delivery: { status: 'delivered', tries: 4, nextAttemptAtMs: null },
      endpoint: null,
      isBack: false,
      switchOff: null,
    })
    expect(delivered(1)).toMatchObject({ endpoint: HEALTHY, isBack: false })
    expect(delivered(2, 9.9)).toMatchObject({ endpoint: HEALTHY, isBack: false })
    expect(delivered(2, 10)).toMatchObject({ endpoint: HEALTHY, isBack: true })
  })

  it('ok: is switched off after five days in which everything failed, and not before', () => {
    const switchOffAfter = (days: number) =>
      failed(0, { failures: 20, failingSinceMs: NOW - days * DAY, lastFailureMs: NOW - HOUR }).switchOff
    expect(switchOffAfter(4.99)).toBeNull()
    expect(switchOffAfter(5)).toBe('failing')
  })

  it('ok: two failures with quiet days between them are no outage', () => {
    const { switchOff, endpoint } = failed(0, {
      failures: 11,
      failingSinceMs: NOW - 9 * DAY,
      lastFailureMs: NOW - 8 * DAY,
    })
    expect(switchOff).toBeNull()
    expect(endpoint?.failingSinceMs).toBe(NOW)
  })

  it('ok: that answers 410 is switched off at once', () => {
    expect(consequenceOf(result('gone'), { tries: 0 }, HEALTHY, NOW, 0)).toMatchObject({
      delivery: { status: 'pending' },
      switchOff: 'gone',
    })
  })

  it('ok: what cannot be sent says nothing of it', () => {
    expect(consequenceOf(result('unsendable'), { tries: 0 }, HEALTHY, NOW, 0)).toMatchObject({
      delivery: { status: 'dead', nextAttemptAtMs: null },
      endpoint: null,
      switchOff: null,
    })
  })
})
