/** Which account an object is of: its name says so, and nothing else does. */
import { abortAllDurableObjects } from 'cloudflare:test'
import { beforeAll, expect, it } from 'vitest'
import { accountNamed, accountObjects } from '../../src/objects.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { accountOf, bindings, prepare } from './support/product.ts'

beforeAll(prepare)

it('ok: an object that begins anew knows by its name which account it is of', async () => {
  const object = accountObjects(bindings)(DEFAULT_TENANT_ID, accountOf())
  expect(await object.identity()).toMatchObject({ ok: true, value: { isKnown: true } })
  await abortAllDurableObjects()
  const again = accountObjects(bindings)(DEFAULT_TENANT_ID, accountOf())
  expect(await again.identity()).toMatchObject({ ok: true, value: { isKnown: true } })
})

it('fail: without a name there is no account', () => {
  const id = bindings.ACME_ACCOUNT.idFromName(`${DEFAULT_TENANT_ID}/${accountOf()}`)
  expect(accountNamed(id)).toEqual({ tenantId: DEFAULT_TENANT_ID, accountId: accountOf() })
  expect(() => accountNamed(bindings.ACME_ACCOUNT.idFromString(id.toString()))).toThrow('by its name alone')
  expect(() => accountNamed(bindings.ACME_ACCOUNT.idFromName('no-account'))).toThrow('by its name alone')
})
