import { beforeEach, describe, expect, it } from 'vitest'
import type { EabCredentials, Registration } from '../../../src/accounts/account-object.ts'
import { type AccountInput, registerAccount } from '../../../src/accounts/register-account.ts'
import { utf8 } from '../../../src/core/bytes.ts'
import { ok } from '../../../src/core/result.ts'
import { findAcmeAccountByName } from '../../../src/store/acme-accounts.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'

const ACTOR = { tenantId: DEFAULT_TENANT_ID, tokenId: 'tok_test', requestId: null }
const INPUT: AccountInput = {
  name: 'zerossl',
  provider: 'zerossl',
  environment: 'production',
  email: 'certs@example.com',
  directoryUrl: null,
  eab: null,
  key: { type: 'ec', size: 256 },
  preferredChain: null,
  profile: null,
}

let app: TestApp
let asked: string[] = []
let bound: (EabCredentials | null)[] = []
beforeEach(async () => {
  app = await testApp()
  asked = []
  bound = []
})

/** Registers with a ZeroSSL that answers so. */
function register(input: Partial<AccountInput>, answer: unknown, name: string) {
  const http: TestApp['deps']['http'] = async ({ url, body }) => {
    asked.push(`${url} ${body}`)
    const headers = new Headers({ 'content-type': 'application/json' })
    return ok({ status: 200, headers, body: utf8(JSON.stringify(answer)), url })
  }
  const registerAtCa = async ({ eab }: Registration) => {
    bound.push(eab)
    return ok('https://acme.zerossl.com/account/1')
  }
  const accounts = (() => ({ registerAtCa })) as unknown as TestApp['deps']['accounts']
  return registerAccount({ ...app.deps, http, accounts }, ACTOR, { ...INPUT, name, ...input })
}

const GIVEN = { success: true, eab_kid: 'kid-1', eab_hmac_key: 'hmac-1' }

describe('an account at ZeroSSL', () => {
  it('ok: an e-mail address is enough', async () => {
    expect(await register({}, GIVEN, 'by address')).toMatchObject({ status: 'active' })
    expect(asked).toEqual(['https://api.zerossl.com/acme/eab-credentials-email email=certs%40example.com'])
    expect(bound).toEqual([{ kid: 'kid-1', hmacKey: 'hmac-1' }])
  })

  it('ok: a binding of the own is taken, and another server by that name is not for ZeroSSL to bind', async () => {
    const eab = { kid: 'own', hmacKey: 'own' }
    await register({ eab }, GIVEN, 'own')
    await register({ directoryUrl: 'https://127.0.0.1/dir' }, GIVEN, 'elsewhere')
    expect(asked).toEqual([])
    expect(bound).toEqual([eab, null])
  })

  it('fail: what ZeroSSL refuses leaves no account, and the name is free', async () => {
    const answer = { success: false, error: { code: 2903, type: 'failed_saving_eab_account' } }
    await expect(register({}, answer, 'refused')).rejects.toMatchObject({
      code: 'backend_error',
      message: expect.stringContaining('failed_saving_eab_account (2903)'),
    })
    expect(await findAcmeAccountByName(app.store, DEFAULT_TENANT_ID, 'refused')).toBeNull()
    expect(bound).toEqual([])
    expect(await register({}, GIVEN, 'refused')).toMatchObject({ status: 'active' })
    const limit = { success: false, error: { code: 2904, type: 'too_many_eab_credentials_created_today' } }
    await expect(register({}, limit, 'limited')).rejects.toMatchObject({ code: 'backend_rate_limited' })
  })

  it('fail: without an address and without a binding, both are named; other CAs want theirs', async () => {
    await expect(register({ email: null }, GIVEN, 'nothing')).rejects.toMatchObject({
      code: 'invalid_request',
      details: [{ path: 'email', message: expect.stringContaining('eab') }],
    })
    await expect(register({ provider: 'google' }, GIVEN, 'google')).rejects.toMatchObject({
      code: 'invalid_request',
      details: [{ path: 'eab', message: expect.stringContaining('hmac_key') }],
    })
    expect(asked).toEqual([])
  })
})
