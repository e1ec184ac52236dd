import { describe, expect, it } from 'vitest'
import { openConfig } from '../../../src/challenges/open-provider.ts'
import { systemActor } from '../../../src/core/actor.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { ringEntry, testApp } from '../support/worker-app.ts'

describe('the name of the object that a provider is asked through', () => {
  const CONFIG = {
    tenantId: DEFAULT_TENANT_ID,
    id: 'dnsp_named',
    type: 'rfc2136',
    settings: { nameserver: '192.0.2.1:53' },
    credentials: { tsig_key: 'key', tsig_secret: 'd2Vhaw==' },
  }
  const namesUnder = async (ring: string, credentials = CONFIG.credentials) => {
    const { deps } = await testApp({ ring })
    const opened = await openConfig(deps, { ...CONFIG, credentials }, systemActor(DEFAULT_TENANT_ID))
    if (!opened.ok) throw new Error(opened.error)
    return opened.value.keys
  }

  it('ok: is the same for the same credentials, and another one for others', async () => {
    const ring = ringEntry('k1')
    expect(await namesUnder(ring)).toEqual(await namesUnder(ring))
    const others = await namesUnder(ring, { ...CONFIG.credentials, tsig_secret: 'b3RoZXI=' })
    expect(others.credentials).not.toBe((await namesUnder(ring)).credentials)
    expect(others.credentials).toMatch(/^[0-9a-f]{64}$/)
  })

  it('fail: a guess at the secret, made without the key ring', async () => {
    const [one, two] = [await namesUnder(ringEntry('k1')), await namesUnder(ringEntry('k2'))]
    expect([one.credentials === two.credentials, one.settings === two.settings]).toEqual([false, false])
  })

  it('ok: stays while the current key stays, whichever others are on the ring', async () => {
    const both = `${ringEntry('k1')},${ringEntry('k2')}`
    expect(await namesUnder(both)).toEqual(await namesUnder(ringEntry('k1')))
  })
})
