import { applyD1Migrations } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import { api, bindings } from './support/product.ts'

/** What a certificate may cost: rows written are the bill. Index entries count as rows. */
const MAX_ROWS_PER_CERTIFICATE = 6

let rowsWritten = 0

/** Counts what D1 says that it has written, by whoever in this isolate. */
function countD1(): void {
  const prototype = Object.getPrototypeOf(bindings.DB)
  const batch = prototype.batch
  prototype.batch = async function (this: unknown, ...args: unknown[]) {
    const results: D1Result[] = await batch.apply(this, args)
    for (const { meta } of results) rowsWritten += meta.rows_written
    return results
  }
  const statement = Object.getPrototypeOf(bindings.DB.prepare('SELECT 1'))
  const run = statement.run
  statement.run = async function (this: unknown, ...args: unknown[]) {
    const result: D1Result = await run.apply(this, args)
    rowsWritten += result.meta.rows_written
    return result
  }
}

const issue = () =>
  api('POST', '/v1/pki/issue/counted', {
    common_name: 'www.example.com',
    alt_names: ['a.example.com', 'b.example.com', 'c.example.com'],
  })

beforeAll(async () => {
  await applyD1Migrations(bindings.DB, bindings.TEST_MIGRATIONS)
  const ca = await api('POST', '/v1/pki/ca', {
    name: 'counted',
    common_name: 'Counted CA',
    ca_type: 'root',
    key_type: 'ec',
    crl_partitions: 4,
  })
  const role = { name: 'counted', ca_id: ca.id, allow_any_name: true, store_private_keys: true }
  expect((await api('POST', '/v1/pki/roles', role)).ca_id).toBe(ca.id)
  expect((await issue()).private_key).toContain('PRIVATE KEY')
  countD1()
})

describe('rows written by issuing', () => {
  it('ok: a certificate under a role, its key kept, stays within its budget', async () => {
    const issued = await issue()
    expect(issued.id).toMatch(/^cert_/)
    // At least its own row and that of the journal, each with the index of its key.
    expect(rowsWritten).toBeGreaterThanOrEqual(4)
    console.info(`rows written per certificate: ${rowsWritten} in D1`)
    expect(rowsWritten).toBeLessThanOrEqual(MAX_ROWS_PER_CERTIFICATE)
  })
})
