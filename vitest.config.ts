import { defineConfig } from 'vitest/config'

/** The tests that run in Node. Those that run inside workerd are in vitest.workerd.config.ts. */
const project = (name: string, timeoutMs: number, fileParallelism: boolean) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    fileParallelism,
  },
})

export default defineConfig({
  test: {
    // Most tests wait more than they reckon: as many at once as a small machine has cores.
    maxWorkers: 2,
    // A test that asserts nothing cannot fail.
    expect: { requireAssertions: true },
    projects: [
      project('unit', 20_000, true),
      project('contract', 60_000, true),
      project('conformance', 120_000, true),
      project('e2e', 300_000, true),
    ],
  },
})
