import { eq } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { newCrlColumns } from '../../../src/authority/cas/store-ca.ts'
import { type CaRow, insertCa, type Lineage, mustHaveSigner } from '../../../src/store/authorities.ts'
import { newCertificateRow } from '../../../src/store/certificate-row.ts'
import { type CertificateRow, insertCertificate } from '../../../src/store/certificates.ts'
import type { RolePolicy } from '../../../src/store/role-policy.ts'
import { insertRole, mustHaveRole, type StoredRole } from '../../../src/store/roles.ts'
import { certificates } from '../../../src/store/schema/certificates.ts'
import { openDatabase, type Store } from '../../../src/store/store.ts'
import { deleteToken, findTokenByHash, insertToken, mustHaveToken, type TokenRow } from '../../../src/store/tokens.ts'
import { mustChange, type Statement } from '../../../src/store/transaction.ts'
import { ACTIVE } from '../../../src/tenants/standing.ts'
import { bindings } from '../support/bindings.ts'
import { ORDER_REQUEST, ROLE_POLICY } from '../support/stored-shapes.ts'

const store = { db: openDatabase(bindings.DB) } as Store
const TENANT = 'ten_templates'

const sparse: CertificateRow = newCertificateRow(
  {
    tenantId: TENANT,
    id: 'cert_sparse',
    source: 'internal',
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
  renewalRequest: ORDER_REQUEST,
  issueTerms: { ttlSeconds: 60, hasCommonName: true, approved: null },
  revokedAtMs: 5_000,
}

const role = (name: string, policy: RolePolicy): StoredRole => ({
  tenantId: TENANT,
  name,
  caId: 'ca_1',
  policy,
  policyText: JSON.stringify(policy),
  version: 3,
  createdAtMs: 1_000,
  updatedAtMs: 1_000,
})

const ca = (id: string, serialNumber: string): CaRow => ({
  tenantId: TENANT,
  id,
  name: id,
  caType: 'root',
  parentCaId: null,
  status: 'active',
  commonName: id,
  keyType: 'ec',
  keySize: 256,
  sealedKey: 'sealed',
  serialNumber,
  certificatePem: 'certificate',
  foreignChainPem: '',
  notBeforeMs: 1_000,
  notAfterMs: 2_000,
  maxPathLength: null,
  permittedDnsDomains: [],
  excludedDnsDomains: [],
  ...newCrlColumns(0, { count: 0, base: null }, 1_000),
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

  it('ok: a role is required with all that it said, each time anew', async () => {
    const [first, second] = [role('first', ROLE_POLICY), role('second', { ...ROLE_POLICY, requireCn: false })]
    await write(insertRole(store, first), insertRole(store, second))
    const others: readonly StoredRole[] = [
      { ...first, tenantId: 'ten_other' },
      { ...first, name: 'second' },
      { ...first, version: 4 },
      { ...first, caId: 'ca_2' },
      { ...first, policyText: second.policyText },
    ]
    expect([await holds(mustHaveRole(store, first)), await holds(mustHaveRole(store, second))]).toEqual([true, true])
    expect(await Promise.all(others.map((other) => holds(mustHaveRole(store, other))))).toEqual(others.map(() => false))
  })

  it('ok: a CA is required with all above it, each time anew', async () => {
    const [leafward, middle, top] = [ca('ca_1', '0a'), ca('ca_2', '0b'), ca('ca_3', '0c')]
    const revoked = { ...ca('ca_4', '0d'), status: 'revoked' }
    await write(...[leafward, middle, top, revoked].map((row) => insertCa(store, row)))
    const lineages: readonly (readonly [Lineage, boolean])[] = [
      [[leafward], true],
      [[leafward, middle, top], true],
      [[leafward, middle, { ...top, serialNumber: '0e' }], false],
      [[leafward, { ...middle, serialNumber: top.serialNumber }, top], false],
      [[leafward, middle, revoked], false],
      [[revoked], false],
      [[leafward, { ...middle, id: 'ca_5' }], false],
      [[{ ...leafward, tenantId: 'ten_other' }], false],
      [[middle, top], true],
    ]
    const held: boolean[] = []
    for (const [lineage] of lineages) held.push(await holds(mustHaveSigner(store, lineage)))
    expect(held).toEqual(lineages.map(([, holds]) => holds))
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
    await bindings.DB.prepare("INSERT INTO tenants (id, name, plan, created_at_ms) VALUES (?, 'x', 'unlimited', 0)")
      .bind(TENANT)
      .run()
    await write(insertToken(store, first), insertToken(store, second))
    expect(await findTokenByHash(store, first.tokenHash)).toEqual({ ...first, tenant: ACTIVE })
    expect(await findTokenByHash(store, second.tokenHash)).toEqual({ ...second, tenant: ACTIVE })
    await write(deleteToken(store, TENANT, first.id))
    expect(await findTokenByHash(store, first.tokenHash)).toBeNull()
    expect(await findTokenByHash(store, second.tokenHash)).toEqual({ ...second, tenant: ACTIVE })
    expect([await holds(mustHaveToken(store, first)), await holds(mustHaveToken(store, second))]).toEqual([false, true])
    await bindings.DB.prepare("UPDATE tenants SET status = 'suspended' WHERE id = ?").bind(TENANT).run()
    expect(await holds(mustHaveToken(store, second))).toBe(false)
  })
})
