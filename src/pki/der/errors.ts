/** What goes wrong in DER: thrown inside the readers, turned into a Result at the border of each parser. */
import { err, ok, type Result } from '../../core/result.ts'

export type DerFault =
  /** The bytes end before the value does. */
  | 'truncated'
  /** Another type than the one that belongs here. */
  | 'unexpected_tag'
  /** A length that DER forbids: indefinite, or longer than it needs to be. */
  | 'length'
  /** Bytes after the last value. */
  | 'trailing'
  | 'too_deep'
  | 'too_many_elements'
  /** Well-formed, but not a value that this type may have. */
  | 'value'

/** Bytes that are not what they should be. Carries where, never the bytes themselves. */
export class DerError extends Error {
  override readonly name = 'DerError'
  readonly fault: DerFault
  /** Counted from the first byte that the parser was given. */
  readonly offset: number

  constructor(fault: DerFault, offset: number, message: string) {
    super(`${message} (at byte ${offset})`)
    this.fault = fault
    this.offset = offset
  }
}

/** Runs a parser and returns what it threw. Anything but a DerError is a bug and goes on. */
export function catchDer<T>(parse: () => T): Result<T, DerError> {
  try {
    return ok(parse())
  } catch (error) {
    if (error instanceof DerError) return err(error)
    throw error
  }
}
