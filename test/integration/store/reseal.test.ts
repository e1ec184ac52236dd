import { getTableColumns, getTableName } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { findUnopenable, reseal, SEALED_COLUMNS } from '../../../src/store/reseal.ts'
import { readSecretField } from '../../../src/store/secrets.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import { TABLES } from '../support/tables.ts'
import { ringEntry, testApp } from '../support/worker-app.ts'

const OLD_RING = ringEntry('k1')
const BOTH = `${ringEntry('k2')},${ringEntry('k1')}`
const NEW_RING = ringEntry('k2')

const secretAt = (path: string, app: Awaited<ReturnType<typeof testApp>>) =>
  readSecretField(app.store, DEFAULT_TENANT_ID, path, 'value')

describe('sealing anew', () => {
  it('ok: every column that is named sealed is in the table of what is sealed', () => {
    const inSchema = TABLES.flatMap((table) =>
      Object.values(getTableColumns(table))
        .filter(({ name }) => name.startsWith('sealed_'))
        .map(({ name }) => `${getTableName(table)}.${name}`),
    )
    expect(inSchema.length).toBeGreaterThan(4)
    expect(SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`).sort()).toEqual(inSchema.sort())
  })

  it('ok: what was under the old key is under the new one, and opens without the old', async () => {
    const before = await testApp({ ring: OLD_RING })
    for (const name of ['a', 'b', 'c']) {
      await before.request('PUT', `/v1/secrets/anew/${name}`, { body: { data: { value: name }, secret_type: 'json' } })
    }
    const during = await testApp({ ring: BOTH })
    const first = await reseal(during.store, null)
    expect(first).toMatchObject({ resealed: 3, remaining: 0, next: null, byKey: { k2: 3 } })
    expect(await reseal(during.store, null)).toMatchObject({ resealed: 0, remaining: 0, byKey: { k2: 3 } })
    const after = await testApp({ ring: NEW_RING })
    expect(await secretAt('anew/b', after)).toEqual({ ok: true, value: 'b' })
  })

  it('ok: a writer who is faster wins, and its value is not lost', async () => {
    const before = await testApp({ ring: OLD_RING })
    await before.request('PUT', '/v1/secrets/raced', { body: { data: { value: 'old' }, secret_type: 'json' } })
    const during = await testApp({ ring: BOTH })
    const row = "UPDATE secret_versions SET sealed_data = 's1.k2.changed-meanwhile' WHERE path = 'raced'"
    // Between reading the row and replacing it.
    const ring = during.store.ring
    const racing = {
      ...during.store,
      ring: {
        ...ring,
        seal: async (...args: Parameters<typeof ring.seal>) => {
          await bindings.DB.prepare(row).run()
          return ring.seal(...args)
        },
      },
    }
    expect(await reseal(racing, null)).toMatchObject({ resealed: 0, remaining: 1 })
    const kept = await bindings.DB.prepare("SELECT sealed_data FROM secret_versions WHERE path = 'raced'").first()
    expect(kept).toEqual({ sealed_data: 's1.k2.changed-meanwhile' })
    await bindings.DB.prepare("DELETE FROM secret_versions WHERE path = 'raced'").run()
  })

  it('fail: a value that does not open is counted as remaining and stays as it is', async () => {
    const during = await testApp({ ring: BOTH })
    await bindings.DB.prepare(
      "INSERT INTO secret_versions VALUES (?, 'broken', 1, 's1.k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 0)",
    )
      .bind(DEFAULT_TENANT_ID)
      .run()
    expect(await reseal(during.store, null)).toMatchObject({ remaining: 1 })
    await bindings.DB.prepare("DELETE FROM secret_versions WHERE path = 'broken'").run()
  })

  it('ok: a key that was dropped before the walk had come to its end is found out', async () => {
    const before = await testApp({ ring: OLD_RING })
    for (const name of ['a', 'b', 'c']) {
      await before.request('PUT', `/v1/secrets/dropped/${name}`, {
        body: { data: { value: name }, secret_type: 'json' },
      })
    }
    const during = await testApp({ ring: BOTH })
    const after = await testApp({ ring: NEW_RING })
    const last = await bindings.DB.prepare("SELECT * FROM secret_versions WHERE path = 'dropped/c'").first<{
      sealed_data: string
    }>()
    await reseal(during.store, null)
    expect(await findUnopenable(after.store)).toBeNull()
    const unreached = "UPDATE secret_versions SET sealed_data = ? WHERE path = 'dropped/c'"
    await bindings.DB.prepare(unreached).bind(last?.sealed_data).run()
    expect(await findUnopenable(after.store)).toBe('secret_versions.sealed_data')
    expect(await findUnopenable(during.store)).toBeNull()
    await reseal(during.store, null)
  })

  it('ok: the route walks page by page', async () => {
    const app = await testApp({ ring: BOTH })
    const answer = await app.request('POST', '/v1/keyring/reseal', { body: {} })
    expect(answer.json).toMatchObject({ current_key_id: 'k2', remaining: 0, has_more: false, cursor: null })
  })
})
