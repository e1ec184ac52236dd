import { describe, expect, it } from 'vitest'
import { readKeys } from '../../../../src/access/sign-in/fetch-keys.ts'
import { KeySets, keysFor } from '../../../../src/access/sign-in/key-sets.ts'
import { err, ok, type Result } from '../../../../src/core/result.ts'
import type { PublicJwk } from '../../../../src/store/sign-in-settings.ts'

const rsa = (kid: string): PublicJwk => ({ kty: 'RSA', kid, n: 'x', e: 'AQAB' })
const ask = (kid: string) => ({ algorithm: 'RS256', kid })
const MINUTE = 60_000

type Fetched = Result<readonly PublicJwk[], string>

/** Key sets over a clock that stands, and an issuer that counts how often it is asked. */
function world(initial: readonly PublicJwk[]) {
  const state = { nowMs: 1_000_000, fetches: 0, answer: ok(initial) as Fetched, gate: Promise.resolve() }
  const sleep = async (ms: number) => {
    state.nowMs += ms
    await new Promise((resolve) => setImmediate(resolve))
  }
  const sets = new KeySets(() => state.nowMs, sleep)
  const find = (kid: string, name = 'issuer') =>
    sets.find(name, ask(kid), async () => {
      state.fetches += 1
      const { answer } = state
      await state.gate
      return answer
    })
  return { state, find }
}

describe('the keys of an issuer', () => {
  it('ok: are fetched once, however many tokens ask for them', async () => {
    const { state, find } = world([rsa('a')])
    for (let index = 0; index < 50; index += 1) expect((await find('a')).ok).toBe(true)
    expect(state.fetches).toBe(1)
  })

  it('ok: stay while they are used, however many other issuers are met', async () => {
    const { state, find } = world([rsa('a')])
    for (let index = 0; index < 600; index += 1) {
      await find('a', 'used')
      await find('a', `other ${index}`)
    }
    expect(state.fetches).toBe(601)
  })

  it('ok: of many at once that know no keys yet, one fetches, and all have them', async () => {
    const { state, find } = world([rsa('a')])
    let open = (): void => undefined
    state.gate = new Promise((resolve) => {
      open = resolve
    })
    const all = Array.from({ length: 20 }, () => find('a'))
    setImmediate(open)
    expect((await Promise.all(all)).every(({ ok: isFound }) => isFound)).toBe(true)
    expect(state.fetches).toBe(1)
  })

  it('ok: serve at once, in the state that is known, while another request fetches them anew', async () => {
    const { state, find } = world([rsa('a')])
    await find('a')
    state.nowMs += 11 * MINUTE
    let open = (): void => undefined
    state.gate = new Promise((resolve) => {
      open = resolve
    })
    const fetching = find('a')
    const startedAtMs = state.nowMs
    expect((await find('a')).ok).toBe(true)
    // It has not waited by the clock.
    expect(state.nowMs).toBe(startedAtMs)
    open()
    expect((await fetching).ok).toBe(true)
    expect(state.fetches).toBe(2)
  })

  it('ok: a fetch that never ends, its request having been ended, is taken over', async () => {
    const { state, find } = world([rsa('a')])
    state.gate = new Promise(() => undefined)
    void find('a')
    await Promise.resolve()
    state.gate = Promise.resolve()
    expect((await find('a')).ok).toBe(true)
    expect(state.fetches).toBe(2)
  })

  it('ok: a new one is found while it runs, and one that is gone counts no longer', async () => {
    const { state, find } = world([rsa('a')])
    await find('a')
    state.answer = ok([rsa('b')])
    state.nowMs += MINUTE
    expect([(await find('b')).ok, (await find('a')).ok]).toEqual([true, false])
    expect(state.fetches).toBe(2)
  })

  it('fail: a flood of unknown ones makes one fetch in half a minute', async () => {
    const { state, find } = world([rsa('a')])
    for (let index = 0; index < 100; index += 1) {
      expect((await find(`unknown-${index}`)).ok).toBe(false)
      state.nowMs += 1_000
    }
    expect(state.fetches).toBe(4)
  })

  it('ok: go on for an hour while their document cannot be fetched, and then no longer', async () => {
    const { state, find } = world([rsa('a')])
    await find('a')
    state.answer = err('down')
    const found: boolean[] = []
    for (const minutes of [9, 11, 59, 61]) {
      state.nowMs = 1_000_000 + minutes * MINUTE
      found.push((await find('a')).ok)
    }
    expect(found).toEqual([true, true, true, false])
    expect(await find('a')).toEqual(err('no key of the issuer has that kid and fits the algorithm'))
    state.answer = ok([rsa('a')])
    state.nowMs += 11_000
    expect((await find('a')).ok).toBe(true)
  })

  it('fail: a document that is down is asked once in ten seconds', async () => {
    const { state, find } = world([])
    state.answer = err('down')
    expect(await find('a')).toEqual(err('the keys could not be fetched: down'))
    for (let index = 0; index < 20; index += 1) {
      await find('a')
      state.nowMs += 1_000
    }
    expect(state.fetches).toBe(2)
  })

  it('ok: of one issuer are not those of another', async () => {
    const { state, find } = world([rsa('a')])
    await find('a', 'one')
    state.answer = ok([rsa('b')])
    expect((await find('a', 'two')).ok).toBe(false)
  })

  it('ok: are chosen by kid, and by what fits the algorithm', () => {
    const ec: PublicJwk = { kty: 'EC', crv: 'P-256', kid: 'a', x: 'x', y: 'y' }
    const keys = [rsa('a'), ec, { ...rsa('b'), alg: 'PS256' }, { ...ec, crv: 'P-384' }]
    const kidsOf = (algorithm: string, kid: string | null) => keysFor(keys, { algorithm, kid }).map(({ kty }) => kty)
    expect(kidsOf('RS256', 'a')).toEqual(['RSA'])
    expect(kidsOf('ES256', 'a')).toEqual(['EC'])
    expect(kidsOf('RS256', 'b')).toEqual([])
    expect(kidsOf('RS256', null)).toEqual(['RSA'])
    expect(kidsOf('PS256', null)).toEqual([])
    expect(kidsOf('HS256', 'a')).toEqual([])
    expect(kidsOf('constructor', 'a')).toEqual([])
  })

  it('fail: secret ones, and those for something else, are none', () => {
    const kept = { kty: 'RSA', n: 'x', e: 'AQAB', d: 'secret' }
    expect(readKeys({ keys: [{ kty: 'oct', k: 'x' }] }).ok).toBe(false)
    expect(readKeys({ keys: [{ ...kept, use: 'enc' }] }).ok).toBe(false)
    expect(readKeys({ keys: [{ ...kept, use: 'x509-svid' }] }).ok).toBe(false)
    expect(readKeys({ keys: [{ ...kept, key_ops: ['sign'] }] }).ok).toBe(false)
    expect(readKeys({ keys: 'x' }).ok).toBe(false)
    expect(readKeys(null).ok).toBe(false)
    // What is private of a key is not kept.
    expect(readKeys({ keys: [{ ...kept, use: 'jwt-svid' }, 7] })).toEqual(ok([{ kty: 'RSA', n: 'x', e: 'AQAB' }]))
  })
})
