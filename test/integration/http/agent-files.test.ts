import { describe, expect, it } from 'vitest'
import { sha256, toHex, utf8 } from '../../../src/core/bytes.ts'
import { testApp } from '../support/worker-app.ts'

describe('the companion', () => {
  it('ok: is served to everybody, with the checksum of what is served', async () => {
    const app = await testApp()
    const program = await app.request('GET', '/agent/certwright.mjs', { token: null })
    expect([program.status, program.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8'])
    expect(program.headers.get('cache-control')).toContain('no-transform')
    const sums = await app.request('GET', '/agent/checksums.txt', { token: null })
    expect(sums.status).toBe(200)
    expect(sums.text).toBe(`${toHex(await sha256(utf8(program.text)))}  certwright.mjs\n`)
  })
})
