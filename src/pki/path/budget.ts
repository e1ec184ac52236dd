/**
 * What one search for a path may cost. Certificates come from outside: without a bound, a few that cross-sign each other make
 * a search endless. Counts work, not time.
 */

import { MAX_BUILD_CALLS, MAX_NAME_COMPARISONS, MAX_SIGNATURES } from './limits.ts'
import type { PathProblem } from './path-error.ts'

export type Cost = 'signatures' | 'buildCalls' | 'nameComparisons'

export type BudgetLimits = Readonly<Record<Cost, number>>

const LIMITS: BudgetLimits = {
  signatures: MAX_SIGNATURES,
  buildCalls: MAX_BUILD_CALLS,
  nameComparisons: MAX_NAME_COMPARISONS,
}

export class PathBudget {
  readonly #limits: BudgetLimits
  readonly #spent: Record<Cost, number> = { signatures: 0, buildCalls: 0, nameComparisons: 0 }
  #exhausted: Cost | null = null

  constructor(limits: BudgetLimits = LIMITS) {
    this.#limits = limits
  }

  /** False where it is used up. From then on every answer is false: the search is over. */
  spend(cost: Cost): boolean {
    if (this.#exhausted !== null) return false
    if (this.#spent[cost] >= this.#limits[cost]) {
      this.#exhausted = cost
      return false
    }
    this.#spent[cost] += 1
    return true
  }

  /** What ran out first, or null. */
  get exhausted(): Cost | null {
    return this.#exhausted
  }

  limitOf(cost: Cost): number {
    return this.#limits[cost]
  }
}

/** What a caller is told about a budget that is used up; null where it is not. */
export function exhaustionOf(budget: PathBudget): PathProblem | null {
  const { exhausted } = budget
  if (exhausted === null) return null
  const message = 'the certificates take too much work: the search was given up'
  return { code: 'budget_exceeded', message, depth: null, evidence: { exhausted, limit: budget.limitOf(exhausted) } }
}
