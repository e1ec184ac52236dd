/** Registering accounts at a real Pebble, cut off at every point, and accounts that the CA has lost. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { Registration } from '../../src/accounts/account-object.ts'
import { AcmeAccountSession, type SessionDependencies } from '../../src/accounts/account-session.ts'
import { giveUpRegistrations } from '../../src/accounts/end-account.ts'
import { type AccountInput, registerAccount, registerAnew } from '../../src/accounts/register-account.ts'
import { fromBase64Url } from '../../src/core/bytes.ts'
import { err } from '../../src/core/result.ts'
import { exportPkcs8, generateKeyPair } from '../../src/pki/keys.ts'
import { type Runtime, runtimeOf } from '../../src/runtime.ts'
import { findAcmeAccount, findAcmeAccountByName, sealAccountKeys } from '../../src/store/acme-accounts.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { api, bindings, issue, prepare, untilFinished } from './support/product.ts'

const ACTOR = { tenantId: DEFAULT_TENANT_ID, tokenId: 'tok_test', requestId: null }
const SPEC = { type: 'ec', size: 256 } as const

let runtime: Runtime
beforeAll(async () => {
  await prepare()
  runtime = await runtimeOf(bindings)
})

const input = (name: string, changed: Partial<AccountInput> = {}): AccountInput => ({
  name,
  provider: 'custom',
  environment: 'production',
  email: 'first@example.org',
  directoryUrl: bindings.TEST_DIRECTORY_URL,
  eab: null,
  key: SPEC,
  preferredChain: null,
  profile: null,
  ...changed,
})

/** The use cases, over an account's object of its own. */
function dependencies(changed: Partial<SessionDependencies> = {}) {
  const own = { ...runtime, ...changed }
  const sessions = new Map<string, AcmeAccountSession>()
  const accounts = (_tenantId: string, id: string) => {
    const session = sessions.get(id) ?? new AcmeAccountSession(async () => own, DEFAULT_TENANT_ID, id)
    sessions.set(id, session)
    return { registerAtCa: (registration: Registration) => session.register(registration) }
  }
  return { ...own, accounts } as unknown as Parameters<typeof registerAccount>[0]
}

const cutOff = (url: string) => err({ reason: 'timeout', url, timeoutMs: 1, message: 'no answer' } as const)
const isNewAccount = (url: string) => url.endsWith('/sign-me-up')

/** What was asked of newAccount, as it was signed. */
interface Asked {
  readonly onlyReturnExisting?: boolean
  readonly contact?: readonly string[]
  readonly externalAccountBinding?: unknown
}

/** The network, noting what newAccount is asked; with `isDeaf` its answers get lost, once the CA has made the account. */
function listening(isDeaf: boolean) {
  const asked: Asked[] = []
  const http: Runtime['http'] = async (request) => {
    const answer = await runtime.http(request)
    if (!isNewAccount(request.url)) return answer
    // Pebble refuses good nonces now and then: that is no attempt.
    if (answer.ok && (answer.value.headers.get('content-type') ?? '').includes('problem')) return answer
    const payload = fromBase64Url(JSON.parse(String(request.body)).payload)
    asked.push(JSON.parse(new TextDecoder().decode(payload ?? new Uint8Array())))
    return isDeaf ? cutOff(request.url) : answer
  }
  return { asked, http }
}

const named = (name: string) => findAcmeAccountByName(runtime.store, DEFAULT_TENANT_ID, name)
const eventsOf = async (id: string): Promise<string[]> =>
  (await api('GET', `/v1/audit?resource=pki/acme/accounts/${id}`)).data.map(({ event }: { event: string }) => event)

describe('registering an account (RFC 8555 §7.3)', () => {
  it('fail: no answer came: the next try has the same key, finds the account, and says what has changed', async () => {
    const first = listening(true)
    const lost = registerAccount(dependencies(first), ACTOR, input('deaf'))
    await expect(lost).rejects.toMatchObject({
      code: 'backend_timeout',
      message: expect.stringContaining('the same key is used'),
    })
    expect(first.asked).toEqual([{ contact: ['mailto:first@example.org'], termsOfServiceAgreed: true }])
    const kept = await named('deaf')
    expect(kept).toMatchObject({ status: 'registering', accountUrl: null })

    const second = listening(false)
    const changed = { email: 'second@example.org', profile: 'default', eab: { kid: 'spent', hmacKey: 'c3BlbnQ' } }
    const account = await registerAccount(dependencies(second), ACTOR, input('deaf', changed))
    expect(account).toMatchObject({
      id: kept?.id,
      thumbprint: kept?.thumbprint,
      status: 'active',
      email: 'second@example.org',
      profile: 'default',
    })
    // The binding may be good for one account only: what the CA has needs none.
    expect(second.asked).toEqual([{ onlyReturnExisting: true }])
    const session = new AcmeAccountSession(async () => runtime, DEFAULT_TENANT_ID, account.id)
    const known = await session.use(({ client }) => client.account())
    expect(known).toMatchObject({ ok: true, value: { contact: ['mailto:second@example.org'] } })
    expect(await eventsOf(account.id)).toEqual(['acme_account.registered'])
  })

  it('fail: cut off between the answer of the CA and the commit: the next try finds the account', async () => {
    const commit: Runtime['store']['commit'] = async (work) => {
      if (work.entries.length > 0) throw new Error('the isolate is gone')
      return runtime.store.commit(work)
    }
    const store = { ...runtime.store, commit }
    const cut = registerAccount(dependencies({ store }), ACTOR, input('crashed'))
    await expect(cut).rejects.toThrow('the isolate is gone')
    const kept = await named('crashed')
    const again = listening(false)
    const account = await registerAccount(dependencies(again), ACTOR, input('crashed'))
    expect(account).toMatchObject({ id: kept?.id, thumbprint: kept?.thumbprint, status: 'active' })
    expect(again.asked).toEqual([{ onlyReturnExisting: true }])
  })

  it('ok: by its address, an attempt that was cut off goes on', async () => {
    await registerAccount(dependencies(listening(true)), ACTOR, input('by address')).catch(() => undefined)
    const kept = await named('by address')
    const account = await api('POST', `/v1/pki/acme/accounts/${kept?.id}/register`, {})
    expect(account).toMatchObject({ id: kept?.id, status: 'active', thumbprint: kept?.thumbprint })
  })

  it('fail: two at once: one account, and the other is a conflict', async () => {
    const body = { name: 'twice', provider: 'custom', directory_url: bindings.TEST_DIRECTORY_URL }
    const answers = await Promise.all([1, 2].map(() => api('POST', '/v1/pki/acme/accounts', body)))
    const [won, other] = answers.sort((a, b) => Number('error' in a) - Number('error' in b))
    expect(won).toMatchObject({ status: 'active' })
    expect(['conflict', 'already_exists']).toContain(other.error.code)
    expect(await named('twice')).toMatchObject({ id: won.id, status: 'active', accountUrl: won.account_url })
  })

  it('fail: two tries at once of an attempt that was cut off: one goes on with it', async () => {
    await registerAccount(dependencies(listening(true)), ACTOR, input('twice cut')).catch(() => undefined)
    const deps = dependencies(listening(false))
    const tries = await Promise.allSettled([1, 2].map(() => registerAccount(deps, ACTOR, input('twice cut'))))
    const refused = tries.filter(({ status }) => status === 'rejected')
    expect(refused).toMatchObject([{ reason: { code: 'conflict' } }])
    expect(await named('twice cut')).toMatchObject({ status: 'active' })
  })

  it('fail: what the CA clearly refuses, or never heard of, leaves nothing', async () => {
    const refused = registerAccount(dependencies(), ACTOR, input('refused', { email: 'no-address' }))
    await expect(refused).rejects.toMatchObject({ code: 'backend_error' })
    expect(await named('refused')).toBeNull()
    const http: Runtime['http'] = async ({ url }) => cutOff(url)
    const unheard = registerAccount(dependencies({ http }), ACTOR, input('unheard'))
    await expect(unheard).rejects.toMatchObject({ code: 'backend_timeout' })
    expect(await named('unheard')).toBeNull()
  })

  it('fail: the same name for another key is not the same attempt', async () => {
    await registerAccount(dependencies(listening(true)), ACTOR, input('other key')).catch(() => undefined)
    const other = input('other key', { key: { type: 'ec', size: 384 } })
    await expect(registerAccount(dependencies(), ACTOR, other)).rejects.toMatchObject({ code: 'conflict' })
    const later = { now: () => Date.now() + 3 * 60_000 }
    expect(await registerAccount(dependencies(later), ACTOR, other)).toMatchObject({ status: 'active', keySize: 384 })
  })

  it('ok: an attempt is removed by hand, or after a week', async () => {
    for (const name of ['by hand', 'in time']) {
      await registerAccount(dependencies(listening(true)), ACTOR, input(name)).catch(() => undefined)
    }
    const byHand = await named('by hand')
    await api('DELETE', `/v1/pki/acme/accounts/${byHand?.id}`).catch(() => undefined)
    expect(await named('by hand')).toBeNull()
    const inTime = await named('in time')
    await giveUpRegistrations({ store: runtime.store, now: () => Date.now() + 6 * 86_400_000 })
    expect(await named('in time')).not.toBeNull()
    await giveUpRegistrations({ store: runtime.store, now: () => Date.now() + 8 * 86_400_000 })
    expect(await named('in time')).toBeNull()
    expect(await eventsOf(inTime?.id ?? '')).toEqual(['acme_account.registration_given_up'])
  })
})

/** An account that Pebble knows neither by its key nor by its address. */
async function lostAccount(name: string): Promise<string> {
  const { id } = await registerAccount(dependencies(), ACTOR, input(name, { email: null }))
  const row = await findAcmeAccount(runtime.store, DEFAULT_TENANT_ID, id)
  if (row === null) throw new Error('no account')
  const pair = await generateKeyPair(SPEC)
  const sealed = await sealAccountKeys(runtime.store, row, {
    current: await exportPkcs8(pair.privateKey),
    pending: null,
  })
  await bindings.DB.prepare('UPDATE acme_accounts SET sealed_key = ?, account_url = ? WHERE id = ?')
    .bind(sealed, `${row.accountUrl}00000`, id)
    .run()
  return id
}

const statusOf = async (id: string): Promise<string> => (await api('GET', `/v1/pki/acme/accounts/${id}`)).status

describe('an account that the CA has lost', () => {
  it('ok: is found out by an order, which says what to do, and is registered anew', async () => {
    const id = await lostAccount('lost')
    const failed = await untilFinished(await issue('lost.acme.example', { account_id: id }), () => scheduler.wait(50))
    expect(failed).toMatchObject({ status: 'invalid' })
    expect(failed.error.message).toContain('register it anew')
    expect(await statusOf(id)).toBe('lost')
    expect(await eventsOf(id)).toContain('acme_account.lost')
    const body = { account_id: id, domains: ['lost.acme.example'], challenge_type: 'dns-01' }
    const refused = await api('POST', '/v1/pki/acme/issue', body)
    expect(refused.error).toMatchObject({ code: 'conflict', message: expect.stringContaining(`${id}/register`) })
    expect(await api('POST', '/v1/pki/acme/preflight', body)).toMatchObject({
      status: 'error',
      account: { status: 'error', message: expect.stringContaining('register it anew') },
    })

    const before = await api('GET', `/v1/pki/acme/accounts/${id}`)
    const anew = await api('POST', `/v1/pki/acme/accounts/${id}/register`, { email: 'anew@example.org' })
    expect(anew).toMatchObject({ id, status: 'active', email: 'anew@example.org', thumbprint: before.thumbprint })
    expect(anew.account_url).not.toBe(before.account_url)
    const order = await issue('found.acme.example', { account_id: id })
    expect(await untilFinished(order, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
  })

  it('ok: is reported by a preflight, which marks nothing', async () => {
    const id = await lostAccount('preflight')
    const body = { account_id: id, domains: ['a.acme.example'], challenge_type: 'dns-01' }
    const report = await api('POST', '/v1/pki/acme/preflight', body)
    expect(report).toMatchObject({ status: 'error', directory: { status: 'ok' }, account: { status: 'error' } })
    expect(report.account.message).toContain('says that it has no')
    expect(report.account.message).toContain(`${id}/register`)
    expect(await statusOf(id)).toBe('active')
    expect(await eventsOf(id)).toEqual(['acme_account.registered'])
  })

  it('fail: a preflight does not say of an account that the CA has that it is lost there', async () => {
    const { id } = await registerAccount(dependencies(), ACTOR, input('marked'))
    await bindings.DB.prepare("UPDATE acme_accounts SET status = 'lost' WHERE id = ?").bind(id).run()
    const body = { account_id: id, domains: ['a.acme.example'], challenge_type: 'dns-01' }
    const { account } = await api('POST', '/v1/pki/acme/preflight', body)
    expect(account).toMatchObject({ status: 'error', message: expect.stringContaining(`${id}/register`) })
    expect(account.message).not.toContain('has lost')
  })

  it('ok: is used by its new address from the registration on, before that is written', async () => {
    const id = await lostAccount('new address')
    const session = new AcmeAccountSession(async () => runtime, DEFAULT_TENANT_ID, id)
    const ask = () => session.use(({ client }) => client.account())
    expect(await ask()).toMatchObject({ ok: false, error: { reason: 'problem' } })
    const registered = await session.register({ isFirst: false, eab: null, email: null })
    expect(registered).toMatchObject({ ok: true })
    expect(await ask()).toMatchObject({ ok: true })
    await bindings.DB.prepare("UPDATE acme_accounts SET status = 'active', account_url = ? WHERE id = ?")
      .bind(registered.ok ? registered.value : '', id)
      .run()
    expect(await ask()).toMatchObject({ ok: true })
    expect(await statusOf(id)).toBe('active')
  })

  it('ok: an address that was stored anew is used after the first refusal of the old one', async () => {
    const { id, accountUrl } = await registerAccount(dependencies(), ACTOR, input('stored anew'))
    const store = (url: string | null) =>
      bindings.DB.prepare('UPDATE acme_accounts SET account_url = ? WHERE id = ?').bind(url, id).run()
    await store(`${accountUrl}00000`)
    const session = new AcmeAccountSession(async () => runtime, DEFAULT_TENANT_ID, id)
    await session.open()
    await store(accountUrl)
    const ask = () => session.use(({ client }) => client.account())
    expect(await ask()).toMatchObject({ ok: false, error: { reason: 'problem' } })
    expect(await ask()).toMatchObject({ ok: true, value: { contact: ['mailto:first@example.org'] } })
    expect(await statusOf(id)).toBe('active')
  })

  it('ok: ends without the CA', async () => {
    const id = await lostAccount('ended')
    await api('DELETE', `/v1/pki/acme/accounts/${id}`).catch(() => undefined)
    expect(await statusOf(id)).toBe('deactivated')
  })

  it('fail: one wrong word of the CA about an account that it has loses nothing', async () => {
    const { id, accountUrl } = await registerAccount(dependencies(), ACTOR, input('slip'))
    const session = new AcmeAccountSession(async () => runtime, DEFAULT_TENANT_ID, id)
    const slip = { reason: 'problem', type: 'urn:ietf:params:acme:error:accountDoesNotExist' } as never
    expect(await session.use(async () => err(slip))).toMatchObject({ ok: false })
    expect(await statusOf(id)).toBe('active')
    const same = await registerAnew(dependencies(), ACTOR, id, { eab: null, email: undefined })
    expect(same).toMatchObject({ status: 'active', accountUrl })
    expect(await eventsOf(id)).toEqual(['acme_account.registered'])
  })
})
