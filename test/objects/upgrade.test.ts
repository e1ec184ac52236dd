/**
 * A deployment over an older one: the database as the release with migration 0011 left it, with orders in flight, then every
 * later migration, then the code of today on it. Later migrations are met by this without being named here.
 */
import { applyD1Migrations, createScheduledController, runInDurableObject } from 'cloudflare:test'
import { exports } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import worker from '../../src/index.ts'
import stored from '../fixtures/release-0011/stored.json' with { type: 'json' }
import { api, bindings, certificatesFor, objectOf, untilFinished } from './support/product.ts'

type Row = Readonly<Record<string, string | number | null>>

const LAST_OF_THE_RELEASE = '0011_compromised_keys.sql'
const ROWS = stored.rows as unknown as Readonly<Record<string, readonly Row[]>>
const [ACCOUNT = {}] = ROWS.acme_accounts ?? []
const [PROVIDER = {}] = ROWS.dns_providers ?? []
const RENEWING = ROWS.certificates?.find((row) => row.display_name === 'renewing.acme.example')?.id

/** Orders, certificates and keys of requests have their times: as if all of it had been written just now. */
const asOfNow = <Value>(value: Value): Value => {
  const sinceMs = Date.now() - stored.recordedAtMs
  const yearMs = 86_400_000 * 365
  const shift = (each: unknown): unknown =>
    typeof each === 'number' && Math.abs(each - stored.recordedAtMs) < yearMs ? each + sinceMs : each
  return JSON.parse(JSON.stringify(value), (_key, each: unknown) => shift(each)) as Value
}

async function insert(table: string, rows: readonly Row[]): Promise<void> {
  for (const row of rows) {
    const columns = Object.keys(row)
    const sql = `INSERT OR REPLACE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`
    await bindings.DB.prepare(sql)
      .bind(...Object.values(row))
      .run()
  }
}

beforeAll(async () => {
  const names = bindings.TEST_MIGRATIONS.map(({ name }) => name)
  const before = names.indexOf(LAST_OF_THE_RELEASE) + 1
  await applyD1Migrations(bindings.DB, bindings.TEST_MIGRATIONS.slice(0, before))
  const moved = ['acme_orders', 'certificates', 'idempotency_keys']
  for (const [table, rows] of Object.entries(ROWS)) await insert(table, moved.includes(table) ? asOfNow(rows) : rows)
  // The CA of these tests begins without accounts: it has lost this one, and is elsewhere.
  await bindings.DB.prepare("UPDATE acme_accounts SET status = 'lost', directory_url = ?")
    .bind(bindings.TEST_DIRECTORY_URL)
    .run()
  await runInDurableObject(objectOf(stored.waitingOrder), (_instance, state) => {
    for (const [key, value] of Object.entries(asOfNow(stored.orderObject))) state.storage.kv.put(key, value)
  })
  await applyD1Migrations(bindings.DB, bindings.TEST_MIGRATIONS)
})

const cron = async (expression: string): Promise<void> => {
  await worker.scheduled(createScheduledController({ cron: expression, scheduledTime: new Date() }), bindings)
}

describe('what the release has stored', () => {
  it('ok: every list answers, and has what was there', async () => {
    const lists: readonly (readonly [string, string])[] = [
      ['/v1/pki/acme/accounts', 'acme_accounts'],
      ['/v1/pki/acme/orders', 'acme_orders'],
      ['/v1/pki/ca', 'certificate_authorities'],
      ['/v1/pki/roles', 'roles'],
      ['/v1/dns/providers', 'dns_providers'],
      ['/v1/tokens', 'tokens'],
      ['/v1/audit', 'journal'],
    ]
    for (const [path, table] of lists) {
      const { data } = await api('GET', `${path}?limit=100`)
      expect([path, data?.length]).toEqual([path, ROWS[table]?.length])
    }
    expect(await api('GET', '/v1/audit/verify')).toMatchObject({ holds: true })
    expect(await api('GET', '/v1/secrets/teams/web/key')).toMatchObject({ data: { value: 'sealed in 0011' } })
  })

  it('ok: certificates are listed, and their keys open', async () => {
    const { data } = await api('GET', '/v1/pki/certificates?limit=100')
    const revoked = await api('GET', '/v1/pki/certificates?status=revoked&limit=100')
    const ids = (list: readonly { id: unknown }[]) => list.map(({ id }) => id).sort()
    expect(ids([...data, ...revoked.data])).toEqual(ids(ROWS.certificates as unknown as { id: unknown }[]))
    for (const { id } of data) {
      expect(await api('GET', `/v1/pki/certificates/${id}`)).toMatchObject({
        id,
        names: { dns: expect.arrayContaining([expect.any(String)]) },
      })
    }
    const key = await api('POST', `/v1/pki/certificates/${RENEWING}/private-key`)
    expect(JSON.stringify(key)).toContain('-----BEGIN PRIVATE KEY-----')
  })

  it('ok: a token opens what it opened, and nothing else', async () => {
    expect(await api('GET', `/v1/pki/certificates/${RENEWING}`, undefined, stored.token)).toMatchObject({
      id: RENEWING,
    })
    expect(await api('GET', '/v1/pki/ca', undefined, stored.token)).toMatchObject({ error: { code: 'forbidden' } })
    expect(await api('POST', '/v1/tokens', { name: 'x', scopes: ['pki:read'] }, stored.token)).toMatchObject({
      error: { code: 'forbidden' },
    })
  })

  it('ok: a request that is repeated under its key is answered as it was', async () => {
    const response = await (exports as unknown as { readonly default: Fetcher }).default.fetch(
      'http://certwright.example/v1/pki/issue/services',
      {
        method: 'POST',
        headers: {
          authorization: `Bearer ${bindings.ADMIN_TOKEN}`,
          'content-type': 'application/json',
          'idempotency-key': 'once-in-0011',
        },
        body: JSON.stringify({ common_name: 'once.svc.example.org', ttl: '168h' }),
      },
    )
    expect(await response.json()).toMatchObject(stored.answerUnderKey)
    expect(await certificatesFor('once.svc.example.org')).toBe(1)
  })

  it('ok: a CA issues on under its role', async () => {
    const issued = await api('POST', '/v1/pki/issue/services', { common_name: 'new.svc.example.org', ttl: '168h' })
    expect(issued).toMatchObject({ serial_number: expect.stringMatching(/^[0-9A-F:]+$/) })
  })
})

describe('orders in flight', () => {
  it('ok: one that waits for its owner shows its challenge, and can be cancelled', async () => {
    const path = `/v1/pki/acme/orders/${stored.waitingOrder}`
    const [authorization] = stored.orderObject.order.authorizations
    expect(await api('GET', path)).toMatchObject({
      status: 'pending',
      step: 'respond',
      challenges: [{ id: authorization?.challenge.id, domain: 'waiting.acme.example' }],
    })
    await api('POST', `${path}/cancel`)
    expect(await untilFinished(stored.waitingOrder, () => scheduler.wait(50))).toMatchObject({ status: 'invalid' })
  })

  it('ok: one that had not begun at the CA goes on to its certificate', async () => {
    await api('PATCH', `/v1/dns/providers/${PROVIDER.id}`, {
      config: {
        nameserver: bindings.TEST_NAMESERVER,
        nameservers: [bindings.TEST_NAMESERVER],
        tsig_key: bindings.TEST_TSIG_KEY,
        tsig_secret: bindings.TEST_TSIG_SECRET,
      },
    })
    expect(await api('POST', `/v1/pki/acme/accounts/${ACCOUNT.id}/register`)).toMatchObject({ status: 'active' })
    await bindings.DB.prepare(
      `UPDATE acme_orders SET step = 'new-order', request = replace(request, 'manual', 'auto'), next_attempt_at_ms = 1,
       updated_at_ms = updated_at_ms - 3600000 WHERE id = ?`,
    )
      .bind(stored.begunOrder)
      .run()
    await cron('* * * * *')
    expect(await untilFinished(stored.begunOrder, () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
    expect(await certificatesFor('fresh.acme.example')).toBe(1)
  })

  it('ok: a renewal that is due is found, and becomes the next version', async () => {
    await bindings.DB.prepare('UPDATE certificates SET next_renewal_at_ms = 1 WHERE id = ?').bind(RENEWING).run()
    await cron('*/2 * * * *')
    const renewal = await bindings.DB.prepare('SELECT open_order_id AS id FROM certificates WHERE id = ?')
      .bind(RENEWING)
      .first<{ id: string }>()
    expect(await untilFinished(renewal?.id ?? '', () => scheduler.wait(50))).toMatchObject({ status: 'valid' })
    expect(await api('GET', `/v1/pki/certificates/${RENEWING}`)).toMatchObject({ version: 2 })
  })
})
