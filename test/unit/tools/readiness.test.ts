import { describe, expect, it } from 'vitest'
import { readReadiness } from '../../../tools/readiness.ts'

const answer = (checks: Record<string, string>): string =>
  JSON.stringify({ status: 'x', checks: { database: 'ok', migrations: 'ok', cron: 'starting', ...checks } }, null, 2)

describe('what /readyz says to whoever starts the service', () => {
  it('ok: it is ready by its status, with or without an address that others can reach', () => {
    expect(readReadiness(200, answer({ public_url: 'ok' }))).toEqual({ isReady: true, lacksPublicUrl: false })
    expect(readReadiness(200, answer({ public_url: 'failed' }))).toEqual({ isReady: true, lacksPublicUrl: true })
  })

  it('ok: where the address alone is wrong it is ready, however the answer is written', () => {
    expect(readReadiness(503, answer({ public_url: 'failed' }))).toEqual({ isReady: true, lacksPublicUrl: true })
  })

  it.each([{ key_ring: 'failed' }, { migrations: 'missing', key_ring: 'starting' }])(
    'fail: with something else wrong, %o, it is not',
    (checks) => {
      expect(readReadiness(503, answer({ ...checks, public_url: 'failed' })).isReady).toBe(false)
      expect(readReadiness(503, answer({ ...checks, public_url: 'ok' })).isReady).toBe(false)
    },
  )

  it.each(['', 'Bad Gateway', 'null', '[]', '{"checks":null}', '{"error":{"code":"internal"}}'])(
    'fail: an answer of something else is not that of a service that is ready: %s',
    (body) => {
      expect(readReadiness(503, body)).toEqual({ isReady: false, lacksPublicUrl: false })
    },
  )
})
