/** An authorization of the order at the CA for a name that was not ordered is never answered (RFC 8555 §7.1.3). */
import { describe, expect, it } from 'vitest'
import { dnsIdentifier } from '../../../src/acme/identifier.ts'
import { ok } from '../../../src/core/result.ts'
import { newJob } from '../../../src/orders/order-machine.ts'
import type { OrderState } from '../../../src/orders/order-state.ts'
import type { StepContext } from '../../../src/orders/step.ts'
import { newOrder } from '../../../src/orders/steps/new-order.ts'

const challenge = {
  type: 'dns-01',
  url: 'https://ca.example/challenge/1',
  status: 'pending',
  token: 'token',
  answer: 'token.thumbprint',
  error: null,
}

const authorizationFor = (domain: string, wildcard: boolean) => ({
  identifier: dnsIdentifier(domain),
  wildcard,
  status: 'pending',
  challenges: [challenge],
})

/** What the phase comes to for an order of `domains` whose CA asks for that authorization. */
async function outcomeOf(domains: readonly string[], authorization: ReturnType<typeof authorizationFor>) {
  const order = {
    status: 'pending',
    authorizationUrls: ['https://ca.example/authz/1'],
    finalizeUrl: 'https://ca.example/finalize/1',
    certificateUrl: null,
    error: null,
    replaces: null,
  }
  const acme = {
    openOrder: async () => ok({ orderUrl: 'https://ca.example/order/1', order, replacesRefused: false }),
    readAuthorization: async () => ok(authorization),
  }
  const context = { acme, now: () => 0, save: async () => undefined } as unknown as StepContext
  const request = { domains, challengeType: 'dns-01', profile: null, notAfterMs: null }
  const state = { purpose: 'issue', orderId: 'acme_order_1', ca: null, log: [], job: newJob(0), request }
  const { outcome } = await newOrder(context, state as unknown as OrderState)
  return outcome
}

describe('authorizations of an order', () => {
  it('ok: a name that was ordered, and a wildcard by its name without the star', async () => {
    const advance = { kind: 'advance', to: 'present' }
    expect(await outcomeOf(['acme.example'], authorizationFor('acme.example', false))).toEqual(advance)
    expect(await outcomeOf(['*.acme.example'], authorizationFor('acme.example', true))).toEqual(advance)
  })

  it.each([
    ['another name', ['acme.example'], authorizationFor('other.example', false), 'other.example'],
    ['the wildcard of a name', ['acme.example'], authorizationFor('acme.example', true), '*.acme.example'],
    ['the name of a wildcard', ['*.acme.example'], authorizationFor('acme.example', false), 'acme.example'],
  ])('fail: %s ends the order', async (_, domains, authorization, named) => {
    expect(await outcomeOf(domains, authorization)).toMatchObject({
      kind: 'fail',
      failure: { code: 'backend_error', message: `the CA wants ${named} authorized, which was not ordered` },
    })
  })
})
