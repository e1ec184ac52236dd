/** Replacing an account's key (RFC 8555 §7.3.5) at a real Pebble, cut off at every point. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AcmeAccountSession, type SessionDependencies } from '../../src/accounts/account-session.ts'
import { createAcmeClient } from '../../src/acme/client.ts'
import { importSigningKey } from '../../src/acme/signing-key.ts'
import { challengeDns } from '../../src/challenges/challenge-dns.ts'
import { utf8 } from '../../src/core/bytes.ts'
import { err } from '../../src/core/result.ts'
import { zoneObjects } from '../../src/objects.ts'
import { type Runtime, runtimeOf } from '../../src/runtime.ts'
import { findAcmeAccount, openAccountKeys } from '../../src/store/acme-accounts.ts'
import { parseKeyRing } from '../../src/store/key-ring.ts'
import { reseal } from '../../src/store/reseal.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { api, bindings, issue, prepare, untilAtOwner, untilFinished } from './support/product.ts'

const SPEC = { type: 'ec', size: 256 } as const
const ACTOR = { tenantId: DEFAULT_TENANT_ID, tokenId: 'tok_test', requestId: null }

let runtime: Runtime
let accountId = ''
let accounts = 0
beforeAll(async () => {
  await prepare()
  runtime = await runtimeOf(bindings)
})
// Each test has an account of its own.
beforeEach(async () => {
  accounts += 1
  const account = await api('POST', '/v1/pki/acme/accounts', {
    name: `account ${accounts}`,
    provider: 'custom',
    directory_url: bindings.TEST_DIRECTORY_URL,
  })
  accountId = account.id
})

const read = () => api('GET', `/v1/pki/acme/accounts/${accountId}`)
const rollover = (body = {}) => api('POST', `/v1/pki/acme/accounts/${accountId}/rollover`, body)

async function stored() {
  const row = await findAcmeAccount(runtime.store, DEFAULT_TENANT_ID, accountId)
  if (row === null) throw new Error('no account')
  return { row, keys: await openAccountKeys(runtime.store, row) }
}

/** A client with that key, as somebody would have who kept it. */
async function clientWith(pkcs8: Uint8Array<ArrayBuffer>) {
  const key = await importSigningKey(pkcs8)
  if (!key.ok) throw new Error(key.error)
  const { http, now } = runtime
  const accountUrl = (await read()).account_url
  const directoryUrl = bindings.TEST_DIRECTORY_URL
  return createAcmeClient({ http, directoryUrl, accountKey: key.value, accountUrl, now, allowPrivateTargets: true })
}

/** Another life of the account's object, after a crash. */
const session = (changed: Partial<SessionDependencies> = {}) =>
  new AcmeAccountSession(async () => ({ ...runtime, ...changed }), DEFAULT_TENANT_ID, accountId)

const cutOff = (url: string) => err({ reason: 'unreachable', url, message: 'cut off' } as const)

/** A connection that breaks before those requests are sent. */
const breaking =
  (matches: (url: string) => boolean): Runtime['http'] =>
  (request) =>
    matches(request.url) ? Promise.resolve(cutOff(request.url)) : runtime.http(request)

const isKeyChange = (url: string) => url.includes('rollover-account-key')
/** From the moment at which the CA has changed the key, nothing of it is heard any more. */
function deafFromKeyChange(): Runtime['http'] {
  let isDeaf = false
  return async (request) => {
    if (isDeaf) return cutOff(request.url)
    const answer = await runtime.http(request)
    // Pebble refuses good nonces now and then: that is no change.
    isDeaf = isKeyChange(request.url) && answer.ok && answer.value.status === 200
    return isDeaf ? cutOff(request.url) : answer
  }
}

const account = (life: AcmeAccountSession) => life.use(({ client }) => client.account())

const keyEvents = async () =>
  (await api('GET', `/v1/audit?resource=pki/acme/accounts/${accountId}`)).data.filter(
    ({ event }: { event: string }) => event === 'acme_account.key_changed',
  )

describe('replacing the key of an account (RFC 8555 §7.3.5)', () => {
  it('ok: the CA knows the account by the new key alone, and orders go on', async () => {
    const before = await stored()
    const changed = await rollover()
    expect(changed).toMatchObject({ id: accountId, status: 'active', key_type: 'ec', key_size: 256 })
    expect(changed.thumbprint).not.toBe(before.row.thumbprint)
    expect(await (await clientWith(before.keys.current)).account()).toMatchObject({
      ok: false,
      error: { reason: 'problem' },
    })
    const after = await stored()
    expect(after.keys.pending).toBeNull()
    expect(await (await clientWith(after.keys.current)).account()).toMatchObject({ ok: true })
    const order = await issue('rolled.acme.example', { account_id: accountId })
    expect(await untilFinished(order, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
    expect(await keyEvents()).toMatchObject([
      { detail: { old_thumbprint: before.row.thumbprint, thumbprint: changed.thumbprint } },
    ])
  })

  it('ok: to a key of another kind', async () => {
    expect(await rollover({ key_type: 'rsa', key_size: 2048 })).toMatchObject({ key_type: 'rsa', key_size: 2048 })
    expect(await account(session())).toMatchObject({ ok: true })
  })

  it('ok: an order that waits for its owner shows new values, and ends well with them', async () => {
    const order = await issue('waiting.acme.example', {
      account_id: accountId,
      solver: 'manual',
      domains: ['waiting.acme.example'],
    })
    const waiting = await untilAtOwner(order)
    await rollover()
    await api('POST', `/v1/pki/acme/challenges/${waiting.challenges[0].id}/complete`)
    const anew = await untilAtOwner(order, waiting.challenges[0].id)
    expect(anew.challenges[0].record_value).not.toBe(waiting.challenges[0].record_value)
    expect(anew.challenges[0].key_authorization).toContain((await read()).thumbprint)
    const dns = challengeDns({ ...runtime, zones: zoneObjects(bindings) }, DEFAULT_TENANT_ID)
    const place = await dns.place('_acme-challenge.waiting.acme.example', null)
    if (!place.ok) throw new Error(place.error.message)
    const records = [{ ...place.value, value: anew.challenges[0].record_value, written: true }]
    await dns.present(records)
    await api('POST', `/v1/pki/acme/challenges/${anew.challenges[0].id}/complete`)
    const finished = await untilFinished(order, () => scheduler.wait(50))
    await dns.cleanUp(records)
    expect(finished).toMatchObject({ status: 'valid' })
  })

  it('ok: orders that are under way at the same time end well', async () => {
    const names = [1, 2, 3].map((index) => `meanwhile${index}.acme.example`)
    const orders = await Promise.all(names.map((name) => issue(name, { account_id: accountId })))
    for (let times = 0; times < 2; times += 1) expect(await rollover()).toMatchObject({ status: 'active' })
    const ended = await Promise.all(orders.map((order) => untilFinished(order, () => scheduler.wait(50))))
    expect(ended.map(({ status }) => status)).toEqual(['valid', 'valid', 'valid'])
  })

  it('fail: two at once: one is done, the other is a conflict', async () => {
    const answers = await Promise.all([rollover(), rollover()])
    expect(answers.map((each) => each.error?.code ?? each.status).sort()).toEqual(['active', 'conflict'])
    expect(await keyEvents()).toHaveLength(1)
  })

  it('fail: cut off before the CA was asked: the present key goes on, the new one is forgotten after a while', async () => {
    const { row } = await stored()
    const cut = session({ http: breaking(isKeyChange) })
    expect(await cut.replaceKey(ACTOR, SPEC)).toMatchObject({ ok: false, error: { reason: 'transport' } })
    expect((await stored()).keys.pending).not.toBeNull()
    expect(await account(session())).toMatchObject({ ok: true })
    expect((await stored()).keys.pending).not.toBeNull()
    const later = session({ now: () => Date.now() + 11 * 60_000 })
    expect(await account(later)).toMatchObject({ ok: true })
    expect(await stored()).toMatchObject({ row: { thumbprint: row.thumbprint }, keys: { pending: null } })
    expect(await keyEvents()).toEqual([])
  })

  it('fail: after a replacement that came to nothing, the CA is asked once which key holds, and again when it refuses', async () => {
    let asked = 0
    const http: Runtime['http'] = async (request) => {
      if (isKeyChange(request.url)) return cutOff(request.url)
      const answer = await runtime.http(request)
      // Pebble refuses good nonces now and then: those requests do not count.
      const isRefusedNonce = answer.ok && new TextDecoder().decode(answer.value.body).includes('badNonce')
      if (request.url.endsWith('/sign-me-up') && !isRefusedNonce) asked += 1
      return answer
    }
    const life = session({ http })
    expect(await life.replaceKey(ACTOR, SPEC)).toMatchObject({ ok: false })
    asked = 0
    for (let uses = 0; uses < 3; uses += 1) expect(await account(life)).toMatchObject({ ok: true })
    expect(asked).toBe(1)
    expect((await stored()).keys.pending).not.toBeNull()
    const refused = { reason: 'problem', type: 'urn:ietf:params:acme:error:unauthorized' } as never
    await life.use(async () => err(refused))
    expect(await account(life)).toMatchObject({ ok: true })
    expect(asked).toBe(2)
  })

  it('fail: a CA that answers 501 will never do it: nothing is left behind', async () => {
    const http: Runtime['http'] = async (request) => {
      const { url } = request
      if (!isKeyChange(url)) return runtime.http(request)
      return { ok: true, value: { status: 501, headers: new Headers(), body: utf8('not implemented'), url } }
    }
    const before = await stored()
    const life = session({ http })
    expect(await life.replaceKey(ACTOR, SPEC)).toMatchObject({ ok: false, error: { status: 501 } })
    expect(await stored()).toMatchObject({ row: { thumbprint: before.row.thumbprint }, keys: { pending: null } })
  })

  it('fail: the answer of the CA is lost: whoever comes next finds the new key in its place', async () => {
    const before = await stored()
    const cut = session({ http: deafFromKeyChange() })
    expect(await cut.replaceKey(ACTOR, SPEC)).toMatchObject({ ok: false, error: { reason: 'transport' } })
    expect((await stored()).row.thumbprint).toBe(before.row.thumbprint)
    // While the CA is not to be heard, nothing is decided.
    expect(await account(session({ http: breaking(() => true) }))).toMatchObject({ ok: false })
    expect((await stored()).keys.pending).not.toBeNull()
    const [first, second] = [session(), session()]
    expect(await Promise.all([account(first), account(first)])).toMatchObject([{ ok: true }, { ok: true }])
    expect(await account(second)).toMatchObject({ ok: true })
    const after = await stored()
    expect(after.keys.pending).toBeNull()
    expect(after.row.thumbprint).not.toBe(before.row.thumbprint)
    expect(await keyEvents()).toMatchObject([{ actor: 'tok_test', detail: { thumbprint: after.row.thumbprint } }])
  })

  it('fail: cut off after the CA agreed: the second request brings the first to its end', async () => {
    const before = await stored()
    const commit: Runtime['store']['commit'] = async (work) => {
      if (work.entries.length > 0) throw new Error('the isolate is gone')
      return runtime.store.commit(work)
    }
    const cut = session({ store: { ...runtime.store, commit } })
    await expect(cut.replaceKey(ACTOR, SPEC)).rejects.toThrow('the isolate is gone')
    expect((await stored()).row.thumbprint).toBe(before.row.thumbprint)
    expect(await session().replaceKey(ACTOR, SPEC)).toEqual({ ok: true, value: undefined })
    expect(await keyEvents()).toHaveLength(1)
    expect(await account(session())).toMatchObject({ ok: true })
  })

  it('fail: the key ring is rotated and its old key gone while a replacement is undecided', async () => {
    const cut = session({ http: deafFromKeyChange() })
    await cut.replaceKey(ACTOR, SPEC)
    const fresh = `fresh:${'A'.repeat(43)}`
    const both = await parseKeyRing(`${fresh},${bindings.KEY_RING}`)
    const alone = await parseKeyRing(fresh)
    if (!both.ok || !alone.ok) throw new Error('no ring')
    const rotated = { ...runtime.store, ring: both.value }
    for (let from = null as Awaited<ReturnType<typeof reseal>>; ; ) {
      from = await reseal(rotated, from?.next ?? null)
      if (from?.next == null) break
    }
    expect(await account(session({ store: { ...runtime.store, ring: alone.value } }))).toMatchObject({ ok: true })
    expect(await keyEvents()).toHaveLength(1)
    // As it was, for the tests that follow.
    const back = await parseKeyRing(`${bindings.KEY_RING},${fresh}`)
    if (!back.ok) throw new Error('no ring')
    for (let from = null as Awaited<ReturnType<typeof reseal>>; ; ) {
      from = await reseal({ ...runtime.store, ring: back.value }, from?.next ?? null)
      if (from?.next == null) break
    }
  })

  it('fail: the walk of the key ring is faster than the new key: neither is lost', async () => {
    let walked = false
    const both = await parseKeyRing(`other:${'B'.repeat(43)},${bindings.KEY_RING}`)
    const back = await parseKeyRing(`${bindings.KEY_RING},other:${'B'.repeat(43)}`)
    if (!both.ok || !back.ok) throw new Error('no ring')
    const commit: Runtime['store']['commit'] = async (work) => {
      if (!walked) {
        walked = true
        await reseal({ ...runtime.store, ring: both.value }, null)
      }
      return runtime.store.commit(work)
    }
    const life = session({ store: { ...runtime.store, ring: back.value, commit } })
    expect(await life.replaceKey(ACTOR, SPEC)).toEqual({ ok: true, value: undefined })
    await reseal({ ...runtime.store, ring: back.value }, null)
    expect(await account(session())).toMatchObject({ ok: true })
    expect(walked).toBe(true)
  })

  it('fail: a CA that cannot do it says so, and nothing is left behind', async () => {
    const http: Runtime['http'] = async (request) => {
      const answer = await runtime.http(request)
      if (!answer.ok || request.url !== bindings.TEST_DIRECTORY_URL) return answer
      const { keyChange: _, ...rest } = JSON.parse(new TextDecoder().decode(answer.value.body))
      return { ok: true, value: { ...answer.value, body: utf8(JSON.stringify(rest)) } }
    }
    const refused = await session({ http }).replaceKey(ACTOR, SPEC)
    expect(refused).toMatchObject({ ok: false, error: { reason: 'unsupported', feature: 'keyChange' } })
    expect((await stored()).keys.pending).toBeNull()
  })

  it('fail: a deactivated account keeps its key', async () => {
    await bindings.DB.prepare("UPDATE acme_accounts SET status = 'deactivated' WHERE id = ?").bind(accountId).run()
    expect((await rollover()).error.code).toBe('conflict')
  })
})
