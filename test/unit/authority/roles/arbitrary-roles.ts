/** Roles and requests for property tests. */
import fc from 'fast-check'
import type { RequestedNames } from '../../../../src/authority/roles/requested-names.ts'
import type { RolePolicy } from '../../../../src/store/role-policy.ts'
import { LABELS } from './naive-rules.ts'

/** Near each other, so that roles and requests meet often, and differ by one label where they do not. */
const host = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom('example.com', 'a.example.com', 'b.a.example.com', 'evilexample.com', 'com'),
  },
  {
    weight: 1,
    arbitrary: fc.array(fc.constantFrom(...LABELS), { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('localhost', 'localdomain', 'localhost.localdomain', 'b\u00fccher.example'),
  },
)
export const dnsName = fc
  .tuple(fc.constantFrom('', '', '*.'), host, fc.boolean())
  .map(([star, name, upper]) => `${star}${upper ? name.toUpperCase() : name}`)
export const ipName = fc.constantFrom(
  '10.0.0.1',
  '192.0.2.1',
  '::ffff:10.0.0.1',
  '::ffff:c000:201',
  'fd00::1',
  '2001:db8::1',
  '::1',
)
export const email = fc.tuple(fc.constantFrom('a', 'A.b'), host).map(([local, name]) => `${local}@${name}`)
export const uri = fc
  .tuple(
    fc.constantFrom(
      'spiffe://example.org',
      'spiffe://evilexample.org',
      'https://example.org',
      'spiffe://u@example.org',
      'spiffe://example.org:1',
    ),
    fc.constantFrom(
      '',
      '/ns/a',
      '/ns/a/sa/b',
      '/ns/../sa/b',
      '/ns/a%2fb',
      '/ns/a?b',
      '/ns/a#b',
      '/ns//a',
      '/ns/*',
      '/ns',
    ),
  )
  .map((parts) => parts.join(''))

const EMPTY: RequestedNames = { commonName: null, dns: [], ip: [], email: [], uri: [] }
/** Mostly of one kind: of five kinds at once, nearly every role refuses one. */
export const requests: fc.Arbitrary<RequestedNames> = fc.oneof(
  { weight: 6, arbitrary: dnsName.map((name) => ({ ...EMPTY, dns: [name] })) },
  { weight: 2, arbitrary: dnsName.map((name) => ({ ...EMPTY, commonName: name })) },
  { weight: 2, arbitrary: ipName.map((name) => ({ ...EMPTY, ip: [name] })) },
  { weight: 2, arbitrary: email.map((name) => ({ ...EMPTY, email: [name] })) },
  { weight: 2, arbitrary: uri.map((name) => ({ ...EMPTY, uri: [name] })) },
  {
    weight: 3,
    arbitrary: fc.record({
      commonName: fc.oneof(fc.constant(null), dnsName, ipName, email, fc.constantFrom('Billing Service', 'urn:uuid:a')),
      dns: fc.array(dnsName, { maxLength: 2 }),
      ip: fc.array(ipName, { maxLength: 1 }),
      email: fc.array(email, { maxLength: 1 }),
      uri: fc.array(uri, { maxLength: 1 }),
    }),
  },
)
const patterns = fc.array(
  fc.tuple(fc.constantFrom('', '*.'), host).map((parts) => parts.join('')),
  { maxLength: 3 },
)
export const policies: fc.Arbitrary<RolePolicy> = fc
  .record({
    allowedDomains: patterns,
    allowSubdomains: fc.boolean(),
    allowBareDomains: fc.boolean(),
    allowWildcardCertificates: fc.boolean(),
    // Seldom: under it the domains decide nothing.
    allowAnyName: fc.nat(4).map((number) => number === 0),
    allowLocalhost: fc.boolean(),
    allowIpSans: fc.boolean(),
    allowedIpRanges: fc.subarray(['10.0.0.0/8', '192.0.2.0/31', '::/0', 'fd00::/8', '0.0.0.0/0']),
    allowedUriSans: fc.subarray([
      'spiffe://example.org/*',
      'spiffe://example.org/ns/*/sa/*',
      'https://example.org/ns/a',
    ]),
    allowedEmailDomains: patterns,
    requireCn: fc.nat(4).map((number) => number === 0),
  })
  .map((settings) => ({
    ...settings,
    // A role with ranges that it does not use is refused.
    allowedIpRanges: settings.allowIpSans ? settings.allowedIpRanges : [],
    maxTtlSeconds: 3_600,
    defaultTtlSeconds: 3_600,
    keyType: 'ec',
    keyBits: 256,
    storePrivateKeys: false,
    serverAuth: true,
    clientAuth: true,
    keyUsages: null,
    notBeforeBackdateSeconds: 30,
    hasDefaultTtl: true,
    subject: {},
    extKeyUsages: [],
    noRevAvail: false,
  }))
