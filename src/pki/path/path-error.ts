/** What can be wrong with a path: one row per code. Decides which of several failed paths is worth telling about. */

export type ProblemKind =
  /** The certificates do not make a path. */
  | 'chain'
  /** They do, at another time. */
  | 'time'
  /** They do, for another name. */
  | 'name'
  /** They do, but one is revoked, or its status is not known. */
  | 'revocation'
  /** Relying parties differ about it, and the path stands. */
  | 'warning'

interface ProblemRow {
  readonly kind: ProblemKind
  /** How far the search had come: of two failed paths, the one that came farther says more. */
  readonly rank: number
}

const PROBLEMS = {
  // Nothing found, or the wrong thing.
  certificate_malformed: { kind: 'chain', rank: 0 },
  issuer_not_found: { kind: 'chain', rank: 1 },
  root_not_trusted: { kind: 'chain', rank: 2 },
  budget_exceeded: { kind: 'chain', rank: 2 },
  path_too_long: { kind: 'chain', rank: 3 },
  signature_algorithm_refused: { kind: 'chain', rank: 4 },
  signature_invalid: { kind: 'chain', rank: 4 },
  // A whole path, with a certificate that may not stand in it.
  version_not_three: { kind: 'chain', rank: 10 },
  not_a_ca: { kind: 'chain', rank: 10 },
  key_usage_refused: { kind: 'chain', rank: 11 },
  key_refused: { kind: 'chain', rank: 12 },
  serial_number_refused: { kind: 'chain', rank: 12 },
  name_empty: { kind: 'chain', rank: 12 },
  critical_extension_unknown: { kind: 'chain', rank: 12 },
  extension_refused: { kind: 'chain', rank: 12 },
  key_identifier_refused: { kind: 'chain', rank: 12 },
  policy_refused: { kind: 'chain', rank: 12 },
  // Each certificate in order, but not together.
  path_length_exceeded: { kind: 'chain', rank: 20 },
  name_constraint_malformed: { kind: 'chain', rank: 21 },
  name_constraint_unsupported: { kind: 'chain', rank: 21 },
  name_not_permitted: { kind: 'chain', rank: 22 },
  name_excluded: { kind: 'chain', rank: 22 },
  purpose_refused: { kind: 'chain', rank: 23 },
  // A path, but not for this question.
  not_yet_valid: { kind: 'time', rank: 30 },
  expired: { kind: 'time', rank: 31 },
  name_mismatch: { kind: 'name', rank: 40 },
  revocation_unknown: { kind: 'revocation', rank: 50 },
  revoked: { kind: 'revocation', rank: 51 },
  intermediate_ignored: { kind: 'warning', rank: 99 },
  anchor_ignored: { kind: 'warning', rank: 99 },
  crl_ignored: { kind: 'warning', rank: 99 },
  time_form: { kind: 'warning', rank: 99 },
  anchor_serial_number: { kind: 'warning', rank: 99 },
  anchor_extended_key_usage: { kind: 'warning', rank: 99 },
  extended_key_usage_any: { kind: 'warning', rank: 99 },
  extended_key_usage_critical: { kind: 'warning', rank: 99 },
  extended_key_usage_missing: { kind: 'warning', rank: 99 },
  common_name_not_in_names: { kind: 'warning', rank: 99 },
  names_critical: { kind: 'warning', rank: 99 },
  name_constraints_not_critical: { kind: 'warning', rank: 99 },
} as const satisfies Record<string, ProblemRow>

export type PathProblemCode = keyof typeof PROBLEMS

/** Public values alone: names, serial numbers, times. */
export type Evidence = Readonly<Record<string, string | number | null>>

export interface PathProblem {
  readonly code: PathProblemCode
  /** A sentence for the caller. */
  readonly message: string
  /** Position in the chain, 0 for the leaf; null where it is about none of them. */
  readonly depth: number | null
  readonly evidence: Evidence
}

export const kindOf = ({ code }: PathProblem): ProblemKind => PROBLEMS[code].kind
export const isWarning = (problem: PathProblem): boolean => kindOf(problem) === 'warning'

/** How far a path came that has these errors: as far as the first of them allows. */
export function rankOf(errors: readonly PathProblem[]): number {
  return Math.min(...errors.map(({ code }) => PROBLEMS[code].rank))
}
