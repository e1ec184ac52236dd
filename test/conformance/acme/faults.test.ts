/** Real Pebble behind a proxy that does wrong: what the client makes of broken connections and storms. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { isTransient } from '../../../src/acme/acme-error.ts'
import type { AcmeClient } from '../../../src/acme/client.ts'
import { dnsIdentifier } from '../../../src/acme/identifier.ts'
import type { SigningKey } from '../../../src/acme/signing-key.ts'
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts'
import { type Pebble, startPebble } from '../../support/pebble.ts'
import { createSigningKey } from '../../support/signing-key.ts'
import { must, pebbleClient, registeredClient } from './pebble-client.ts'

const IDENTIFIERS = [dnsIdentifier('acme.example')]
const NEW_ORDER = /order-plz/

let pebble: Pebble
let proxy: FaultProxy
let accountKey: SigningKey
let client: AcmeClient
beforeAll(async () => {
  pebble = await startPebble({ dnsServer: '127.0.0.1:9', nonceReject: 0 })
  proxy = await startFaultProxy(pebble)
  accountKey = (await createSigningKey()).key
  client = await registeredClient(proxy, accountKey)
})
afterEach(() => proxy.clear())
afterAll(async () => {
  await proxy?.stop()
  await pebble?.stop()
})

describe('a CA behind a bad line', () => {
  it('ok: five refused nonces in a row, then an order', async () => {
    proxy.add({ path: NEW_ORDER, times: 5, fault: { kind: 'bad-nonce' } })
    expect(must(await client.newOrder({ identifiers: IDENTIFIERS })).order.status).toBe('pending')
    expect(proxy.seen.filter(({ fault }) => fault === 'bad-nonce').length).toBe(5)
  })

  it('fail: endless refused nonces end', async () => {
    proxy.add({ path: NEW_ORDER, times: 100, fault: { kind: 'bad-nonce' } })
    expect(await client.newOrder({ identifiers: IDENTIFIERS })).toMatchObject({
      ok: false,
      error: { reason: 'bad_nonce', attempts: 6 },
    })
  })

  for (const kind of ['drop-before', 'drop-after'] as const) {
    it(`fail: ${kind}: transient, and the next try goes through`, async () => {
      proxy.add({ path: NEW_ORDER, fault: { kind } })
      const broken = await client.newOrder({ identifiers: IDENTIFIERS })
      expect(broken).toMatchObject({ ok: false, error: { reason: 'transport', failure: 'unreachable' } })
      expect(!broken.ok && isTransient(broken.error)).toBe(true)
      expect(must(await client.newOrder({ identifiers: IDENTIFIERS })).order.status).toBe('pending')
    })
  }

  for (const retryAfter of [120, new Date(Date.now() + 120_000)]) {
    it(`fail: rateLimited with Retry-After as ${typeof retryAfter === 'number' ? 'seconds' : 'a date'}`, async () => {
      proxy.add({ path: NEW_ORDER, fault: { kind: 'rate-limited', retryAfter } })
      const limited = await client.newOrder({ identifiers: IDENTIFIERS })
      expect(limited).toMatchObject({ ok: false, error: { reason: 'problem', status: 429 } })
      const untilMs = !limited.ok && limited.error.reason === 'problem' ? limited.error.retryAfterMs : null
      expect(Math.abs((untilMs ?? 0) - Date.now() - 110_000)).toBeLessThan(20_000)
    })
  }

  it('fail: a hundred megabytes in place of an order are not read', async () => {
    proxy.add({ path: NEW_ORDER, fault: { kind: 'stream-body', lengthBytes: 100_000_000 } })
    expect(await client.newOrder({ identifiers: IDENTIFIERS })).toMatchObject({
      ok: false,
      error: { reason: 'transport', failure: 'too_large' },
    })
    expect(proxy.streamedBytes()).toBeLessThan(50_000_000)
  })

  it('fail: an order that is cut off in the middle', async () => {
    proxy.add({ path: NEW_ORDER, fault: { kind: 'replace-body', body: '{"status": "pend' } })
    expect(await client.newOrder({ identifiers: IDENTIFIERS })).toMatchObject({
      ok: false,
      error: { reason: 'bad_answer', wrong: 'not_acme' },
    })
  })

  it('ok: a key rollover whose answer was lost is found by asking with both keys', async () => {
    const newKey = (await createSigningKey()).key
    const lost = await registeredClient(proxy, (await createSigningKey()).key)
    proxy.add({ path: /rollover-account-key/, fault: { kind: 'drop-after' } })
    expect(await lost.rolloverKey(newKey)).toMatchObject({ ok: false, error: { reason: 'transport' } })
    const probe = await pebbleClient(proxy, { accountKey: newKey })
    const found = must(await probe.newAccount({ onlyReturnExisting: true }))
    expect(found.accountUrl).toBe(lost.accountUrl())
  })

  it('fail: a proxy that was given one name in an order and shows another', async () => {
    const order = {
      status: 'pending',
      identifiers: [dnsIdentifier('evil.example')],
      authorizations: [`${proxy.origin}/authZ/1`],
      finalize: `${proxy.origin}/finalize-order/1`,
    }
    proxy.add({ path: NEW_ORDER, fault: { kind: 'replace-body', body: JSON.stringify(order) } })
    expect(await client.newOrder({ identifiers: IDENTIFIERS })).toMatchObject({
      ok: false,
      error: { reason: 'bad_answer', message: expect.stringContaining('evil.example') },
    })
  })
})
