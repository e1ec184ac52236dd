import { describe, expect, it } from 'vitest'
import { encodeCursor } from '../../../src/core/cursor.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import { testApp } from '../support/worker-app.ts'

const put = (app: Awaited<ReturnType<typeof testApp>>, path: string) =>
  app.request('PUT', `/v1/secrets/${path}`, { body: { data: { value: 'MARKED-SECRET' }, secret_type: 'json' } })

const hashAt = async (seq: number): Promise<unknown> =>
  bindings.DB.prepare('SELECT hash FROM journal WHERE tenant_id = ? AND seq = ?')
    .bind(DEFAULT_TENANT_ID, seq)
    .first('hash')

describe('/v1/audit', () => {
  it('ok: newest first, filtered by event, resource, actor and time, page by page', async () => {
    const app = await testApp()
    await put(app, 'audit/a')
    app.nowMs += 60_000
    await put(app, 'audit/b')
    await app.request('GET', '/v1/secrets/audit/a')
    const events = async (query: string) =>
      (await app.request('GET', `/v1/audit?${query}`)).json.data.map(
        ({ event, resource }: { event: string; resource: string }) => `${event} ${resource}`,
      )
    expect(await events('')).toEqual([
      'secret.read secrets/audit/a',
      'secret.written secrets/audit/b',
      'secret.written secrets/audit/a',
    ])
    expect(await events('resource=secrets/audit/a')).toEqual([
      'secret.read secrets/audit/a',
      'secret.written secrets/audit/a',
    ])
    expect(await events('event=secret.read')).toEqual(['secret.read secrets/audit/a'])
    expect(await events('actor=tok_nobody')).toEqual([])
    const first = await app.request('GET', '/v1/audit?limit=2')
    expect(first.json).toMatchObject({ has_more: true })
    const second = await app.request('GET', `/v1/audit?limit=2&cursor=${first.json.cursor}`)
    expect(second.json.data).toHaveLength(1)
    expect(second.json).toMatchObject({ has_more: false, cursor: null })
    expect(first.text).not.toContain('MARKED-SECRET')
  })

  it('fail: behind an entry that is not there, or has another hash, nothing holds', async () => {
    const app = await testApp()
    for (const name of ['v', 'w', 'x']) await put(app, `audit/${name}`)
    const { head } = (await app.request('GET', '/v1/audit/verify')).json
    const verify = async (key: string) => {
      const { json } = await app.request('GET', `/v1/audit/verify?cursor=${encodeCursor(key)}`)
      return [json.holds, json.broken_at, json.checked, json.head]
    }
    expect(await verify(`${head.seq - 1}:${await hashAt(head.seq - 1)}`)).toEqual([true, null, 1, head])
    expect(await verify(String(head.seq))).toEqual([true, null, 0, head])
    // What was cut off at the end since the call before.
    expect(await verify(`${head.seq + 1}:${head.hash}`)).toEqual([false, head.seq + 1, 0, head])
    expect(await verify('999999')).toEqual([false, head.seq + 1, 0, head])
    // What was written anew since the call before, with every hash behind it.
    expect(await verify(`${head.seq - 1}:${'0'.repeat(64)}`)).toEqual([false, head.seq - 1, 0, head])
  })

  it('fail: a row that was changed afterwards breaks the chain, and the answer says which', async () => {
    const app = await testApp()
    for (const name of ['c', 'd', 'e']) await put(app, `audit/${name}`)
    expect((await app.request('GET', '/v1/audit/verify')).json).toMatchObject({ holds: true })
    const list = await app.request('GET', '/v1/audit?resource=secrets/audit/d')
    const [{ seq }] = list.json.data
    const change = (actor: string) =>
      bindings.DB.prepare('UPDATE journal SET actor = ? WHERE tenant_id = ? AND seq = ?')
        .bind(actor, DEFAULT_TENANT_ID, seq)
        .run()
    await change('tok_somebody_else')
    expect((await app.request('GET', '/v1/audit/verify')).json).toMatchObject({ holds: false, broken_at: seq })
    await change('tok_admin')
    expect((await app.request('GET', '/v1/audit/verify')).json).toMatchObject({ holds: true })
    const { meta } = await bindings.DB.prepare('DELETE FROM journal WHERE tenant_id = ? AND seq = ?')
      .bind(DEFAULT_TENANT_ID, seq)
      .run()
    expect(meta.changes).toBe(1)
    expect((await app.request('GET', '/v1/audit/verify')).json).toMatchObject({ holds: false, broken_at: seq + 1 })
  })

  it('fail: an entry whose detail was made unreadable is shown as it stands', async () => {
    const app = await testApp()
    for (const name of ['f', 'g']) await put(app, `audit/${name}`)
    const [{ seq }] = (await app.request('GET', '/v1/audit?resource=secrets/audit/f')).json.data
    for (const [detail, shown] of [
      ['not json', { unreadable: 'not json' }],
      ['[1]', { unreadable: '[1]' }],
    ] as const) {
      await bindings.DB.prepare('UPDATE journal SET detail = ? WHERE tenant_id = ? AND seq = ?')
        .bind(detail, DEFAULT_TENANT_ID, seq)
        .run()
      const list = await app.request('GET', '/v1/audit?event=secret.written&limit=2')
      expect(list.json.data.map((entry: { detail: unknown }) => entry.detail)).toEqual([{ version: 1 }, shown])
    }
  })
})
