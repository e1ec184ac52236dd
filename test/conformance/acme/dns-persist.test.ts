/** dns-persist-01 as Pebble has it: one record, published once, serves every order. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AcmeClient } from '../../../src/acme/client.ts'
import { buildPersistRecord } from '../../../src/acme/dns-persist.ts'
import { dnsIdentifier } from '../../../src/acme/identifier.ts'
import type { CreatedOrder } from '../../../src/acme/order.ts'
import { type Bind, startBind } from '../../support/bind.ts'
import { type Pebble, startPebble } from '../../support/pebble.ts'
import { must, registeredClient, until } from './pebble-client.ts'

let bind: Bind
let pebble: Pebble
let client: AcmeClient
beforeAll(async () => {
  bind = await startBind({ zones: ['acme.example'] })
  pebble = await startPebble({ dnsServer: bind.address, authzReuse: 0 })
  client = await registeredClient(pebble)
})
afterAll(async () => {
  await pebble?.stop()
  await bind?.stop()
})

/** Orders a name, answers by dns-persist-01 and waits. `publish` has the last word on the record. */
async function answer(name: string, publish: (value: string) => string | null): Promise<CreatedOrder> {
  const created = must(await client.newOrder({ identifiers: [dnsIdentifier(name)] }))
  const url = created.order.authorizationUrls[0] ?? ''
  const challenge = must(await client.authorization(url)).challenges.find(({ type }) => type === 'dns-persist-01')
  if (challenge?.type !== 'dns-persist-01') throw new Error('Pebble offers no dns-persist-01')
  const { meta } = must(await client.directory())
  const account = { accountUrl: client.accountUrl() ?? '', thumbprint: client.thumbprint() }
  const record = await buildPersistRecord({ domain: name, account, meta, challenge })
  if (!record.ok) throw new Error(record.error)
  const value = publish(record.value.value)
  if (value !== null) await bind.addRecord(record.value.name, 'TXT', value)
  must(await client.respond(challenge.url))
  await until(() => client.authorization(url), ['valid', 'invalid'])
  return created
}

describe('dns-persist-01', () => {
  it('ok: a wildcard’s record is believed, and again for the next order without another', async () => {
    const first = await answer('*.acme.example', (value) => value)
    expect(must(await client.order(first.orderUrl)).status).toBe('ready')
    const before = await bind.transfer('acme.example')
    const second = await answer('*.acme.example', () => null)
    expect(must(await client.order(second.orderUrl)).status).toBe('ready')
    expect(await bind.transfer('acme.example')).toEqual(before)
    expect(before.filter((line) => line.includes('_validation-persist')).length).toBe(1)
  })

  it('fail: the record of another account', async () => {
    const other = await answer('other.acme.example', (value) => value.replace(/(my-account\/)\w+/, '$1ffff'))
    expect(must(await client.order(other.orderUrl)).status).toBe('invalid')
  })
})
