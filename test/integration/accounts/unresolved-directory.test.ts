import { describe, expect, it } from 'vitest'
import type { AccountObjects } from '../../../src/accounts/account-object.ts'
import { registerAtCa } from '../../../src/accounts/register-at-ca.ts'
import { unresolvedMessage } from '../../../src/core/failure-disclosure.ts'
import { err } from '../../../src/core/result.ts'
import { testApp } from '../support/worker-app.ts'

describe('an account whose directory cannot be read', () => {
  it('fail: the error says that the name does not resolve, and which setting has it', async () => {
    const app = await testApp()
    const accounts: AccountObjects<'registerAtCa'> = (tenantId, accountId) => ({
      registerAtCa: (registration) =>
        registerAtCa({ ...app.deps, store: app.store }, { tenantId, accountId }, registration),
    })
    Object.assign(app.deps, {
      accounts,
      http: async ({ url }: { url: string }) =>
        err({ reason: 'unreachable', url, message: unresolvedMessage(new URL(url).hostname) }),
    })
    const directory_url = 'https://acme.gone.example.org/directory'
    const body = { name: 'gone', provider: 'custom', directory_url }
    const answer = await app.request('POST', '/v1/pki/acme/accounts', { body })
    const message = `${directory_url}: the name acme.gone.example.org does not resolve`
    expect([answer.status, answer.json.error]).toEqual([
      502,
      expect.objectContaining({
        code: 'backend_error',
        message: `directory_url: ${message}`,
        details: [{ path: 'directory_url', message }],
      }),
    ])
  })
})
