/** What routes are given beside the request: built once per isolate by the composition root. */

import type { AccountObjects } from '../accounts/account-object.ts'
import type { CrlPublications } from '../authority/crl/publish-crl.ts'
import type { ZoneObjects } from '../challenges/zone-object.ts'
import type { Clock } from '../core/clock.ts'
import type { DisclosurePolicy } from '../core/failure-disclosure.ts'
import type { HttpClient } from '../core/http-client.ts'
import type { TcpConnect } from '../core/tcp.ts'
import type { Settings } from '../env.ts'
import type { OrderObjects } from '../orders/order-object.ts'
import type { CrlObjects } from '../store/crl-objects.ts'
import type { Store } from '../store/store.ts'
import type { Plans } from '../tenants/plans.ts'

export interface AppDependencies {
  readonly settings: Settings
  readonly plans: Plans
  readonly store: Store
  readonly crls: CrlObjects
  readonly publications: CrlPublications
  readonly now: Clock
  readonly http: HttpClient
  readonly connect: TcpConnect
  readonly disclosure?: DisclosurePolicy
  readonly orders: OrderObjects
  readonly accounts: AccountObjects
  readonly zones: ZoneObjects
}
