/** Giving up the registration of an account, by two requests at once. */
import { beforeEach, describe, expect, it } from 'vitest'
import { deactivateAccount } from '../../../src/accounts/end-account.ts'
import { newId } from '../../../src/core/ids.ts'
import { findAcmeAccount, insertAcmeAccount, updateAcmeAccount } from '../../../src/store/acme-accounts.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'

const ACTOR = { tenantId: DEFAULT_TENANT_ID, tokenId: 'tok_test', requestId: null }

let app: TestApp
let id: string
beforeEach(async () => {
  app = await testApp()
  id = newId('acmeAccount', app.nowMs)
  const row = {
    tenantId: DEFAULT_TENANT_ID,
    id,
    name: id,
    provider: 'custom',
    environment: 'production',
    email: null,
    directoryUrl: 'https://ca.example/dir',
    accountUrl: null,
    status: 'registering',
    keyType: 'ec',
    keySize: 256,
    sealedKey: 'none',
    thumbprint: id,
    preferredChain: null,
    profile: null,
    createdAtMs: 0,
    updatedAtMs: 0,
  }
  await app.store.commit({
    tenantId: DEFAULT_TENANT_ID,
    statements: [insertAcmeAccount(app.store, row)],
    entries: [],
  })
})

/** Ends the account; `meanwhile` happens between the reading of its row and the transaction. */
const endWhile = (meanwhile: () => Promise<unknown>) =>
  deactivateAccount(
    {
      ...app.deps,
      store: {
        ...app.store,
        async commit(transaction) {
          await meanwhile()
          return app.store.commit(transaction)
        },
      },
    },
    ACTOR,
    id,
  )

describe('an account that is being registered', () => {
  it('ok: two requests at once both end it, and the journal says it once', async () => {
    await endWhile(() => deactivateAccount(app.deps, ACTOR, id))
    expect(await findAcmeAccount(app.store, DEFAULT_TENANT_ID, id)).toBeNull()
    const audit = await app.request('GET', `/v1/audit?resource=pki/acme/accounts/${id}`)
    expect(audit.json.data.map(({ event }: { event: string }) => event)).toEqual(['acme_account.registration_given_up'])
  })

  it('fail: one that was registered meanwhile stays', async () => {
    const ending = endWhile(async () => {
      const row = await findAcmeAccount(app.store, DEFAULT_TENANT_ID, id)
      if (row === null) throw new Error('there is no account')
      const change = { status: 'active', accountUrl: 'https://ca.example/account/1' }
      const statements = [updateAcmeAccount(app.store, row, { ...change, updatedAtMs: app.nowMs })]
      await app.store.commit({ tenantId: DEFAULT_TENANT_ID, statements, entries: [] })
    })
    await expect(ending).rejects.toMatchObject({ code: 'conflict' })
    expect(await findAcmeAccount(app.store, DEFAULT_TENANT_ID, id)).toMatchObject({ status: 'active' })
  })
})
