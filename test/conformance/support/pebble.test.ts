/** The Pebble that other tests rely on: its settings take effect. The protocol itself is tested elsewhere. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requestHttps } from '../../support/https-request.ts'
import { type Pebble, startPebble } from '../../support/pebble.ts'
import { eventually } from '../../support/service.ts'

describe('a Pebble for a test', () => {
  let pebble: Pebble
  beforeAll(async () => {
    pebble = await startPebble({
      dnsServer: '127.0.0.1:9',
      nonceReject: 37,
      eab: { 'kid-1': 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' },
      alternateRoots: 2,
      profiles: { classic: { description: 'Ninety days', validitySeconds: 7_776_000 } },
    })
  })
  afterAll(() => pebble.stop())

  it('ok: the directory names the profile, the binding and renewal information', async () => {
    const directory = JSON.parse((await requestHttps(pebble.directoryUrl, pebble)).body) as Record<string, unknown>
    expect(directory.meta).toMatchObject({ externalAccountRequired: true, profiles: { classic: 'Ninety days' } })
    expect(directory.renewalInfo).toContain('renewalInfo')
  })

  it('ok: strict mode and the share of refused nonces reach Pebble', () => {
    expect(pebble.log()).toContain('strict mode')
    expect(pebble.log()).toContain('Configured to reject 37% of good nonces')
    expect(pebble.log()).toContain('Disabling random VA sleeps')
  })

  it('ok: each root signs the issuer of its own chain', async () => {
    const chains = await Promise.all(
      [0, 1, 2].map(async (chain) => ({
        root: new X509Certificate(await pebble.rootPem(chain)),
        issuer: new X509Certificate(await pebble.intermediatePem(chain)),
      })),
    )
    const signed = chains.map(({ root }) => chains.map(({ issuer }) => issuer.verify(root.publicKey)))
    expect(signed).toEqual([
      [true, false, false],
      [false, true, false],
      [false, false, true],
    ])
  })

  it('ok: the status of a serial number that was never issued is null', async () => {
    expect(await pebble.certificateStatus('0A:0B:0C')).toBeNull()
  })

  it('fail: renewal information for a certificate that Pebble did not issue is refused', async () => {
    await expect(pebble.setRenewalInfo(readFileSync(pebble.tls.certificateFile, 'utf8'), '{}')).rejects.toThrow('404')
  })
})

describe('a Pebble that locks itself up', () => {
  it('ok: is started again at the same address, with the same CA', async () => {
    const pebble = await startPebble({ dnsServer: '127.0.0.1:9', watchMs: 300 })
    try {
      const before = pebble.pid
      process.kill(before, 'SIGSTOP')
      await eventually(async () => (pebble.pid === before ? null : true), 20_000, 'another Pebble')
      expect((await requestHttps(pebble.directoryUrl, pebble)).status).toBe(200)
    } finally {
      await pebble.stop()
    }
  })
})
