/** Accounts (RFC 8555 §7.1.2, §7.3). */
import { z } from 'zod'
import { err, ok, type Result } from '../core/result.ts'
import type { ExternalAccountBinding } from './external-account-binding.ts'
import { MAX_LISTED_ORDERS } from './limits.ts'
import { checkServerUrls, checkShape, type TargetPolicy, urlText } from './shape.ts'

/** RFC 8555 §7.1.6. */
const ACCOUNT_STATUSES = ['valid', 'deactivated', 'revoked'] as const
export type AccountStatus = (typeof ACCOUNT_STATUSES)[number]

export interface Account {
  readonly status: AccountStatus
  /** What the CA keeps. Let's Encrypt keeps none since June 2025: do not compare it with what was sent. */
  readonly contact: readonly string[]
  readonly termsOfServiceAgreed: boolean | null
  /** Let's Encrypt has no such list, although RFC 8555 §7.1.2 requires one. */
  readonly ordersUrl: string | null
}

export interface NewAccount {
  /** `mailto:` addresses (RFC 8555 §7.3). */
  readonly contact?: readonly string[]
  readonly termsOfServiceAgreed?: boolean
  readonly externalAccountBinding?: ExternalAccountBinding
  /** RFC 8555 §7.3.1: finds the account of this key and creates none. */
  readonly onlyReturnExisting?: boolean
}

export interface RegisteredAccount {
  /** The `Location`, verbatim: the `kid` of every later request. */
  readonly accountUrl: string
  /** False where the key had an account already; then what was sent is ignored (RFC 8555 §7.3). */
  readonly created: boolean
  readonly account: Account
}

export function parseAccount(value: unknown, policy: TargetPolicy): Result<Account, string> {
  const shaped = checkShape(accountShape, value, 'account')
  if (!shaped.ok) return shaped
  const { status, contact, termsOfServiceAgreed, orders } = shaped.value
  const urls = checkServerUrls([['orders', orders]], policy)
  if (!urls.ok) return err(`names an address that may not be asked: ${urls.error}`)
  return ok({
    status,
    contact: contact ?? [],
    termsOfServiceAgreed: termsOfServiceAgreed ?? null,
    ordersUrl: orders ?? null,
  })
}

/** One page of an account's orders (RFC 8555 §7.1.2.1). */
export interface OrderPage {
  readonly orderUrls: readonly string[]
  /** `Link: rel="next"`. */
  readonly nextUrl: string | null
}

export function parseOrderList(value: unknown, policy: TargetPolicy): Result<readonly string[], string> {
  const shaped = checkShape(orderListShape, value, 'orders list')
  if (!shaped.ok) return shaped
  const urls = checkServerUrls(Object.entries(shaped.value.orders), policy)
  return urls.ok ? ok(shaped.value.orders) : err(`names an address that may not be asked: ${urls.error}`)
}

const accountShape = z.object({
  status: z.enum(ACCOUNT_STATUSES),
  contact: z.array(z.string().max(1024)).max(100).nullish().catch(null),
  termsOfServiceAgreed: z.boolean().nullish().catch(null),
  orders: urlText.nullish(),
})

const orderListShape = z.object({ orders: z.array(urlText).max(MAX_LISTED_ORDERS) })
