/** What a search has to say: paths that it tried, which of two failed ones says more, and the answer for the caller. */
import type { Bytes } from '../../core/bytes.ts'
import type { Certificate } from '../certificate.ts'
import { formatName } from '../distinguished-name.ts'
import { formatSerial } from '../serial.ts'
import { isWarning, kindOf, type PathProblem, rankOf } from './path-error.ts'

export interface ChainCertificate {
  /** RFC 4514. */
  readonly subject: string
  readonly issuer: string
  readonly serialNumber: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly der: Bytes
}

export interface PathResult {
  /** No error at all. */
  readonly valid: boolean
  /** A path to an anchor that stands, apart from times, revocation and the name that was asked for. */
  readonly chainValid: boolean
  /** Every certificate in `chain` is within its time. */
  readonly notExpired: boolean
  /** Null where it was not asked, or could not be told. */
  readonly notRevoked: boolean | null
  readonly anchorId: string | null
  /** From the leaf to the anchor, or as far as the search came. Empty where the leaf is malformed. */
  readonly chain: readonly ChainCertificate[]
  readonly errors: readonly PathProblem[]
  readonly warnings: readonly PathProblem[]
}

/** A path, whole or not, and everything that is known about it. */
export interface Attempt {
  readonly path: readonly Certificate[]
  readonly anchorId: string | null
  readonly problems: readonly PathProblem[]
  readonly notRevoked: boolean | null
}

/** Farther in the search; of two, with fewer errors; of two, the longer path. */
export function isBetter(one: Attempt, other: Attempt): boolean {
  const errors = one.problems.filter((problem) => !isWarning(problem))
  const others = other.problems.filter((problem) => !isWarning(problem))
  const ranks = rankOf(errors) - rankOf(others)
  if (ranks !== 0) return ranks > 0
  if (errors.length !== others.length) return errors.length < others.length
  return one.path.length > other.path.length
}

export function resultOf(
  { path, anchorId, problems, notRevoked }: Attempt,
  warnings: readonly PathProblem[],
): PathResult {
  const errors = problems.filter((problem) => !isWarning(problem))
  const has = (kind: ReturnType<typeof kindOf>): boolean => errors.some((error) => kindOf(error) === kind)
  const chainValid = anchorId !== null && !has('chain')
  return {
    valid: anchorId !== null && errors.length === 0,
    chainValid,
    notExpired: path.length > 0 && !has('time'),
    notRevoked: chainValid ? notRevoked : notRevoked === false ? false : null,
    anchorId,
    chain: path.map(describe),
    errors,
    warnings: [...problems.filter(isWarning), ...warnings],
  }
}

const describe = ({ subject, issuer, serialNumber, notBeforeMs, notAfterMs, der }: Certificate): ChainCertificate => ({
  subject: formatName(subject),
  issuer: formatName(issuer),
  serialNumber: formatSerial(serialNumber),
  notBeforeMs,
  notAfterMs,
  der,
})
