import { defineConfig } from 'vitest/config'
import { startBind } from './test/support/bind.ts'
import { startPebble } from './test/support/pebble.ts'
import { leaveRunning } from './test/support/process.ts'
import { buildAgent } from './tools/build-agent.ts'
import { newKeyRingEntry } from './tools/dev-vars.ts'

buildAgent()

/** The product itself inside workerd, its objects within reach of the tests, against a real Pebble and BIND. */
export default defineConfig(async () => {
  const bind = await startBind({ zones: ['acme.example'] })
  const pebble = await startPebble({ dnsServer: bind.address, authzReuse: 0 })
  leaveRunning()
  // Read by miniflare when it is imported, which must come after.
  process.env.NODE_EXTRA_CA_CERTS = pebble.caFile
  const { cloudflareTest, readD1Migrations } = await import('@cloudflare/vitest-plugin')
  const [key] = bind.tsigKeys
  return {
    plugins: [
      cloudflareTest(async () => ({
        wrangler: { configPath: './wrangler.toml' },
        remoteBindings: false,
        miniflare: {
          bindings: {
            TEST_MIGRATIONS: await readD1Migrations('./migrations'),
            TEST_DIRECTORY_URL: pebble.directoryUrl,
            TEST_PEBBLE_MANAGEMENT_URL: pebble.managementUrl,
            TEST_NAMESERVER: bind.address,
            TEST_TSIG_KEY: key?.name ?? '',
            TEST_TSIG_SECRET: key?.secret ?? '',
            // Behind it the key of test/fixtures/release-0011.
            KEY_RING: `${newKeyRingEntry(new Date())},k0011:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8`,
            ADMIN_TOKEN: 'cw_the-admin-token-of-the-tests-0123456789',
            ALLOW_PRIVATE_TARGETS: 'true',
            PUBLIC_URL: 'http://127.0.0.1:8787',
            // Nobody: tests ask nobody outside this machine.
            DNS_RESOLVERS: 'http://127.0.0.1:1/dns-query',
          },
        },
      })),
    ],
    test: {
      name: 'objects',
      include: ['test/objects/**/*.test.ts'],
      expect: { requireAssertions: true },
      testTimeout: 60_000,
      hookTimeout: 60_000,
      // One Pebble and one zone for all.
      fileParallelism: false,
    },
  }
})
