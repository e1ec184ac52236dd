import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { COMMON_SETTINGS, DNS_PROVIDERS } from '../../../src/dns/registry.ts'
import { describeSettings, dnsProvidersDocument } from '../../../src/dns/settings-reference.ts'

describe("the settings' reference", () => {
  it('ok: docs/dns-providers.md is what the descriptors say (npm run docs:dns-providers)', async () => {
    expect(await readFile('docs/dns-providers.md', 'utf8')).toBe(dnsProvidersDocument())
  })

  it('ok: every setting of every type stands there, with its example and the rights', () => {
    const text = describeSettings()
    for (const { code, settings, rights } of DNS_PROVIDERS) {
      expect(text).toContain(`\`${code}\``)
      expect(text).toContain(rights)
      for (const { name, example, secret, required } of settings) {
        const kind = `${secret ? 'secret, ' : ''}${required ? 'required' : 'optional'}`
        expect(text).toContain(`- \`${name}\` (${kind}): `)
        expect(text).toContain(`Example: \`${example}\``)
      }
    }
    for (const name of COMMON_SETTINGS) expect(text).toContain(`- \`${name}\` (optional): `)
  })
})
