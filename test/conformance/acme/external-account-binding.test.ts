/** External account binding (RFC 8555 §7.3.4) against a Pebble that demands it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Pebble, startPebble } from '../../support/pebble.ts'
import { must, pebbleClient } from './pebble-client.ts'

/** 48 bytes, so that base64 has no padding; with characters that differ between the alphabets. */
const MAC_KEY = '-_-_DZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12'
/** 32 bytes, so that base64 has padding. */
const SHORT_MAC_KEY = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wE'

/** RFC 7518 §3.2: HS512 takes at least 64 bytes, HS384 at least 48; Pebble minds. */
const LONGEST_MAC_KEY = `${MAC_KEY}${MAC_KEY.slice(0, 22)}`

let pebble: Pebble
beforeAll(async () => {
  // Nothing is validated here, so nothing is resolved.
  pebble = await startPebble({
    dnsServer: '127.0.0.1:9',
    eab: { long: MAC_KEY, longest: LONGEST_MAC_KEY, short: SHORT_MAC_KEY },
  })
})
afterAll(() => pebble?.stop())

const register = async (keyId: string, macKey: string, algorithm?: 'HS256' | 'HS384' | 'HS512') => {
  const client = await pebbleClient(pebble)
  return client.newAccount({
    termsOfServiceAgreed: true,
    externalAccountBinding: { keyId, macKey, ...(algorithm === undefined ? {} : { algorithm }) },
  })
}

describe('external account binding', () => {
  it('ok: the directory demands it', async () => {
    const directory = must(await (await pebbleClient(pebble)).directory())
    expect(directory.meta.externalAccountRequired).toBe(true)
  })

  for (const [what, keyId, macKey] of [
    ['base64url', 'long', MAC_KEY],
    ['the standard alphabet', 'long', MAC_KEY.replaceAll('-', '+').replaceAll('_', '/')],
    ['padding', 'short', `${SHORT_MAC_KEY}=`],
    ['line breaks', 'long', ` ${MAC_KEY.slice(0, 30)}\r\n${MAC_KEY.slice(30)}\n`],
  ] as const) {
    it(`ok: a MAC key with ${what}`, async () => {
      expect(must(await register(keyId, macKey))).toMatchObject({ created: true, account: { status: 'valid' } })
    })
  }

  for (const [algorithm, keyId, macKey] of [
    ['HS384', 'long', MAC_KEY],
    ['HS512', 'longest', LONGEST_MAC_KEY],
  ] as const) {
    it(`ok: ${algorithm}`, async () => {
      expect(must(await register(keyId, macKey, algorithm)).created).toBe(true)
    })
  }

  it('fail: no binding', async () => {
    const refused = await (await pebbleClient(pebble)).newAccount({ termsOfServiceAgreed: true })
    expect(refused).toMatchObject({ ok: false, error: { type: 'urn:ietf:params:acme:error:externalAccountRequired' } })
  })

  it('fail: the wrong key, the wrong key id', async () => {
    expect(await register('long', SHORT_MAC_KEY)).toMatchObject({ ok: false, error: { reason: 'problem' } })
    expect(await register('nobody', MAC_KEY)).toMatchObject({ ok: false, error: { reason: 'problem' } })
  })

  it('fail: a key that is no base64 is not sent, and not quoted', async () => {
    const refused = await register('long', 'secret!key')
    expect(refused).toMatchObject({ ok: false, error: { reason: 'invalid_argument' } })
    expect(JSON.stringify(refused)).not.toContain('secret!key')
  })
})
