/** Which names a role allows: the table of its rules, by the sentence that refuses. */
import { describe, expect, it } from 'vitest'
import { type RequestedNames, resolveNames } from '../../../../src/authority/roles/requested-names.ts'
import { checkNames } from '../../../../src/authority/roles/role-names.ts'
import type { RolePolicy } from '../../../../src/store/role-policy.ts'

/** Allows nothing. */
const NOTHING: RolePolicy = {
  allowedDomains: [],
  allowSubdomains: false,
  allowBareDomains: false,
  allowWildcardCertificates: false,
  allowAnyName: false,
  allowLocalhost: false,
  allowIpSans: false,
  allowedIpRanges: [],
  allowedUriSans: [],
  allowedEmailDomains: [],
  maxTtlSeconds: 3_600,
  defaultTtlSeconds: 3_600,
  keyType: 'ec',
  keyBits: 256,
  requireCn: false,
  storePrivateKeys: false,
  serverAuth: true,
  clientAuth: true,
  keyUsages: null,
  notBeforeBackdateSeconds: 30,
  hasDefaultTtl: true,
  subject: {},
  extKeyUsages: [],
  noRevAvail: false,
}
const EMPTY: RequestedNames = { commonName: null, dns: [], ip: [], email: [], uri: [] }
const PATHS = { commonName: 'common_name', dns: 'alt_names', ip: 'ip_sans', email: 'email_sans', uri: 'uri_sans' }

/** The refusals, or the errors of names that are none. */
function refusals(policy: Partial<RolePolicy>, names: Partial<RequestedNames>): readonly string[] {
  const resolved = resolveNames({ ...EMPTY, ...names }, PATHS)
  if (!resolved.ok) throw new Error(resolved.error.map(({ message }) => message).join('; '))
  return checkNames({ ...NOTHING, ...policy }, resolved.value).map(({ message }) => message)
}

const BARE = { allowedDomains: ['example.com'], allowBareDomains: true }
const BELOW = { allowedDomains: ['example.com'], allowSubdomains: true }
const STAR = { allowedDomains: ['*.example.com'], allowBareDomains: true }
const ANY = { allowAnyName: true }
const LOCAL = { allowLocalhost: true }
const WILD = { allowWildcardCertificates: true }

describe('DNS names under a role', () => {
  it.each<[string, Partial<RolePolicy>, string]>([
    ['the bare name', BARE, 'example.com'],
    ['the bare name in capitals', BARE, 'EXAMPLE.COM'],
    ['one label below', BELOW, 'a.example.com'],
    ['three labels below', BELOW, 'c.b.a.example.com'],
    ['one label below a star', STAR, 'a.example.com'],
    ['deeper below a star', { ...STAR, allowSubdomains: true }, 'b.a.example.com'],
    ['a wildcard below a star', { ...STAR, ...WILD }, '*.example.com'],
    ['a wildcard below a name with subdomains', { ...BELOW, ...WILD }, '*.example.com'],
    ['a deeper wildcard below a name with subdomains', { ...BELOW, ...WILD }, '*.a.example.com'],
    ['any name', ANY, 'a.test'],
    ['any wildcard', { ...ANY, ...WILD }, '*.test'],
    ['localhost', LOCAL, 'localhost'],
    ['localhost.localdomain', LOCAL, 'localhost.localdomain'],
    ['a name below localhost', LOCAL, 'a.b.localhost'],
    ['a wildcard below localhost', { ...LOCAL, ...WILD }, '*.localhost'],
    ['a wildcard for localhost and its neighbours', { ...ANY, ...LOCAL, ...WILD }, '*.localdomain'],
    ['a U-label under its A-label', { ...BARE, allowedDomains: ['xn--bcher-kva.example'] }, 'Bücher.example'],
  ])('ok: %s', (_, policy, name) => {
    expect(refusals(policy, { dns: [name] })).toEqual([])
  })

  const DOMAINS = 'allowed_domains, without allow_subdomains, does not allow it'
  const DOMAINS_BELOW = 'allowed_domains does not allow it'
  const WILDCARDS = 'allow_wildcard_certificates is false'
  const LOCALHOST = 'allow_localhost is false'
  it.each<[string, Partial<RolePolicy>, string, string]>([
    ['a name that ends alike', BELOW, 'evilexample.com', DOMAINS_BELOW],
    ['a name that starts alike', BELOW, 'example.com.evil.test', DOMAINS_BELOW],
    ['the bare name without allow_bare_domains', BELOW, 'example.com', DOMAINS_BELOW],
    ['a parent of the domain', { ...BARE, ...BELOW }, 'com', DOMAINS_BELOW],
    ['one label below without allow_subdomains', BARE, 'a.example.com', DOMAINS],
    ['the bare name of a star', { ...STAR, allowSubdomains: true }, 'example.com', DOMAINS_BELOW],
    ['two labels below a star', STAR, 'b.a.example.com', DOMAINS],
    ['a wildcard over the star itself', { ...STAR, ...WILD }, '*.com', DOMAINS],
    ['a wildcard one label too deep', { ...STAR, ...WILD }, '*.a.example.com', DOMAINS],
    ['a wildcard below a bare name', { ...BARE, ...WILD }, '*.example.com', DOMAINS],
    ['a wildcard next to names that are allowed', { allowedDomains: ['a.test', 'b.test'], ...WILD }, '*.test', DOMAINS],
    ['a wildcard that the role does not issue', BELOW, '*.example.com', WILDCARDS],
    ['any wildcard that the role does not issue', ANY, '*.test', WILDCARDS],
    ['localhost under any name', ANY, 'localhost', LOCALHOST],
    ['localhost by its domain', { ...BARE, allowedDomains: ['localhost'] }, 'localhost', LOCALHOST],
    ['a name below localhost', ANY, 'a.localhost', LOCALHOST],
    ['localhost.localdomain', { ...BELOW, allowedDomains: ['localdomain'] }, 'localhost.localdomain', LOCALHOST],
    ['a wildcard that stands for localhost', { ...ANY, ...WILD }, '*.localdomain', LOCALHOST],
    ['a wildcard for neighbours of localhost', { ...LOCAL, ...WILD }, '*.localdomain', DOMAINS],
    ['a name next to localhost', LOCAL, 'localhost.test', DOMAINS],
    ['another U-label', { ...BARE, allowedDomains: ['xn--bcher-kva.example'] }, 'bucher.example', DOMAINS],
  ])('fail: %s', (_, policy, name, sentence) => {
    expect(refusals(policy, { dns: [name] })).toEqual([`${name}: ${sentence}`])
  })

  it('fail: each refused name is named, the allowed ones are not', () => {
    const names = { commonName: 'example.com', dns: ['a.test', 'example.com', 'b.test'] }
    expect(refusals(BARE, names)).toEqual([`a.test: ${DOMAINS}`, `b.test: ${DOMAINS}`])
  })
})

describe('common names under a role', () => {
  it('ok: a host name is held to the same rules as an alternative name', () => {
    expect(refusals(BARE, { commonName: 'Example.com' })).toEqual([])
  })
  it.each([
    ['a host name outside', BELOW, { commonName: 'evil.test', dns: ['a.example.com'] }, 'evil.test: allowed_domains'],
    ['a wildcard', BELOW, { commonName: '*.example.com' }, '*.example.com: allow_wildcard_certificates'],
    ['an address', BARE, { commonName: '192.0.2.1', dns: ['example.com'] }, '192.0.2.1: allow_ip_sans'],
    ['a mailbox', BARE, { commonName: 'a@example.com' }, 'a@example.com: allowed_email_domains'],
  ])('fail: %s beside what is allowed', (_, policy, names, start) => {
    expect(refusals(policy, names)).toEqual([expect.stringContaining(start)])
  })
  it('ok: other text under a role for any name', () => {
    expect(refusals(ANY, { commonName: 'Billing Service' })).toEqual([])
  })
  it('fail: other text under a role for some names', () => {
    expect(refusals(BARE, { commonName: 'Billing Service', dns: ['example.com'] })).toEqual([
      'Billing Service: a common name that is no host name, address or mailbox needs allow_any_name',
    ])
  })
  it('fail: a URI as common name, though it is an alternative name too', () => {
    const role = { allowedUriSans: ['urn:uuid:*'] }
    expect(refusals(role, { uri: ['urn:uuid:a'] })).toEqual([])
    expect(refusals(role, { commonName: 'urn:uuid:a', uri: ['urn:uuid:a'] })).toEqual([
      expect.stringContaining('needs allow_any_name'),
    ])
  })
  it('fail: none where the role wants one', () => {
    const role = { ...BARE, requireCn: true }
    expect(refusals(role, { dns: ['example.com'] })).toEqual([expect.stringContaining('require_cn')])
    expect(refusals(role, { commonName: 'example.com' })).toEqual([])
  })
  it('ok: one that is too long for a subject is one all the same', () => {
    const commonName = `${'a'.repeat(60)}.example.com`
    expect(refusals({ ...BELOW, requireCn: true }, { commonName })).toEqual([])
  })
})

describe('IP addresses under a role', () => {
  const TEN = { allowIpSans: true, allowedIpRanges: ['10.0.0.0/8', 'fd00::/8'] }
  it.each([
    ['any address without ranges', { allowIpSans: true }, '203.0.113.9'],
    ['the first of a range', TEN, '10.0.0.0'],
    ['the last of a range', TEN, '10.255.255.255'],
    ['an IPv6 address', TEN, 'fdff::1'],
    ['a mapped address of an IPv4 range', TEN, '::ffff:10.0.0.1'],
  ])('ok: %s', (_, policy, ip) => {
    expect(refusals(policy, { ip: [ip] })).toEqual([])
  })

  const RANGES = 'it is in none of allowed_ip_ranges'
  const ALL_V6 = { allowIpSans: true, allowedIpRanges: ['10.0.0.0/8', '::/0'] }
  it.each([
    ['any address without allow_ip_sans', ANY, '192.0.2.1', 'allow_ip_sans is false'],
    ['before a range', TEN, '9.255.255.255', RANGES],
    ['behind a range', TEN, '11.0.0.0', RANGES],
    ['an IPv6 address behind a range', TEN, 'fe00::', RANGES],
    ['a mapped address outside the IPv4 range', ALL_V6, '::ffff:192.0.2.1', RANGES],
    ['a mapped address in hexadecimal', ALL_V6, '::ffff:c000:201', RANGES],
    ['an IPv4 address under all of IPv6', { ...TEN, allowedIpRanges: ['::/0'] }, '10.0.0.1', RANGES],
    ['a mapped address under all of IPv6', { ...TEN, allowedIpRanges: ['::/0'] }, '::ffff:10.0.0.1', RANGES],
  ])('fail: %s', (_, policy, ip, sentence) => {
    expect(refusals(policy, { ip: [ip] })).toEqual([expect.stringContaining(`: ${sentence}`)])
  })
})

describe('mailboxes under a role', () => {
  const EXACT = { allowedEmailDomains: ['example.com'] }
  const STAR_MAIL = { allowedEmailDomains: ['*.example.com'] }
  it.each([
    ['the domain', EXACT, 'a@Example.COM'],
    ['one label below a star', STAR_MAIL, 'a@mail.example.com'],
  ])('ok: %s', (_, policy, email) => {
    expect(refusals(policy, { email: [email] })).toEqual([])
  })
  it.each([
    ['a domain below', { ...EXACT, allowSubdomains: true }, 'a@mail.example.com'],
    ['a domain that ends alike', EXACT, 'a@evilexample.com'],
    ['the domain under a star', { ...STAR_MAIL, allowBareDomains: true }, 'a@example.com'],
    ['two labels below a star', STAR_MAIL, 'a@x.mail.example.com'],
    ['any name, which is not any mailbox', ANY, 'a@example.com'],
  ])('fail: %s', (_, policy, email) => {
    expect(refusals(policy, { email: [email] })).toEqual([`${email}: allowed_email_domains does not allow it`])
  })
})

describe('URIs under a role', () => {
  const SPIFFE = { allowedUriSans: ['spiffe://example.org/ns/*/sa/*', 'https://example.org/exact'] }
  it.each(['spiffe://example.org/ns/a/sa/b', 'https://example.org/exact'])('ok: %s', (uri) => {
    expect(refusals(SPIFFE, { uri: [uri] })).toEqual([])
  })
  it.each([
    'spiffe://example.org/ns/a/sb/b',
    'spiffe://example.org/ns/a',
    'spiffe://example.org',
    'spiffe://evilexample.org/ns/a/sa/b',
    'spiffe://example.org.evil.test/ns/a/sa/b',
    'spiffe://user@example.org/ns/a/sa/b',
    'spiffe://example.org@evil.test/ns/a/sa/b',
    'spiffe://example.org:443/ns/a/sa/b',
    'spiffe://example.org/ns/a/sa/b?x=1',
    'spiffe://example.org/ns/a/sa/b#x',
    'spiffe://example.org/ns/../sa/b',
    'spiffe://example.org/ns/./sa/b',
    'spiffe://example.org/ns/a/sa/%2e%2e',
    'spiffe://example.org/ns/a%2fb/sa/c',
    'spiffe://example.org/ns//sa/b',
    'https://example.org/ns/a/sa/b',
    'https://example.org/exactly',
  ])('fail: %s', (uri) => {
    expect(refusals({ ...SPIFFE, allowAnyName: true }, { uri: [uri] })).toEqual([
      `${uri}: no pattern of allowed_uri_sans allows it`,
    ])
  })
  it('fail: a star in the name itself', () => {
    expect(refusals(SPIFFE, { uri: ['spiffe://example.org/ns/*/sa/*'] })).toEqual([
      'spiffe://example.org/ns/*/sa/*: a URI name has no star',
    ])
  })
})
