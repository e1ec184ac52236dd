/** Accounts at CAs straight into the database, as no CA of these tests could register them. */
import { type AcmeAccountRow, insertAcmeAccount } from '../../../src/store/acme-accounts.ts'
import { DEFAULT_TENANT_ID, type Store } from '../../../src/store/store.ts'

type AccountChange = Partial<AcmeAccountRow> & Pick<AcmeAccountRow, 'id'>

/** A row whose name is its id, of the default tenant, active, but for what is given. */
export const accountRow = (changed: AccountChange): AcmeAccountRow => ({
  tenantId: DEFAULT_TENANT_ID,
  name: changed.id,
  provider: 'custom',
  environment: 'production',
  email: null,
  directoryUrl: 'https://ca.example/dir',
  accountUrl: 'https://ca.example/account',
  status: 'active',
  keyType: 'ec',
  keySize: 256,
  sealedKey: 's1.k1.x',
  thumbprint: 'none',
  preferredChain: null,
  profile: null,
  createdAtMs: 1,
  updatedAtMs: 1,
  ...changed,
})

export async function addAccount(store: Store, changed: AccountChange): Promise<void> {
  const row = accountRow(changed)
  await store.commit({ tenantId: row.tenantId, statements: [insertAcmeAccount(store, row)], entries: [] })
}
