/** The settings of every type of DNS provider in words: for the reference, and for docs/dns-providers.md. */
import type { DnsProviderDescriptor, DnsProviderSetting } from './provider-descriptor.ts'
import { COMMON_SETTINGS, DNS_PROVIDERS } from './registry.ts'

type Described = Pick<DnsProviderSetting, 'name' | 'description' | 'required' | 'secret' | 'example'>

const COMMON: Readonly<Record<(typeof COMMON_SETTINGS)[number], Pick<Described, 'description' | 'example'>>> = {
  ttl: { description: 'The TTL of the records, as a duration or in seconds', example: '60' },
  propagation_timeout: { description: 'How long to wait until the name servers show a record', example: '10m' },
  follow_cname: {
    description: "Whether a CNAME at the challenge's name is followed: `auto`, or `never`",
    example: 'never',
  },
  nameservers: {
    description:
      "A list of host:port: asked whether a record is there and where CNAMEs lead, instead of the zone's own servers",
    example: '["ns1.example.com:53"]',
  },
}

const commonSettings = (): readonly Described[] =>
  COMMON_SETTINGS.map((name) => ({ name, required: false, secret: false, ...COMMON[name] }))

/** Paragraphs and lists of one level, as the reference renders them. */
export function describeSettings(): string {
  const types = DNS_PROVIDERS.map(
    (each) => `${titleOf(each)}. ${each.rights}.\n\n${each.settings.map(lineOf).join('\n')}`,
  )
  return [...types, `Every type also takes:\n\n${commonSettings().map(lineOf).join('\n')}`].join('\n\n')
}

const titleOf = ({ code, aliases, name }: DnsProviderDescriptor): string =>
  `${[code, ...aliases].map((type) => `\`${type}\``).join(' or ')} (${name})`

const kindOf = ({ secret, required }: Described): string =>
  [secret ? 'secret' : null, required ? 'required' : 'optional'].filter((word) => word !== null).join(', ')

const lineOf = (setting: Described): string =>
  `- \`${setting.name}\` (${kindOf(setting)}): ${setting.description}. Example: \`${setting.example}\``

/** docs/dns-providers.md, whole. */
export function dnsProvidersDocument(): string {
  const types = DNS_PROVIDERS.map(
    (each) =>
      `## ${each.name}\n\nType ${titleOf(each).replace(/ \(.*$/, '')}. ${each.rights}. [API reference](${each.docs})\n\n${tableOf(each.settings)}`,
  )
  return `${[INTRODUCTION, ...types, `## Every type\n\n${tableOf(commonSettings())}`].join('\n\n')}\n`
}

const INTRODUCTION = `# DNS providers

Made from the descriptors in \`src/dns\` by \`npm run docs:dns-providers\`; a test compares both.

Settings stand in \`config\` or \`credentials\`. A secret one is sealed and never shown again, or given as \`…_path\`: the path of a secret (\`infra/dns/token\`, or \`infra/dns/token#field\`),
which is looked up at every use. The first use of each version by a provider is in the journal as \`secret.used\`.

Who changes where credentials go (\`endpoint\`, \`login_endpoint\`, \`nameserver\`, \`region\`, \`tenant_id\`) gives the credentials in the same request; where they are references, the token must be able to read
these secrets (\`secrets:read\`, within its \`paths\`). The same right is needed to send a secret to an \`endpoint\`, \`login_endpoint\` or \`nameserver\` of one's own in a new provider. At the provider's
own addresses \`pki:admin\` may use any secret within its \`paths\`. To rfc2136's \`nameserver\` no secret is sent, but signatures made with it, from which a weak one can be guessed.

\`DELETE\` is refused with \`conflict\` while open orders or certificates need the provider or orders still remove their TXT records from it, and while another request removes it. \`?force=true\` removes
the TXT records of orders first; \`dns_provider.deleted\` in the journal names the orders whose records it did not let be removed. Open orders that have not asked their CA to validate yet then look for
another provider. Those that the CA is validating at that moment may fail; so may those whose records are gone where the removal fails in the end.`

function tableOf(settings: readonly Described[]): string {
  const rows = settings.map((setting) => {
    const { name, description, example } = setting
    return `| \`${name}\` | ${kindOf(setting)} | ${description} | \`${example}\` |`
  })
  return ['| setting | | meaning | example |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
