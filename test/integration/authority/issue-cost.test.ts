/** What issuing writes: rows are what the database is paid for, and an index more would be a row more for each certificate. */
import { expect, it } from 'vitest'
import { Ledger } from '../../../src/store/ledger.ts'
import { bindings } from '../support/bindings.ts'
import { insertCertificateRows } from '../support/pki-rows.ts'
import { bodyOf, issue, newCa, newRole } from '../support/pki-world.ts'
import { newTenant, newTestToken, testApp } from '../support/worker-app.ts'

/** The certificate with its indexes of serial number, end and issuer, and the journal with its index of resources. */
const ROWS_OF_ONE_ISSUE = 6

it('ok: a certificate costs six rows, however many there are and however many names it has', async () => {
  let written: number[] = []
  const database = new Proxy(bindings.DB, {
    get(target, name) {
      if (name === 'batch') {
        return async (statements: D1PreparedStatement[]) => {
          const results = await target.batch(statements)
          written.push(results.reduce((sum, { meta }) => sum + meta.rows_written, 0))
          return results
        }
      }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const tenantId = await newTenant()
  const ledger = new Ledger(database, () => app.nowMs)
  const app = await testApp({
    wrapStore: (store) => ({
      ...store,
      commit: (work) => (work.tenantId === tenantId ? ledger.commit(work) : store.commit(work)),
    }),
  })
  const token = await newTestToken(app, ['pki:admin', 'pki:issue'], { tenantId })
  const role = await newRole(app, await newCa(app, { token }), {}, token)
  const asMine: typeof app = {
    ...app,
    request: (method, path, options) => app.request(method, path, { ...options, token }),
  }
  await insertCertificateRows(tenantId, { from: 1, to: 10_000 })
  const names = Array.from({ length: 40 }, (_, i) => `host-${i}.example.com`)
  for (const body of [{ common_name: 'www.example.com' }, { common_name: 'www.example.com', alt_names: names }]) {
    written = []
    bodyOf(await issue(asMine, role, body), 201)
    expect(written).toEqual([ROWS_OF_ONE_ISSUE])
  }
})
