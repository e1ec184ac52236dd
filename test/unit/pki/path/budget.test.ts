import { describe, expect, it } from 'vitest'
import { PathBudget } from '../../../../src/pki/path/budget.ts'

describe('PathBudget', () => {
  it('ok: spends up to its limit, each cost by itself', () => {
    const budget = new PathBudget({ signatures: 2, buildCalls: 1, nameComparisons: 0 })
    expect([budget.spend('signatures'), budget.spend('buildCalls'), budget.spend('signatures')]).toEqual([
      true,
      true,
      true,
    ])
    expect(budget.exhausted).toBeNull()
  })

  it('fail: once something ran out, nothing is left of the rest either', () => {
    const budget = new PathBudget({ signatures: 1, buildCalls: 9, nameComparisons: 9 })
    expect([budget.spend('signatures'), budget.spend('signatures'), budget.spend('buildCalls')]).toEqual([
      true,
      false,
      false,
    ])
    expect(budget.exhausted).toBe('signatures')
    expect(budget.limitOf('signatures')).toBe(1)
  })

  it('ok: a limit of zero is a limit', () => {
    const budget = new PathBudget({ signatures: 0, buildCalls: 1, nameComparisons: 1 })
    expect(budget.spend('signatures')).toBe(false)
  })
})
