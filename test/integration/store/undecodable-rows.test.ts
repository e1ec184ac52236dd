/** Rows whose JSON no release has written: each is named in the log, without its value, and stops nothing but itself. */
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { sealText } from '../../../src/store/key-ring.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import {
  bodyOf,
  crlOf,
  freshName,
  issue,
  issued,
  newCa,
  newRole,
  revoke,
  revokeCa,
  serialsOf,
} from '../support/pki-world.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'

const BROKEN = '{"s3cret":'
let app: TestApp
let caId: string
const logged: string[] = []

beforeAll(async () => {
  app = await testApp()
  caId = await newCa(app)
})
beforeEach(() => {
  logged.length = 0
  vi.spyOn(console, 'error').mockImplementation((line) => logged.push(String(line)))
})
afterEach(() => vi.restoreAllMocks())

async function spoil(table: string, key: string, column: string, value = BROKEN): Promise<void> {
  const name = table === 'roles' ? 'name' : 'id'
  const { meta } = await bindings.DB.prepare(
    `UPDATE ${table} SET ${column} = ? WHERE tenant_id = ? AND ${name} = ? AND ${column} IS NOT NULL`,
  )
    .bind(value, DEFAULT_TENANT_ID, key)
    .run()
  expect(meta.changes).toBe(1)
}

/** The keys of a list, page by page. */
async function walk(path: string, limit: number): Promise<string[]> {
  const keys: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`
    const page = bodyOf(await app.request('GET', `${path}?limit=${limit}${query}`))
    keys.push(...page.data.map((each: { id?: string; name: string }) => each.id ?? each.name))
    cursor = page.cursor
  }
  return keys
}

const token = async () => {
  const body = { name: freshName('token'), scopes: ['pki:read'] }
  return bodyOf(await app.request('POST', '/v1/tokens', { body }), 201).id as string
}
const csr = async () => {
  const body = { subject: { common_name: 'www.example.com' }, key_type: 'ec' }
  return bodyOf(await app.request('POST', '/v1/pki/csr', { body }), 201).id as string
}
const provider = async () => {
  const body = {
    name: freshName('provider'),
    type: 'cloudflare',
    config: { api_token: 'x' },
    managed_zones: ['a.example'],
  }
  return bodyOf(await app.request('POST', '/v1/pki/dns-providers', { body }), 201).id as string
}
const certificate = async () => (await issued(app, await newRole(app, caId))).id

const LISTS: readonly (readonly [string, string, string, string, () => Promise<string>])[] = [
  ['certificates', '/v1/pki/certificates', 'certificates', 'issue_terms', certificate],
  ['roles', '/v1/pki/roles', 'roles', 'policy', () => newRole(app, caId)],
  ['CAs', '/v1/pki/ca', 'certificate_authorities', 'permitted_dns_domains', () => newCa(app)],
  ['requests', '/v1/pki/csr', 'csrs', 'names', csr],
  ['tokens', '/v1/tokens', 'tokens', 'scopes', token],
  ['DNS providers', '/v1/pki/dns-providers', 'dns_providers', 'settings', provider],
]

describe('a list', () => {
  it.each(LISTS)('fail: %s: what does not decode is left out and logged, and all others are there', async (...row) => {
    const [, path, table, column, make] = row
    const made = [await make(), await make(), await make(), await make()]
    const spoilt = made.slice(1, 3)
    for (const key of spoilt) await spoil(table, key, column)
    const keys = await walk(path, 1)
    expect(made.map((key) => keys.includes(key))).toEqual([true, false, false, true])
    for (const key of spoilt) expect(logged.join('\n')).toContain(`${table} ${key}: ${column} is not`)
    expect(logged.join('\n')).not.toContain('s3cret')
    const one = await app.request('GET', `${path}/${spoilt[0]}`)
    expect([one.status, one.json.error.code]).toEqual([500, 'internal'])
    expect(one.text).not.toContain('s3cret')
  })

  it('fail: many beside each other: they are left out, and all others are there', async () => {
    // The list begins at the end of the alphabet.
    const names = Array.from({ length: 14 }, (_, index) => `zz-${String.fromCharCode(97 + index)}`)
    await Promise.all(names.map((name) => newRole(app, caId, { name })))
    const spoilt = names.slice(1, 13)
    for (const name of spoilt) await spoil('roles', name, 'policy')
    const keys = await walk('/v1/pki/roles', 1)
    expect(keys.filter((key) => names.includes(key))).toEqual(['zz-n', 'zz-a'])
    for (const limit of [5, 12, 100]) expect(await walk('/v1/pki/roles', limit)).toEqual(keys)
  })
})

describe('what does not decode', () => {
  it('fail: a token: it is let in nowhere', async () => {
    const body = { name: freshName('token'), scopes: ['pki:read'] }
    const made = bodyOf(await app.request('POST', '/v1/tokens', { body }), 201)
    expect((await app.request('GET', '/v1/tokens/self', { token: made.token })).status).toBe(200)
    await spoil('tokens', made.id, 'scopes')
    expect((await app.request('GET', '/v1/tokens/self', { token: made.token })).status).toBe(500)
  })

  it('fail: the constraints of a CA: nothing is issued below it', async () => {
    const parent = await newCa(app)
    const child = await newCa(app, { parent })
    const role = await newRole(app, child)
    await spoil('certificate_authorities', parent, 'excluded_dns_domains', '{}')
    expect((await issue(await testApp(), role)).status).toBe(500)
  })

  it.each(LISTS.filter(([what]) => ['roles', 'tokens', 'DNS providers'].includes(what)))(
    'ok: %s: it is deleted all the same',
    async (...row) => {
      const [, path, table, column, make] = row
      const key = await make()
      await spoil(table, key, column)
      expect((await app.request('DELETE', `${path}/${key}`)).status).toBe(204)
      expect((await app.request('GET', `${path}/${key}`)).status).toBe(404)
    },
  )

  it.each([
    ['scopes', { scopes: 'undecodable', paths: ['pki/ca/ca_*'] }],
    ['paths', { scopes: ['pki:read'], paths: 'undecodable' }],
  ])('ok: the %s of a token: its last entry says so, and not that it had no limits', async (column, expected) => {
    const body = { name: freshName('token'), scopes: ['pki:read'], paths: ['pki/ca/ca_*'] }
    const { id } = bodyOf(await app.request('POST', '/v1/tokens', { body }), 201)
    await spoil('tokens', id, column)
    expect((await app.request('DELETE', `/v1/tokens/${id}`)).status).toBe(204)
    const entries = bodyOf(await app.request('GET', `/v1/audit?event=token.deleted&resource=tokens/${id}`)).data
    expect(entries.map(({ detail }: { detail: unknown }) => detail)).toEqual([{ name: body.name, ...expected }])
    expect(logged.join('\n')).toContain(`tokens ${id}: ${column} is not`)
  })

  it('fail: sealed credentials of a DNS provider: named in the log, and not shown', async () => {
    const id = await provider()
    const place = { tenantId: DEFAULT_TENANT_ID, column: 'dns_providers.sealed_credentials', row: id }
    await spoil('dns_providers', id, 'sealed_credentials', await sealText(app.store.ring, place, BROKEN))
    expect((await app.request('GET', `/v1/pki/dns-providers/${id}`)).status).toBe(200)
    expect(logged.join('\n')).toContain(`dns_providers ${id}: sealed_credentials is not`)
    expect(logged.join('\n')).not.toContain('s3cret')
  })

  it('ok: a certificate: its hold is lifted all the same', async () => {
    const leaf = await issued(app, await newRole(app, caId))
    bodyOf(await revoke(app, leaf.id, 'certificate_hold'))
    await spoil('certificates', leaf.id, 'tags')
    const lifted = bodyOf(await app.request('POST', `/v1/pki/certificates/${leaf.id}/unhold`))
    expect([lifted.status, lifted.tags, lifted.names.dns]).toEqual(['active', [], ['www.example.com']])
    expect(serialsOf(await crlOf(app, caId))).not.toContain(leaf.serial)
    expect(logged.join('\n')).toContain(`certificates ${leaf.id}: tags is not`)
  })

  it('ok: the constraints of a CA: its certificates and itself are revoked, and its CRL says so', async () => {
    const parent = await newCa(app)
    const child = await newCa(app, { parent, more: { permitted_dns_domains: ['example.com'] } })
    const [first, second] = [await issued(app, await newRole(app, child)), await issued(app, await newRole(app, child))]
    for (const id of [parent, child]) await spoil('certificate_authorities', id, 'permitted_dns_domains')
    bodyOf(await revoke(app, first.id))
    expect(serialsOf(await crlOf(app, child))).toEqual([first.serial])
    const revoked = bodyOf(await revokeCa(app, child))
    expect([revoked.status, revoked.permitted_dns_domains]).toEqual(['revoked', ['example.com']])
    expect(serialsOf(await crlOf(app, child)).sort()).toEqual([first.serial, second.serial].sort())
    const asked = await app.request('POST', `/v1/pki/ca/${parent}/crl`)
    expect(bodyOf(asked).revoked_count).toBe(1)
  })

  it.each([
    ['by its serial number', ({ serial }: { serial: string }) => ({ serial_number: serial })],
    ['by its id', ({ id }: { id: string }) => ({ certificate_id: id })],
  ])('ok: a certificate: it is revoked all the same, %s', async (_, target) => {
    const leaf = await issued(app, await newRole(app, caId))
    await spoil('certificates', leaf.id, 'tags')
    bodyOf(await app.request('POST', '/v1/pki/revoke', { body: { ...target(leaf), reason: 'superseded' } }))
    const row = await bindings.DB.prepare('SELECT revocation_reason AS reason FROM certificates WHERE id = ?')
      .bind(leaf.id)
      .first()
    expect(row).toEqual({ reason: 'superseded' })
  })
})

it('ok: a role whose policy stands there with its members in another order issues as before', async () => {
  const role = await newRole(app, caId)
  await bindings.DB.prepare(
    "UPDATE roles SET policy = json_set(json_remove(policy, '$.allowAnyName'), '$.allowAnyName', json('true')) WHERE name = ?",
  )
    .bind(role)
    .run()
  expect((await issue(app, role)).status).toBe(201)
})
