/** Changing an account (RFC 8555 §7.3.2) at a real Pebble. */
import { beforeAll, describe, expect, it } from 'vitest'
import { changeAccount } from '../../src/accounts/account-changes.ts'
import { AcmeAccountSession } from '../../src/accounts/account-session.ts'
import { err } from '../../src/core/result.ts'
import { accountObjects } from '../../src/objects.ts'
import { runtimeOf } from '../../src/runtime.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { accountOf, api, bindings, prepare } from './support/product.ts'

beforeAll(prepare)

const change = (body: unknown) => api('PATCH', `/v1/pki/acme/accounts/${accountOf()}`, body)

/** What the CA has. */
async function contacts() {
  const runtime = await runtimeOf(bindings)
  const session = new AcmeAccountSession(async () => runtime, DEFAULT_TENANT_ID, accountOf())
  const account = await session.use(({ client }) => client.account())
  return account.ok ? account.value.contact : account.error
}

const updates = async () =>
  (await api('GET', `/v1/audit?resource=pki/acme/accounts/${accountOf()}`)).data.filter(
    ({ event }: { event: string }) => event === 'acme_account.updated',
  )

describe('changing an account', () => {
  it('ok: the CA hears of another address, and that there is none', async () => {
    expect(await change({ email: 'new@acme.example' })).toMatchObject({ email: 'new@acme.example' })
    expect(await contacts()).toEqual(['mailto:new@acme.example'])
    expect(await change({ email: null })).toMatchObject({ email: null })
    expect(await contacts()).toEqual([])
  })

  it('ok: name, chain and profile are changed here; what is left out stays; nothing new is no event', async () => {
    const before = (await updates()).length
    const changed = await change({ name: 'renamed', preferred_chain: 'Some Root', profile: 'shortlived' })
    expect(changed).toMatchObject({ name: 'renamed', preferred_chain: 'Some Root', profile: 'shortlived' })
    expect(await change({ profile: null })).toMatchObject({
      name: 'renamed',
      preferred_chain: 'Some Root',
      profile: null,
    })
    await change({ profile: null, name: 'renamed' })
    await change({})
    const [last, first, ...rest] = await updates()
    expect(rest).toHaveLength(before)
    expect(first.detail.fields).toEqual(['name', 'preferred_chain', 'profile'])
    expect(last.detail.fields).toEqual(['profile'])
  })

  it('fail: a CA that refuses the address changes nothing here', async () => {
    await change({ email: 'kept@acme.example' })
    const runtime = await runtimeOf(bindings)
    const refused = { reason: 'bad_answer', wrong: 'status', url: 'https://ca.example', status: 403 } as const
    const error = { ...refused, message: 'answered 403', excerpt: '', retryAfterMs: null }
    const accounts = (tenantId: string, accountId: string) => ({
      ...accountObjects(bindings)(tenantId, accountId),
      changeContact: async () => err(error),
    })
    const actor = { tenantId: DEFAULT_TENANT_ID, tokenId: 'tok_test', requestId: null }
    const dependencies = { ...runtime, accounts }
    const changing = changeAccount(dependencies, actor, accountOf(), { email: 'other@acme.example', name: 'other' })
    await expect(changing).rejects.toMatchObject({ code: 'backend_error', message: expect.stringContaining('403') })
    expect(await api('GET', `/v1/pki/acme/accounts/${accountOf()}`)).toMatchObject({
      email: 'kept@acme.example',
      name: 'renamed',
    })
    expect((await change({ email: 'no address' })).error.code).toBe('invalid_request')
  })

  it('fail: a name that is taken, an unknown field, an unknown account, one that is deactivated', async () => {
    await api('POST', '/v1/pki/acme/accounts', {
      name: 'taken',
      provider: 'custom',
      directory_url: bindings.TEST_DIRECTORY_URL,
    })
    expect((await change({ name: 'taken' })).error.code).toBe('already_exists')
    expect((await change({ status: 'active' })).error.code).toBe('invalid_request')
    const unknown = await api('PATCH', '/v1/pki/acme/accounts/acme_00000000000000000000000000', { name: 'x' })
    expect(unknown.error.code).toBe('not_found')
    await bindings.DB.prepare("UPDATE acme_accounts SET status = 'deactivated' WHERE id = ?").bind(accountOf()).run()
    expect((await change({ email: 'late@acme.example' })).error.code).toBe('conflict')
    expect(await change({ name: 'late' })).toMatchObject({ name: 'late', status: 'deactivated' })
  })
})
