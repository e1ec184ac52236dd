import { expect, it } from 'vitest'
import { newJob } from '../../../src/orders/order-machine.ts'
import type { OrderState } from '../../../src/orders/order-state.ts'
import type { StepContext } from '../../../src/orders/step.ts'
import { propagate } from '../../../src/orders/steps/propagate.ts'

const NOW = 1_000_000

const STATE = {
  version: 2,
  request: { challengeType: 'dns-01' },
  job: { ...newJob(NOW), phase: 'propagate' },
  authorizations: [],
  staleRecords: [],
  lastPoll: [],
  polls: 0,
  log: [],
} as unknown as OrderState

/** Polls again and again; what the name servers say each time. */
async function poll(answers: readonly (readonly string[])[]): Promise<OrderState> {
  let state = STATE
  for (const lines of answers) {
    const dns = { poll: async () => ({ complete: false, lines, timeoutMs: 60_000, intervalMs: 1 }) }
    const result = await propagate({ now: () => NOW, dns } as unknown as StepContext, state)
    state = result.state
  }
  return state
}

const messages = ({ log }: OrderState) => log.map(({ message }) => message)

it('ok: the log has what has changed since the poll before, once', async () => {
  const none = ['a.example: 0 of 1', 'b.example: 0 of 1']
  const half = ['a.example: 1 of 1', 'b.example: 0 of 1']
  const state = await poll([none, none, none, half, half, none])
  expect(messages(state)).toEqual([...none, 'a.example: 1 of 1', 'a.example: 0 of 1'])
})

it('ok: a poll of a hundred names takes a few lines of the log', async () => {
  const lines = Array.from({ length: 100 }, (_, index) => `name-${index}.example: 0 of 1`)
  const state = await poll([lines, lines])
  expect(messages(state)).toHaveLength(21)
  expect(messages(state).at(-1)).toBe('and 80 more')
})
