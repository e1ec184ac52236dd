/** What the use cases of the internal PKI are given. */
import type { Clock } from '../core/clock.ts'
import type { CrlObjects } from '../store/crl-objects.ts'
import type { Store } from '../store/store.ts'
import type { CrlPublications } from './crl/publish-crl.ts'

export interface AuthorityDependencies {
  readonly store: Store
  readonly crls: CrlObjects
  readonly publications: CrlPublications
  readonly now: Clock
  readonly settings: {
    /** Without a trailing slash: certificates carry it. */
    readonly publicUrl: string
    /** May that address be a private one? */
    readonly allowPrivateTargets: boolean
  }
}
