import { runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import { api, bindings, issue, objectOf, prepare, untilFinished } from './support/product.ts'

/** What an order may cost: rows written are the bill. */
const MAX_ROWS_PER_ORDER = 40

const rows = { d1: 0, objects: 0 }

// biome-ignore lint/suspicious/noExplicitAny: platform classes are patched here, by the names of their methods.
type Patchable = any

/** Counts what D1 says that it has written, by whoever in this isolate. */
function countD1(): void {
  const prototype: Patchable = Object.getPrototypeOf(bindings.DB)
  const batch = prototype.batch
  prototype.batch = async function (this: unknown, ...args: unknown[]) {
    const results: D1Result[] = await batch.apply(this, args)
    for (const { meta } of results) rows.d1 += meta.rows_written
    return results
  }
  const statement: Patchable = Object.getPrototypeOf(bindings.DB.prepare('SELECT 1'))
  const run = statement.run
  statement.run = async function (this: unknown, ...args: unknown[]) {
    const result: D1Result = await run.apply(this, args)
    rows.d1 += result.meta.rows_written
    return result
  }
}

/** Counts writes of keys and alarms: one row each. */
function countStorage(storage: DurableObjectStorage): void {
  const count = (target: Patchable, method: string, written: () => number) => {
    const original = target[method]
    target[method] = function (this: unknown, ...args: unknown[]) {
      rows.objects += written.call(this)
      return original.apply(this, args)
    }
  }
  count(Object.getPrototypeOf(storage.kv), 'put', () => 1)
  count(Object.getPrototypeOf(storage), 'setAlarm', () => 1)
  count(Object.getPrototypeOf(storage), 'deleteAll', function (this: DurableObjectStorage) {
    return [...this.kv.list()].length
  } as () => number)
}

beforeAll(async () => {
  await prepare()
  const warm = await issue('warm.acme.example')
  await untilFinished(warm, () => scheduler.wait(50))
  countD1()
  await runInDurableObject(objectOf(warm), (_instance, state) => countStorage(state.storage))
})

describe('rows written', () => {
  it('ok: an order for a name and its wildcard stays within its budget', async () => {
    const order = await untilFinished(await issue('counted.acme.example'), () => scheduler.wait(50))
    expect(order.status).toBe('valid')
    // Everything has been counted that is known to be written: the order's row, the certificate, five journal rows.
    expect(rows.d1).toBeGreaterThanOrEqual(12)
    expect(rows.objects).toBeGreaterThanOrEqual(8)
    console.info(`rows written per order: ${rows.d1} in D1, ${rows.objects} in objects`)
    expect(rows.d1 + rows.objects).toBeLessThanOrEqual(MAX_ROWS_PER_ORDER)
    const audit = await api('GET', '/v1/audit?limit=1')
    expect(audit.data).toHaveLength(1)
  })
})
