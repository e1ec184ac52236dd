import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

/** The tests that run in Node. Those that run inside workerd are in vitest.workerd.config.ts. */
const project = (name: string, timeoutMs: number, globalSetup: readonly string[] = []) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    globalSetup: [...globalSetup],
  },
})

const INSTALL_TOOLS = ['test/support/install-tools.ts']

export default defineConfig({
  test: {
    // Most tests wait more than they reckon: as many at once as a small machine has cores.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // A test that asserts nothing cannot fail.
    expect: { requireAssertions: true },
    projects: [
      project('unit', 20_000),
      project('contract', 60_000),
      project('conformance', 120_000, INSTALL_TOOLS),
      project('e2e', 300_000, INSTALL_TOOLS),
    ],
  },
})
