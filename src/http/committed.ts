/** What became of a work, as the API says it. */
import { AppError } from '../core/errors.ts'
import type { CommitOutcome } from '../store/transaction.ts'

/** Throws `conflict` or `already_exists` where the work was not written. */
export function mustCommit(
  outcome: CommitOutcome,
  messages: { readonly conflict: string; readonly exists?: string },
): void {
  if (outcome.kind === 'conflict') throw new AppError('conflict', messages.conflict)
  if (outcome.kind === 'exists') throw new AppError('already_exists', messages.exists ?? messages.conflict)
}
