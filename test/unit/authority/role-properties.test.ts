/**
 * Whatever a role allows: the certificate is built, read by a parser that is not this project's, and judged by a naive second
 * statement of the rules, which lists the names that a wildcard stands for instead of reasoning about it.
 */
import 'reflect-metadata'
import { isIP } from 'node:net'
import { SubjectAlternativeNameExtension, X509Certificate } from '@peculiar/x509'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type RequestedNames, resolveNames } from '../../../src/authority/requested-names.ts'
import { checkNames, checkRolePolicy, type RolePolicy } from '../../../src/authority/role-policy.ts'
import { buildLeaf } from '../../../src/pki/build-certificate.ts'
import { buildName } from '../../../src/pki/distinguished-name.ts'
import { EKU } from '../../../src/pki/oids.ts'
import { DAY_MS, NOW_MS, type TestAuthority, testRoot } from '../../support/pki-hierarchy.ts'

interface Item {
  readonly type: string
  readonly value: string
}

interface ReadBack {
  readonly commonName: string | null
  readonly items: readonly Item[]
}

const LABELS = ['a', 'b', 'example', 'com', 'evilexample', 'localhost', 'localdomain', 'xn--bcher-kva'] as const
/** Written by nobody: what holds for it holds for every label. */
const FRESH = 'q7'

/** The second statement of the rules. Shares nothing with the first but the names of the settings. */
function isAllowed(policy: RolePolicy, { commonName, items }: ReadBack): boolean {
  const isCommonNameCovered =
    commonName === null ||
    policy.allowAnyName ||
    items.some(({ type, value }) => type !== 'url' && comparable(value) === comparable(commonName))
  if (!isCommonNameCovered || (policy.requireCn && commonName === null)) return false
  return items.every((item) => isItemAllowed(policy, item))
}

const comparable = (text: string): string => (isIP(text) === 0 ? text : bitsOf(text).join(''))

function isItemAllowed(policy: RolePolicy, { type, value }: Item): boolean {
  switch (type) {
    case 'dns': {
      const [first, ...rest] = value.split('.')
      if (first !== '*') return isHostAllowed(policy, value.split('.'))
      return (
        policy.allowWildcardCertificates && [FRESH, ...LABELS].every((label) => isHostAllowed(policy, [label, ...rest]))
      )
    }
    case 'ip': {
      if (!policy.allowIpSans) return false
      const bits = bitsOf(value).join('')
      return (
        policy.allowedIpRanges.length === 0 || policy.allowedIpRanges.some((range) => bits.startsWith(prefixOf(range)))
      )
    }
    case 'email':
      return policy.allowedEmailDomains.some((domain) => {
        const wanted = domain.split('.')
        const host = value.split('@')[1]?.split('.') ?? []
        return host.length === wanted.length && wanted.every((label, index) => label === '*' || label === host[index])
      })
    case 'url':
      return (
        /^[a-z]+:\/\/[a-z.]+(\/[\w.-]+)*$/.test(value) &&
        !value.split('/').some((segment) => segment === '.' || segment === '..') &&
        policy.allowedUriSans.some((pattern) =>
          new RegExp(
            `^${pattern
              .split('*')
              .map((piece) => piece.replaceAll('.', '\\.'))
              .join('.*')}$`,
          ).test(value),
        )
      )
    default:
      return false
  }
}

/** One host name, no wildcard. */
function isHostAllowed(policy: RolePolicy, host: readonly string[]): boolean {
  const last = host.at(-1)
  if (last === 'localhost' || (last === 'localdomain' && host.at(-2) === 'localhost')) return policy.allowLocalhost
  if (policy.allowAnyName) return true
  return policy.allowedDomains.some((domain) => {
    const isStar = domain.startsWith('*.')
    const base = domain.split('.').slice(isStar ? 1 : 0)
    const missing = host.length - base.length
    if (missing < 0 || host.slice(missing).join('.') !== base.join('.')) return false
    if (missing === 0) return policy.allowBareDomains && !isStar
    if (missing === 1 && isStar) return true
    return policy.allowSubdomains
  })
}

/** `4` or `6`, then one bit each. A mapped address counts as the IPv4 address that it leads to. */
function bitsOf(text: string): string[] {
  const binary = (value: number, length: number): string => value.toString(2).padStart(length, '0')
  if (!text.includes(':')) return ['4', ...text.split('.').map((part) => binary(Number(part), 8))]
  const [head = '', tail] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::')
  const groups = (part: string): string[] => part.split(':').filter((group) => group !== '')
  const end = groups(tail ?? '')
  const zeros = new Array<string>(8 - groups(head).length - end.length).fill('0')
  const bits = [...groups(head), ...zeros, ...end].map((group) => binary(Number.parseInt(group, 16), 16)).join('')
  const mapped = `${'0'.repeat(80)}${'1'.repeat(16)}`
  return bits.startsWith(mapped) ? ['4', bits.slice(96)] : ['6', bits]
}

function prefixOf(range: string): string {
  const [address = '', length] = range.split('/')
  return bitsOf(address)
    .join('')
    .slice(0, 1 + Number(length))
}

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
const dnsName = fc
  .tuple(fc.constantFrom('', '', '*.'), host, fc.boolean())
  .map(([star, name, upper]) => `${star}${upper ? name.toUpperCase() : name}`)
const ipName = fc.constantFrom(
  '10.0.0.1',
  '192.0.2.1',
  '::ffff:10.0.0.1',
  '::ffff:c000:201',
  'fd00::1',
  '2001:db8::1',
  '::1',
)
const email = fc.tuple(fc.constantFrom('a', 'A.b'), host).map(([local, name]) => `${local}@${name}`)
const uri = fc
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
const requests: fc.Arbitrary<RequestedNames> = fc.oneof(
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
const policies: fc.Arbitrary<RolePolicy> = fc
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
  }))

describe('what a role allows', () => {
  let root: TestAuthority
  beforeAll(async () => {
    root = await testRoot({ type: 'ec', size: 256 })
  })

  async function certify(request: RequestedNames) {
    const paths = { commonName: 'common_name', dns: 'dns', ip: 'ip', email: 'email', uri: 'uri' }
    const names = resolveNames(request, paths)
    if (!names.ok) return null
    const { commonName, altNames } = names.value
    const subject = buildName(commonName === null ? {} : { commonName })
    if (!subject.ok) throw new Error(subject.error.message)
    const { der } = await buildLeaf(
      {
        subjectDer: subject.value,
        spkiDer: root.keyPair.spkiDer,
        notBeforeMs: NOW_MS,
        notAfterMs: NOW_MS + DAY_MS,
        altNames,
        extKeyUsage: [EKU.serverAuth],
      },
      root.issuer,
    )
    const certificate = new X509Certificate(der)
    const readBack: ReadBack = {
      commonName: certificate.subjectName.getField('CN')[0] ?? null,
      items: certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON() ?? [],
    }
    return { names: names.value, readBack }
  }

  it('ok: is what its rules say of the certificate, no more and no less', async () => {
    const tally = { allowed: 0, refused: 0, 'not a request': 0 }
    await fc.assert(
      fc.asyncProperty(policies, requests, async (written, request) => {
        const policy = checkRolePolicy(written)
        const certified = await certify(request)
        if (!policy.ok || certified === null) {
          tally['not a request'] += 1
          fc.pre(false)
          return
        }
        const refusals = checkNames(policy.value, certified.names)
        tally[refusals.length === 0 ? 'allowed' : 'refused'] += 1
        expect({ ...certified.readBack, allowed: refusals.length === 0 }).toEqual({
          ...certified.readBack,
          allowed: isAllowed(policy.value, certified.readBack),
        })
      }),
      { numRuns: 2_000, maxSkipsPerRun: 20 },
    )
    // Of 2000, some 350 are allowed: the comparison says something about both answers.
    expect(tally.allowed).toBeGreaterThan(150)
    expect(tally.refused).toBeGreaterThan(500)
  })

  it('ok: every name that is checked is in the certificate, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const certified = await certify(request)
        fc.pre(certified !== null)
        const kinds = certified?.names.altNames.map(({ type }) => (type === 'uri' ? 'url' : type))
        expect(certified?.readBack.items.map(({ type }) => type)).toEqual(kinds)
        expect(certified?.readBack.commonName).toBe(certified?.names.commonName)
      }),
      { numRuns: 200 },
    )
  })
})
