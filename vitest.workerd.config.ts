import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { buildAgent } from './tools/build-agent.ts'

buildAgent()

/** The tests that run inside workerd, with a real D1 and real Durable Objects. Those of Node are in vitest.config.ts. */
export default defineConfig({
  plugins: [
    cloudflareTest(async () => ({
      main: './test/integration/support/worker.ts',
      remoteBindings: false,
      miniflare: {
        compatibilityDate: '2026-10-20',
        d1Databases: ['DB'],
        r2Buckets: ['CRLS'],
        queueProducers: { EVENTS: 'certwright-events' },
        durableObjects: { TENANT_LEDGER: { className: 'TenantLedger', useSQLite: true } },
        bindings: { TEST_MIGRATIONS: await readD1Migrations('./migrations') },
      },
    })),
  ],
  test: {
    name: 'integration',
    include: ['test/integration/**/*.test.ts'],
    setupFiles: ['./test/integration/support/apply-migrations.ts'],
    // Most of a file's time is its runtime's start.
    maxWorkers: 2,
    // A test that asserts nothing cannot fail.
    expect: { requireAssertions: true },
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
