import { describe, expect, it } from 'vitest'
import { testApp } from '../support/worker-app.ts'

describe('the application', () => {
  it('ok: healthz answers without a token', async () => {
    const app = await testApp()
    const answer = await app.request('GET', '/healthz', { token: null })
    expect(answer.status).toBe(200)
    expect(answer.json).toEqual({ status: 'ok' })
  })
})
