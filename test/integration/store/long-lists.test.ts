/** D1 binds at most a hundred parameters to a statement: what takes a list takes it as one of them, however long it is. */
import { beforeAll, describe, expect, it } from 'vitest'
import { revokeCas } from '../../../src/store/authorities.ts'
import { caCertificatesOf } from '../../../src/store/ca-certificates.ts'
import { insertTerms, replaceTagTerms } from '../../../src/store/certificate-terms.ts'
import { findHttpChallenge, putHttpChallenges, removeHttpChallenges } from '../../../src/store/http-challenges.ts'
import { type IssuedVersion, revokeVersions } from '../../../src/store/issued-versions.ts'
import { insertRevocations } from '../../../src/store/revocations.ts'
import { type Store, DEFAULT_TENANT_ID as TENANT } from '../../../src/store/store.ts'
import type { Statement } from '../../../src/store/transaction.ts'
import { testApp } from '../support/worker-app.ts'

const LENGTH = 150
const list = <T>(make: (name: string) => T): T[] => Array.from({ length: LENGTH }, (_, index) => make(`item-${index}`))

let store: Store
beforeAll(async () => {
  store = (await testApp()).store
})

const version = (name: string, isCurrent: boolean): IssuedVersion => ({
  tenantId: TENANT,
  certificateId: name,
  version: 1,
  isCurrent,
  issuerCaId: null,
  acmeAccountId: null,
  serialNumber: name,
  notAfterMs: 1,
  leafPem: '',
  sealedPrivateKey: null,
  revokedAtMs: null,
  revocationReason: null,
})

describe('statements over long lists', () => {
  it('ok: an order of 150 names serves its key authorizations, and removes them', async () => {
    const order = { tenantId: TENANT, orderId: 'acme_order_long' }
    const tokens = list((name) => `token-${name}`)
    const rows = tokens.map((token) => ({ ...order, token, keyAuthorization: `${token}.key`, expiresAtMs: 2 }))
    const commit = (statements: readonly Statement[]) => store.commit({ tenantId: TENANT, statements, entries: [] })
    expect(await commit(putHttpChallenges(store, rows))).toEqual({ kind: 'committed' })
    const served = () => Promise.all(tokens.map((token) => findHttpChallenge(store, token, 1)))
    expect(await served()).toEqual(tokens.map((token) => `${token}.key`))
    expect(await commit([removeHttpChallenges(store, order, tokens)])).toEqual({ kind: 'committed' })
    expect(await served()).toEqual(tokens.map(() => null))
  })

  it.each<readonly [string, () => readonly Statement[], 'committed' | 'conflict']>([
    ['terms', () => insertTerms(store, { tenantId: TENANT, id: 'cert_long' }, list(String)), 'committed'],
    ['tags', () => replaceTagTerms(store, { tenantId: TENANT, id: 'cert_long' }, list(String)), 'committed'],
    [
      'lines of a CRL',
      () => [
        insertRevocations(
          store,
          TENANT,
          list((serialNumber) => ({
            caId: 'ca_long',
            partition: 0,
            serialNumber,
            revokedAtMs: 1,
            reason: 'superseded',
            invalidityDateMs: null,
            notAfterMs: 1,
          })),
        ),
      ],
      'committed',
    ],
    ['CAs', () => [revokeCas(store, TENANT, list(String), 1, 'superseded')], 'committed'],
    // They are not there: that is seen by the database, which has taken the list.
    [
      'versions',
      () =>
        revokeVersions(
          store,
          TENANT,
          [...list((name) => version(name, true)), ...list((name) => version(name, false))],
          {
            revokedAtMs: 1,
            reason: 'superseded',
          },
        ),
      'conflict',
    ],
  ])('ok: 150 %s', async (_what, statements, kind) => {
    expect(await store.commit({ tenantId: TENANT, statements: statements(), entries: [] })).toEqual({ kind })
  })

  it('ok: what belongs to 150 CAs', async () => {
    expect(await caCertificatesOf(store, TENANT, list(String))).toEqual([])
  })
})
