/** Results and exhaustiveness: expected failures are returned, bugs are thrown. */

/** A failure that is part of the contract is returned, not thrown. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E }

/** Wraps a success. */
export const ok = <T>(value: T): Result<T, never> => ({ ok: true, value })

/** Wraps a failure. */
export const err = <E>(error: E): Result<never, E> => ({ ok: false, error })

/** Compile-time proof that a switch is exhaustive; a runtime error if a peer sends something new. */
export function unreachable(value: never, what: string): never {
  throw new TypeError(`${what}: unexpected ${JSON.stringify(value)}`)
}
