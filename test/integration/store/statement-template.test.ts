import { and, eq } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { newCertificateRow } from '../../../src/authority/leaf.ts'
import { demandSigner } from '../../../src/store/authorities.ts'
import { type CertificateRow, insertCertificate } from '../../../src/store/certificates.ts'
import { demandRole, type RoleRow } from '../../../src/store/roles.ts'
import { certificateAuthorities, certificates, roles } from '../../../src/store/schema.ts'
import { openDatabase, type Store } from '../../../src/store/store.ts'
import { deleteToken, findTokenByHash, insertToken, type TokenRow } from '../../../src/store/tokens.ts'
import { demand, mustChange, type Statement } from '../../../src/store/work.ts'
import { bindings } from '../support/bindings.ts'

const store = { db: openDatabase(bindings.DB) } as Store
const TENANT = 'ten_templates'

const sparse: CertificateRow = newCertificateRow(
  {
    tenantId: TENANT,
    id: 'cert_sparse',
    source: 'internal',
    issuerCaId: null,
    roleName: null,
    keyOrigin: null,
    issueTerms: null,
    commonName: null,
    displayName: '00',
    names: { dns: [], ip: [], email: [], uri: [] },
    serialNumber: '01',
    notBeforeMs: 1_000,
    notAfterMs: 2_000,
    keyType: 'ec',
    keySize: 256,
    leafPem: 'leaf',
    chainPem: '',
    sealedPrivateKey: null,
  },
  3_000,
)
const full: CertificateRow = {
  ...sparse,
  id: 'cert_full',
  commonName: 'www.example.com',
  names: { dns: ['www.example.com'], ip: ['192.0.2.1'], email: [], uri: [] },
  tags: ['a', "b'c"],
  autoRenew: true,
  renewalRequest: { domains: ['www.example.com'] },
  issueTerms: { ttlSeconds: 60, hasCommonName: true, approved: null },
  revokedAtMs: 5_000,
}

const role = (name: string, policy: unknown): RoleRow => ({
  tenantId: TENANT,
  name,
  caId: 'ca_1',
  policy,
  version: 3,
  createdAtMs: 1_000,
  updatedAtMs: 1_000,
})

async function write(...statements: readonly Statement[]): Promise<void> {
  await bindings.DB.batch(statements.map(({ sql, params }) => bindings.DB.prepare(sql).bind(...params)))
}

const holds = (statement: Statement): Promise<boolean> =>
  write(statement).then(
    () => true,
    () => false,
  )

describe('statements whose SQL is built once', () => {
  it('ok: certificates are inserted as drizzle would insert them, each with its own values', async () => {
    for (const row of [sparse, full, sparse]) {
      expect(insertCertificate(store, row)).toEqual(mustChange(store.db.insert(certificates).values(row)))
    }
    await write(insertCertificate(store, sparse), insertCertificate(store, full))
    const stored = await store.db.select().from(certificates).where(eq(certificates.tenantId, TENANT)).all()
    expect(stored).toEqual([full, sparse])
    const { results } = await bindings.DB.prepare(
      'SELECT id FROM certificates WHERE tenant_id = ? AND renewal_request IS NULL',
    )
      .bind(TENANT)
      .all()
    expect(results).toEqual([{ id: sparse.id }])
  })

  it('ok: a role is demanded with all that it said, each time anew', async () => {
    const [first, second] = [role('first', { allowedDomains: ['example.com'] }), role('second', { requireCn: true })]
    await write(mustChange(store.db.insert(roles).values(first)), mustChange(store.db.insert(roles).values(second)))
    const others: readonly RoleRow[] = [
      { ...first, tenantId: 'ten_other' },
      { ...first, name: 'second' },
      { ...first, version: 4 },
      { ...first, caId: 'ca_2' },
      { ...first, policy: second.policy },
    ]
    expect([await holds(demandRole(store, first)), await holds(demandRole(store, second))]).toEqual([true, true])
    expect(await Promise.all(others.map((other) => holds(demandRole(store, other))))).toEqual(others.map(() => false))
  })

  it('ok: a CA is demanded as drizzle would demand it', () => {
    for (const key of ['one', 'two'].map((id) => ({ tenantId: TENANT, id, serialNumber: `0${id.length}` }))) {
      const { tenantId, id, status, serialNumber } = certificateAuthorities
      const isSame = and(
        eq(tenantId, key.tenantId),
        eq(id, key.id),
        eq(status, 'active'),
        eq(serialNumber, key.serialNumber),
      )
      expect(demandSigner(store, key)).toEqual(
        demand(store.db.select({ id }).from(certificateAuthorities).where(isSame)),
      )
    }
  })

  it('ok: a token that is revoked is not found any more', async () => {
    const token = (id: string, tokenHash: string): TokenRow => ({
      tenantId: TENANT,
      id,
      name: id,
      tokenHash,
      scopes: ['pki:issue'],
      paths: ['pki/roles/x'],
      expiresAtMs: null,
      createdAtMs: 1_000,
      createdBy: 'admin',
    })
    const [first, second] = [token('tok_1', '11'.repeat(32)), token('tok_2', '22'.repeat(32))]
    await write(insertToken(store, first), insertToken(store, second))
    expect(await findTokenByHash(store, first.tokenHash)).toEqual(first)
    expect(await findTokenByHash(store, second.tokenHash)).toEqual(second)
    await write(deleteToken(store, TENANT, first.id))
    expect(await findTokenByHash(store, first.tokenHash)).toBeNull()
    expect(await findTokenByHash(store, second.tokenHash)).toEqual(second)
  })
})
