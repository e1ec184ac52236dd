/** Writes docs/dns-providers.md from the descriptors. */
import { writeFile } from 'node:fs/promises'
import { dnsProvidersDocument } from '../src/dns/settings-reference.ts'

await writeFile(new URL('../docs/dns-providers.md', import.meta.url), dnsProvidersDocument())
