/** The index of names that is written behind issuing: what it has and what it does not have yet is found alike. */
import { beforeAll, describe, expect, it } from 'vitest'
import { indexTerms, MAX_INDEXED_PER_CALL, tenantsToIndex } from '../../../src/store/certificate-terms.ts'
import type { Database } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import { idOfRow, insertCertificateRows } from '../support/pki-rows.ts'
import { approvedCsr, bodyOf, issued, maintain, newCa, newRole, rowsOf } from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const END = 'cert_zzzzzzzzzzzzzzzzzzzzzzzzzz'

let app: TestApp
beforeAll(async () => {
  app = await testApp()
})

const markOf = async (tenantId: string): Promise<string | undefined> =>
  (await rowsOf<{ mark: string }>('SELECT terms_through AS mark FROM tenants WHERE id = ?', tenantId))[0]?.mark

const termsOf = async (id: string): Promise<string[]> =>
  (await rowsOf<{ term: string }>('SELECT term FROM certificate_terms WHERE certificate_id = ? ORDER BY term', id)).map(
    ({ term }) => term,
  )

const countTerms = async (tenantId: string): Promise<number> =>
  (await rowsOf('SELECT term FROM certificate_terms WHERE tenant_id = ?', tenantId)).length

async function found(query: string, token?: string): Promise<string[]> {
  const answer = await app.request('GET', `/v1/pki/certificates?${query}`, token === undefined ? {} : { token })
  return bodyOf(answer).data.map(({ id }: { id: string }) => id)
}

/** The database, where something happens before each batch. */
function slowedDatabase(before: () => Promise<unknown>): Database {
  return new Proxy(app.store.db, {
    get(target, name) {
      if (name !== 'batch') return Reflect.get(target, name)
      return async (...statements: Parameters<Database['batch']>) => {
        await before()
        return target.batch(...statements)
      }
    },
  })
}

describe('certificates that were issued', () => {
  const QUERIES = [
    'common_name=WWW.Names.example',
    'san=www.names.EXAMPLE',
    'san=API.names.example',
    'san=192.0.2.7',
    'san=ops@names.example',
    'san=spiffe://names.example/Ns/A',
  ]

  it('ok: are found by each of their names before they are indexed, and after', async () => {
    const role = await newRole(app, await newCa(app), {
      allow_ip_sans: true,
      allowed_email_domains: ['names.example'],
      allowed_uri_sans: ['spiffe://names.example/*'],
    })
    const { id } = await issued(app, role, {
      common_name: 'www.names.example',
      alt_names: ['api.names.example'],
      ip_sans: ['192.0.2.7'],
      email_sans: ['ops@names.example'],
      uri_sans: ['spiffe://names.example/Ns/A'],
    })
    expect(await termsOf(id)).toEqual([])
    const before = await Promise.all(QUERIES.map((query) => found(query)))
    expect(before).toEqual(QUERIES.map(() => [id]))
    // Too young: something older may still be on its way.
    app.nowMs += 60_000
    await maintain(app)
    expect(await termsOf(id)).toEqual([])
    app.nowMs += 120_000
    await maintain(app)
    expect(await termsOf(id)).toEqual([
      'name:192.0.2.7',
      'name:api.names.example',
      'name:ops@names.example',
      'name:spiffe://names.example/ns/a',
      'name:www.names.example',
    ])
    expect(await Promise.all(QUERIES.map((query) => found(query)))).toEqual(before)
    expect(await found('common_name=api.names.example')).toEqual([])
    expect(await found('san=names.example')).toEqual([])
  })

  it('ok: a request that was signed brings its names, in letters of any alphabet', async () => {
    const caId = await newCa(app)
    const csr = await approvedCsr(app, 'Ärzte GmbH', 'aerzte.example')
    const signed = await app.request('POST', `/v1/pki/csr/${csr}/sign`, { body: { ca_id: caId } })
    const { id } = bodyOf(signed, 201)
    expect(await termsOf(id)).toEqual(['name:aerzte.example', 'name:Ärzte gmbh'])
    expect(await found(`common_name=${encodeURIComponent('Ärzte GmbH')}`)).toEqual([id])
    expect(await found(`common_name=${encodeURIComponent('ÄRZTE gmbh')}`)).toEqual([id])
  })
})

describe('indexing', () => {
  it('ok: goes page by page, moves its mark, and leaves what is above the border', async () => {
    const tenantId = await newTenant()
    const rows = MAX_INDEXED_PER_CALL * 2 + 100
    await insertCertificateRows(tenantId, { from: 1, to: rows })
    const through = idOfRow(MAX_INDEXED_PER_CALL * 2 + 50)
    expect(await tenantsToIndex(app.store, through, 10)).toContain(tenantId)
    const counts: number[] = []
    for (let i = 0; i < 4; i += 1) counts.push(await indexTerms(app.store, tenantId, through))
    expect(counts).toEqual([MAX_INDEXED_PER_CALL, MAX_INDEXED_PER_CALL, 50, 0])
    expect([await markOf(tenantId), await countTerms(tenantId)]).toEqual([through, MAX_INDEXED_PER_CALL * 2 + 50])
    expect(await tenantsToIndex(app.store, through, 10)).not.toContain(tenantId)
    expect(await tenantsToIndex(app.store, END, 10)).toContain(tenantId)
  })

  it('ok: many at once, with borders in any order, lose nothing', async () => {
    const tenantId = await newTenant()
    const rows = 1_800
    await insertCertificateRows(tenantId, { from: 1, to: rows })
    const borders = [1_800, 300, 1_200, 700, 1_800, 1_500, 900, 1_800]
    await Promise.all(
      borders.map(async (border) => {
        let count: number
        do count = await indexTerms(app.store, tenantId, idOfRow(border))
        while (count > 0)
      }),
    )
    expect([await markOf(tenantId), await countTerms(tenantId)]).toEqual([idOfRow(rows), rows])
    // A run with an old border takes the mark nowhere.
    expect(await indexTerms(app.store, tenantId, idOfRow(10))).toBe(0)
    expect(await markOf(tenantId)).toBe(idOfRow(rows))
  })

  it('ok: rows that come in between its reading and its writing are in it', async () => {
    const tenantId = await newTenant()
    await insertCertificateRows(tenantId, { from: 11, to: 20 })
    const slow = slowedDatabase(() => insertCertificateRows(tenantId, { from: 1, to: 10 }))
    expect(await indexTerms({ ...app.store, db: slow }, tenantId, END)).toBe(10)
    expect(await countTerms(tenantId)).toBe(20)
  })

  it('ok: a slow run with an old border does not take the mark back', async () => {
    const tenantId = await newTenant()
    await insertCertificateRows(tenantId, { from: 1, to: 20 })
    const slow = slowedDatabase(() => indexTerms(app.store, tenantId, END))
    expect(await indexTerms({ ...app.store, db: slow }, tenantId, idOfRow(10))).toBe(10)
    expect([await markOf(tenantId), await countTerms(tenantId)]).toEqual([idOfRow(20), 20])
  })

  it('ok: each tenant has its own, and finds nothing of another one', async () => {
    const [mine, theirs] = [await newTenant(), await newTenant()]
    const token = await newTestToken(app, ['pki:read'], { tenantId: mine })
    await insertCertificateRows(mine, { from: 1, to: 5 })
    await insertCertificateRows(theirs, { from: 6, to: 9 })
    await indexTerms(app.store, theirs, END)
    expect([await markOf(mine), await countTerms(mine), await countTerms(theirs)]).toEqual(['', 0, 4])
    expect(await found('common_name=host-7.example.com', token)).toEqual([])
    expect(await found('common_name=host-5.example.com', token)).toEqual([idOfRow(5)])
  })

  it('ok: the cron does every tenant, as many rows as a run has room for', async () => {
    const tenants = [await newTenant(), await newTenant(), await newTenant()]
    for (const tenantId of tenants) await insertCertificateRows(tenantId, { from: 1, to: 700 })
    await maintain(app)
    expect(await Promise.all(tenants.map(countTerms))).toEqual([700, 700, 700])
    const { results } = await bindings.DB.prepare("SELECT id FROM tenants WHERE terms_through = ''").all()
    expect(results.filter(({ id }) => tenants.includes(id as string))).toEqual([])
  })
})
