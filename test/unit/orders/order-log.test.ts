/** The log of an order: what others say is in it, and it is kept, listed and sent. */
import { expect, it } from 'vitest'
import { logged, type OrderState } from '../../../src/orders/order-state.ts'

const EMPTY = { log: [] as OrderState['log'] } as OrderState

it('ok: a line that is longer than lines are is cut, and said once', () => {
  const first = logged(EMPTY, 1, `refused: ${'x'.repeat(100_000)}`)
  expect(first.log).toHaveLength(1)
  expect(first.log[0]?.message).toMatch(/^refused: x+…$/)
  expect(first.log[0]?.message.length).toBeLessThanOrEqual(1_001)
  expect(logged(first, 2, `refused: ${'x'.repeat(100_000)}`).log).toHaveLength(1)
})

it('ok: a line of usual length stays as it is', () => {
  const message = 'y'.repeat(1_000)
  expect(logged(EMPTY, 1, message).log).toEqual([{ atMs: 1, message }])
})

it('ok: no half of a character is left where a line is cut', () => {
  const { log } = logged(EMPTY, 1, `${'x'.repeat(999)}${'😀'.repeat(10)}`)
  expect(log[0]?.message).toBe(`${'x'.repeat(999)}…`)
})
