/** A service that takes every request and never answers. */
import type { Fetch } from '../../../src/core/http-client.ts'

/** Ends only when the caller gives up. */
export const silence: Fetch = (_, init) =>
  new Promise((_resolve, reject) => {
    init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
  })
