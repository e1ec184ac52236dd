/** What an order gets that the request leaves out: the tenant's settings, and where there are none, what is there to choose from. */
import { invalidField } from '../core/errors.ts'
import type { CertificateKeySpec } from '../pki/keys.ts'
import type { Store } from '../store/store.ts'
import { findOrderDefaults } from '../store/tenants.ts'

export interface OrderDefaults {
  /** The tenant's setting, or its only active account; null where it has neither. */
  readonly accountId: string | null
  /** The tenant's setting; null: the caller's own default. */
  readonly key: CertificateKeySpec | null
}

/** The tenant's defaults for orders. */
export async function orderDefaults(store: Store, tenantId: string): Promise<OrderDefaults> {
  const { defaultAcmeAccountId, defaultKeyType, defaultKeySize, activeAccounts } = await findOrderDefaults(
    store,
    tenantId,
  )
  const [only, ...others] = activeAccounts
  return {
    accountId: defaultAcmeAccountId ?? (others.length === 0 ? (only ?? null) : null),
    key:
      defaultKeyType === null || defaultKeySize === null
        ? null
        : ({ type: defaultKeyType, size: defaultKeySize } as CertificateKeySpec),
  }
}

/** The account that an order names, or the tenant's default. Throws `invalid_request` where there is neither. */
export function chosenAccount(named: string | undefined, { accountId }: OrderDefaults): string {
  const chosen = named ?? accountId
  if (chosen !== null) return chosen
  throw invalidField('account_id', 'name an account: the tenant has no default one, and not one active account alone')
}
