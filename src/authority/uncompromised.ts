/** Keys that are not certified again: which they are stands in `src/store/compromised-keys.ts`. */
import { AppError } from '../core/errors.ts'
import { isCompromised, type KeyToCertify } from '../store/compromised-keys.ts'
import type { Store } from '../store/store.ts'

export const COMPROMISED =
  'The key was revoked for key_compromise and is not certified again: make a new key and a request with it'

/** Throws `policy_violation` where that key was revoked for key_compromise. `path`: the field that it came by. */
export async function requireUncompromised(store: Store, key: KeyToCertify, path?: string): Promise<void> {
  if (!(await isCompromised(store, key))) return
  const details = path === undefined ? {} : { details: [{ path, message: COMPROMISED }] }
  throw new AppError('policy_violation', COMPROMISED, details)
}
