/** Orders that are refused before the CA hears of them. */
import { beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../../src/core/ids.ts'
import { OrderWorld } from './scripted-order.ts'

let world: OrderWorld
let accountId = ''
beforeEach(async () => {
  world = await OrderWorld.begin()
  accountId = newId('acmeAccount', world.app.nowMs)
  await world.addAccount(accountId)
})

const issue = (more: Readonly<Record<string, unknown>>) =>
  world.app.request('POST', '/v1/pki/acme/issue', {
    body: { account_id: accountId, domains: ['www.example.org'], ...more },
  })

describe('a DNS provider for an order', () => {
  it.each(['http-01', 'tls-alpn-01'])('fail: whose %s challenges are not answered in DNS', async (challenge_type) => {
    const refused = await issue({ challenge_type, dns_provider_id: 'dnsp_00000000000000000000000000' })
    expect([refused.status, refused.json.error.code]).toEqual([400, 'invalid_request'])
    expect(refused.json.error.details).toMatchObject([{ path: 'dns_provider_id' }])
    expect(refused.json.error.message).toContain('not answered in DNS')
    expect((await issue({ challenge_type })).status).toBe(202)
  })
})
