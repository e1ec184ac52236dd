/** Orders that an earlier release has begun: each phase goes on from version 1 of the state. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { AccountObject } from '../../../src/accounts/account-object.ts'
import type { AuthorizationStatus } from '../../../src/acme/authorization.ts'
import { dnsIdentifier } from '../../../src/acme/identifier.ts'
import type { RecordState } from '../../../src/challenges/challenge-record.ts'
import { newId } from '../../../src/core/ids.ts'
import { ok } from '../../../src/core/result.ts'
import { type ActivePhase, ORDER_MACHINE } from '../../../src/orders/order-machine.ts'
import type { OrderState } from '../../../src/orders/order-state.ts'
import { decodeOrderState } from '../../../src/orders/stored-order.ts'
import { OrderWorld } from './scripted-order.ts'

const PHASES = Object.keys(ORDER_MACHINE) as ActivePhase[]
const DOMAIN = 'www.example.org'
const STALE = {
  providerId: 'dnsp_1',
  zone: 'example.org',
  name: 'stale.example.org',
  value: 'v',
  ttlSeconds: 60,
  written: true,
}

let world: OrderWorld
let accountId = ''
/** The names of the values that stand in DNS. */
let standing: Set<string>
beforeEach(async () => {
  world = await OrderWorld.begin()
  accountId = newId('acmeAccount', world.app.nowMs)
  await world.addAccount(accountId)
  standing = new Set([STALE.name])
  const each = async (records: readonly RecordState[], change: (name: string) => unknown) => {
    for (const { name } of records) change(name)
    return ok(undefined)
  }
  world.dns = {
    ...world.dns,
    place: async (name) => ok({ providerId: 'dnsp_1', zone: 'example.org', name, ttlSeconds: 60 }),
    present: (records) => each(records, (name) => standing.add(name)),
    cleanUp: (records) => each(records, (name) => standing.delete(name)),
  }
  Object.assign(world.ca.port, answeringCa({ ...world.ca.port }))
})

/** A CA that wants the name proved, and is content as soon as it is told to look. */
function answeringCa(ca: Pick<AccountObject, 'openOrder'>): Partial<AccountObject> {
  const authorizationUrl = 'https://ca.example/authorization'
  let status: AuthorizationStatus = 'pending'
  return {
    openOrder: async (order) => {
      const created = await ca.openOrder(order)
      if (!created.ok) return created
      const pending = { ...created.value.order, status: 'pending', authorizationUrls: [authorizationUrl] } as const
      return ok({ ...created.value, order: pending })
    },
    readAuthorization: async (url) => {
      const challenge = {
        type: 'dns-01',
        url: `${url}/challenge`,
        status: 'pending',
        token: 't',
        answer: 't.k',
        validatedAtMs: null,
        error: null,
      } as const
      return ok({
        identifier: dnsIdentifier(DOMAIN),
        wildcard: false,
        status,
        challenges: [challenge],
        unknownChallengeTypes: [],
        expiresAtMs: null,
        retryAfterMs: null,
      })
    },
    answerChallenge: async () => {
      status = 'valid'
      return ok(undefined)
    },
  }
}

/** As an earlier release would have stored it. */
function asVersion1({ staleRecords, lastPoll, finalizeJournaled, cancelsJournaled, ...state }: OrderState): unknown {
  return {
    ...state,
    version: 1,
    leftovers: [...staleRecords, STALE],
    lastLook: lastPoll,
    finalizeTold: finalizeJournaled,
  }
}

describe('a state of version 1', () => {
  it.each(PHASES)('ok: in the phase %s: the order goes on, and leaves nothing in DNS', async (phase) => {
    const body = { account_id: accountId, domains: [DOMAIN], challenge_type: 'dns-01', solver: 'manual' }
    const { json } = await world.app.request('POST', '/v1/pki/acme/issue', { body })
    const begun = world.states.get(json.order_id) as OrderState
    world.states.set(json.order_id, { ...begun, request: { ...begun.request, solver: 'auto' } })
    const before = await world.drive(json.order_id, phase)
    expect(before.job.phase).toBe(phase)
    world.states.set(json.order_id, decodeOrderState(asVersion1(before)))
    expect((await world.drive(json.order_id)).job).toMatchObject({ phase: 'issued', failure: null, warnings: [] })
    expect([...standing]).toEqual([])
    expect(world.ca.issued).toHaveLength(1)
    const shown = await world.app.request('GET', `/v1/pki/acme/orders/${json.order_id}`)
    expect(shown.json).toMatchObject({ status: 'valid', step: 'issued' })
  })
})
