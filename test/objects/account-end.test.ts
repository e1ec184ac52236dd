/** Ending accounts at a real Pebble, cut off and several at once (RFC 8555 §7.3.6). */
import { beforeAll, describe, expect, it } from 'vitest'
import { AcmeAccountSession } from '../../src/accounts/account-session.ts'
import { deactivateAccount } from '../../src/accounts/end-account.ts'
import { fromBase64Url, utf8 } from '../../src/core/bytes.ts'
import { ok } from '../../src/core/result.ts'
import { accountObjects } from '../../src/objects.ts'
import { type Runtime, runtimeOf } from '../../src/runtime.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { api, bindings, prepare } from './support/product.ts'

const ACTOR = { tenantId: DEFAULT_TENANT_ID, tokenId: 'tok_test', requestId: null }

let runtime: Runtime
beforeAll(async () => {
  await prepare()
  runtime = await runtimeOf(bindings)
})

const remove = (id: string): Promise<void> =>
  deactivateAccount({ ...runtime, accounts: accountObjects(bindings) }, ACTOR, id)

async function registered(name: string): Promise<string> {
  const body = { name, provider: 'custom', directory_url: bindings.TEST_DIRECTORY_URL }
  return (await api('POST', '/v1/pki/acme/accounts', body)).id
}

const sessionOf = (id: string, http = runtime.http) =>
  new AcmeAccountSession(async () => ({ ...runtime, http }), DEFAULT_TENANT_ID, id)

/** The account is deactivated at the CA, and nobody here knows. */
async function endedAtCa(name: string): Promise<string> {
  const id = await registered(name)
  expect(await sessionOf(id).use(({ client }) => client.deactivateAccount())).toMatchObject({ ok: true })
  expect(await statusOf(id)).toBe('active')
  return id
}

const statusOf = async (id: string): Promise<string> => (await api('GET', `/v1/pki/acme/accounts/${id}`)).status
const eventsOf = async (id: string): Promise<string[]> =>
  (await api('GET', `/v1/audit?resource=pki/acme/accounts/${id}`)).data.map(({ event }: { event: string }) => event)

describe('deleting an account', () => {
  it('ok: one that the CA has deactivated already is deactivated here', async () => {
    const id = await endedAtCa('ended before')
    await remove(id)
    expect(await statusOf(id)).toBe('deactivated')
    expect(await eventsOf(id)).toEqual(['acme_account.deactivated', 'acme_account.registered'])
  })

  it('ok: three requests at once all succeed, and the journal says it once', async () => {
    for (const id of [await registered('thrice'), await endedAtCa('thrice, ended before')]) {
      const done = await Promise.allSettled([1, 2, 3].map(() => remove(id)))
      expect(done.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
      expect(await statusOf(id)).toBe('deactivated')
      expect(await eventsOf(id)).toEqual(['acme_account.deactivated', 'acme_account.registered'])
    }
  })

  it('fail: one refusal about an account that is good by its key ends nothing', async () => {
    const id = await registered('slip')
    const http: Runtime['http'] = async (request) => {
      if (!isDeactivation(request.body)) return runtime.http(request)
      const problem = { type: 'urn:ietf:params:acme:error:unauthorized', detail: 'not now' }
      const headers = new Headers({ 'content-type': 'application/problem+json' })
      return ok({ status: 403, headers, body: utf8(JSON.stringify(problem)), url: request.url })
    }
    expect(await sessionOf(id, http).deactivate()).toMatchObject({ ok: false, error: { reason: 'problem' } })
    expect(await sessionOf(id).isKnown()).toBe(true)
  })
})

function isDeactivation(body: unknown): boolean {
  if (typeof body !== 'string') return false
  const payload = fromBase64Url(JSON.parse(body).payload) ?? new Uint8Array()
  return new TextDecoder().decode(payload).includes('"deactivated"')
}
