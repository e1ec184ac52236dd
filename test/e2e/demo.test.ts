import { describe, expect, it } from 'vitest'
import { freePort } from '../support/ports.ts'
import { runSuccessfully } from '../support/process.ts'

describe('npm run demo', () => {
  it('ok: does the main job from nothing, and ends with --once', async () => {
    const said = await runSuccessfully(process.execPath, ['tools/demo.ts', '--once'], {
      env: { PORT: String(await freePort()) },
      timeoutMs: 120_000,
    })
    expect(said).toContain('openssl verifies it for *.acme.example and acme.example, up to the root of the CA')
    expect(said).toContain('no TXT record is left in the zone')
    expect(said).toContain('version 2 under the same id')
    expect(said).toContain('openssl verifies it with both CRLs')
    expect(said).toContain('openssl refuses it: certificate revoked')
  })
})
