/** What the type `rfc2136` is called and needs. */
import { fromBase64 } from '../../core/bytes.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { parseServer } from '../host-port.ts'
import type { DnsProviderDescriptor } from '../provider-descriptor.ts'
import { parseName } from '../wire/name.ts'
import { TSIG_ALGORITHMS, type TsigAlgorithm, type TsigKey } from '../wire/tsig.ts'
import { createRfc2136Client } from './client.ts'
import { createRfc2136Provider } from './provider.ts'

const ALGORITHMS = Object.keys(TSIG_ALGORITHMS) as TsigAlgorithm[]

export const RFC2136: DnsProviderDescriptor = {
  code: 'rfc2136',
  aliases: [],
  name: 'DNS UPDATE (RFC 2136), such as BIND, Knot or PowerDNS',
  docs: 'https://www.rfc-editor.org/rfc/rfc2136',
  settings: [
    {
      name: 'nameserver',
      description: "The zone's primary server as host:port, reached over TCP; port 53 unless given",
      required: true,
      secret: false,
      example: 'ns1.example.com:53',
      destination: 'address',
    },
    {
      name: 'tsig_key',
      description: 'The name of the TSIG key, as in its configuration',
      required: true,
      secret: true,
      example: 'certwright-key',
    },
    {
      name: 'tsig_algorithm',
      description: `One of ${ALGORITHMS.join(', ')}; hmac-sha256 unless given`,
      required: false,
      secret: false,
      example: 'hmac-sha256',
    },
    {
      name: 'tsig_secret',
      description: "The key's secret in base64, as tsig-keygen prints it",
      required: true,
      secret: true,
      example: 'c2VjcmV0LW9mLXRoZS1rZXktMzItYnl0ZXMtbG9uZyE=',
    },
  ],
  rights:
    'The key needs to be let to change TXT records of the zones, and to query their SOA (BIND: update-policy or allow-update)',
  // Secondaries are told of a change at once (RFC 1996), but may be on a slow line.
  propagation: { timeoutSeconds: 600, intervalSeconds: 5 },
  defaultTtlSeconds: 60,
  listsZones: false,
  // The server is its owner's.
  rate: null,
  create(settings, { connect, now, allowPrivateTargets, disclosure }) {
    const server = parseServer(settings.nameserver ?? '', allowPrivateTargets)
    if (!server.ok) return err(`nameserver: ${server.error}`)
    const key = parseKey(settings)
    if (!key.ok) return key
    return ok(
      createRfc2136Provider(createRfc2136Client({ connect, now, server: server.value, key: key.value, disclosure })),
    )
  },
}

function parseKey(settings: Readonly<Record<string, string>>): Result<TsigKey, string> {
  const name = parseName(settings.tsig_key ?? '')
  if (!name.ok || name.value === '') return err('tsig_key: give the name of the key, such as certwright-key')
  // BIND's documentation and others write the algorithm as a domain name, with a trailing dot.
  const wanted = (settings.tsig_algorithm || 'hmac-sha256').toLowerCase().replace(/\.$/, '')
  const algorithm = ALGORITHMS.find((known) => known === wanted)
  if (algorithm === undefined) return err(`tsig_algorithm: give one of ${ALGORITHMS.join(', ')}`)
  const secret = fromBase64((settings.tsig_secret ?? '').trim())
  if (secret === null || secret.length === 0) return err('tsig_secret: give the secret in base64, with its padding')
  return ok({ name: name.value, algorithm, secret })
}
