/** Work on a list with a bound on how much of it runs at once. */
import { ok, type Result } from './result.ts'

/**
 * The results in the order of the items; at most `limit` calls run at the same time. After a call has thrown, no further
 * one begins; the error is thrown when those under way have ended.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const faults: unknown[] = []
  const entries = items.entries()
  const worker = async (): Promise<void> => {
    // All workers share one iterator: each takes the next item that no other has taken.
    for (const [index, item] of entries) {
      if (faults.length > 0) return
      try {
        results[index] = await work(item)
      } catch (fault) {
        faults.push(fault)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  if (faults.length > 0) throw faults[0]
  return results
}

/** The values in the order of the items. After a failure no further call begins; the first failure is the result. */
export async function mapBoundedResults<T, R, E>(
  items: readonly T[],
  limit: number,
  call: (item: T) => Promise<Result<R, E>>,
): Promise<Result<R[], E>> {
  let hasFailed = false
  const results = await mapBounded(items, limit, async (item) => {
    if (hasFailed) return null
    const result = await call(item)
    hasFailed ||= !result.ok
    return result
  })
  const values: R[] = []
  for (const result of results) {
    if (result?.ok === false) return result
    if (result !== null) values.push(result.value)
  }
  return ok(values)
}
