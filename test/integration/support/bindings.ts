/** The bindings of vitest.workerd.config.ts, with their types. */
import { env } from 'cloudflare:workers'
import type { D1Migration } from '@cloudflare/vitest-plugin'
import type { TenantLedger } from '../../../durable-objects/tenant-ledger.ts'

export interface TestBindings {
  readonly DB: D1Database
  readonly CRLS: R2Bucket
  readonly TENANT_LEDGER: DurableObjectNamespace<TenantLedger>
  readonly TEST_MIGRATIONS: D1Migration[]
}

export const bindings = env as unknown as TestBindings
