/** Whether a role is sensible, and which lifetimes and keys it allows. */
import { describe, expect, it } from 'vitest'
import { checkKey, checkRolePolicy, checkTtl } from '../../../../src/authority/roles/role-policy.ts'
import { EKU } from '../../../../src/pki/oids.ts'
import type { PublicKeyKind } from '../../../../src/pki/public-key.ts'
import type { RolePolicy } from '../../../../src/store/role-policy.ts'

const POLICY: RolePolicy = {
  allowedDomains: ['example.com', '*.example.org'],
  allowSubdomains: true,
  allowBareDomains: true,
  allowWildcardCertificates: true,
  allowAnyName: false,
  allowLocalhost: false,
  allowIpSans: true,
  allowedIpRanges: ['10.0.0.0/8', 'fd00::/8', '::/0'],
  allowedUriSans: ['spiffe://example.org/ns/*'],
  allowedEmailDomains: ['example.com', '*.example.org'],
  maxTtlSeconds: 86_400,
  defaultTtlSeconds: 3_600,
  keyType: 'ec',
  keyBits: 256,
  requireCn: false,
  storePrivateKeys: false,
  serverAuth: true,
  clientAuth: false,
  keyUsages: null,
  notBeforeBackdateSeconds: 30,
  hasDefaultTtl: true,
  subject: {},
  extKeyUsages: [],
  noRevAvail: false,
}

const RSA = { keyType: 'rsa', keyBits: 2048 } as const

describe('a role by itself', () => {
  it.each<[string, Partial<RolePolicy>]>([
    ['signatures and key encipherment for servers', { ...RSA, keyUsages: ['digitalSignature', 'keyEncipherment'] }],
    ['agreement for clients', { clientAuth: true, keyUsages: ['digitalSignature', 'keyAgreement'] }],
    [
      'non-repudiation for e-mail',
      { extKeyUsages: [EKU.emailProtection], keyUsages: ['digitalSignature', 'nonRepudiation'] },
    ],
    [
      'anything for a purpose of one’s own',
      { ...RSA, extKeyUsages: ['1.3.6.1.4.1.99999.1'], keyUsages: ['digitalSignature', 'dataEncipherment'] },
    ],
    ['time stamps alone', { serverAuth: false, extKeyUsages: [EKU.timeStamping], keyUsages: ['nonRepudiation'] }],
    ['no revocation for seven days', { noRevAvail: true, maxTtlSeconds: 7 * 86_400 }],
    [
      'a subject',
      {
        subject: {
          organization: 'Bücher GmbH',
          organizationalUnit: 'R&D',
          country: 'DE',
          province: 'BE',
          locality: 'Berlin',
        },
      },
    ],
  ])('ok: %s', (_, change) => {
    expect(checkRolePolicy({ ...POLICY, ...change })).toMatchObject({ ok: true })
  })
  it('ok: a sensible one stays as it is', () => {
    expect(checkRolePolicy(POLICY)).toEqual({ ok: true, value: POLICY })
  })
  it('ok: domains are kept in the form in which they are compared', () => {
    const written = { ...POLICY, allowedDomains: ['*.Bücher.Example'], allowedEmailDomains: ['BÜCHER.example'] }
    expect(checkRolePolicy(written)).toMatchObject({
      value: { allowedDomains: ['*.xn--bcher-kva.example'], allowedEmailDomains: ['xn--bcher-kva.example'] },
    })
  })
  it.each([
    ['rsa', 2048],
    ['rsa', 3072],
    ['rsa', 4096],
    ['ec', 256],
    ['ec', 384],
    ['ec', 521],
    ['ed25519', 256],
  ] as const)('ok: a key of the type %s with %d bits', (keyType, keyBits) => {
    expect(checkRolePolicy({ ...POLICY, keyType, keyBits }).ok).toBe(true)
  })

  it.each<[string, Partial<RolePolicy>, string, string]>([
    ['a star inside a label', { allowedDomains: ['a.test', 'a*.test'] }, 'allowed_domains[1]', 'left-most label'],
    ['a star in the middle', { allowedDomains: ['a.*.test'] }, 'allowed_domains[0]', 'left-most label'],
    ['two stars', { allowedDomains: ['*.*.test'] }, 'allowed_domains[0]', 'left-most label'],
    ['a star alone', { allowedDomains: ['*'] }, 'allowed_domains[0]', 'left-most label'],
    ['a star and nothing', { allowedDomains: ['*.'] }, 'allowed_domains[0]', 'empty'],
    ['a leading dot', { allowedDomains: ['.example.com'] }, 'allowed_domains[0]', 'empty label'],
    ['a trailing dot', { allowedDomains: ['example.com.'] }, 'allowed_domains[0]', 'empty label'],
    ['an address as domain', { allowedDomains: ['10.0.0.1'] }, 'allowed_domains[0]', 'number'],
    ['an invalid A-label', { allowedDomains: ['xn--a.test'] }, 'allowed_domains[0]', 'internationalized'],
    ['a mailbox as e-mail domain', { allowedEmailDomains: ['a@b.test'] }, 'allowed_email_domains[0]', 'letters'],
    ['an address without prefix', { allowedIpRanges: ['10.0.0.1'] }, 'allowed_ip_ranges[0]', 'range such as'],
    ['a prefix that is too long', { allowedIpRanges: ['10.0.0.0/33'] }, 'allowed_ip_ranges[0]', 'range such as'],
    ['host bits', { allowedIpRanges: ['::/0', '10.0.0.1/8'] }, 'allowed_ip_ranges[1]', 'behind the prefix'],
    ['a mapped range', { allowedIpRanges: ['::ffff:10.0.0.0/104'] }, 'allowed_ip_ranges[0]', 'IPv4'],
    ['ranges without addresses', { allowIpSans: false }, 'allowed_ip_ranges', 'allow_ip_sans is false'],
    ['a star for a host', { allowedUriSans: ['spiffe://*/a'] }, 'allowed_uri_sans[0]', 'path alone'],
    ['a star within a host', { allowedUriSans: ['spiffe://a*.test/a'] }, 'allowed_uri_sans[0]', 'path alone'],
    ['a user in a pattern', { allowedUriSans: ['https://u@a.test/*'] }, 'allowed_uri_sans[0]', 'give a URI'],
    ['a URI without scheme', { allowedUriSans: ['*'] }, 'allowed_uri_sans[0]', 'give a URI'],
    ['a default above the maximum', { defaultTtlSeconds: 86_401 }, 'default_ttl', 'longer than max_ttl'],
    ['for nothing at all', { serverAuth: false }, 'server_auth', 'allow one'],
    ['no key usage at all', { keyUsages: [] }, 'key_usages', 'at least one'],
    ['a usage of RSA keys', { keyUsages: ['digitalSignature', 'keyEncipherment'] }, 'key_usages', 'keyEncipherment'],
    [
      'a usage that no server and no client has',
      { ...RSA, keyUsages: ['digitalSignature', 'nonRepudiation'] },
      'key_usages',
      'nonRepudiation serves none of the purposes serverAuth',
    ],
    [
      'data encipherment for servers',
      { ...RSA, keyUsages: ['keyEncipherment', 'dataEncipherment'] },
      'key_usages',
      'dataEncipherment serves none',
    ],
    [
      'clients that cannot sign',
      { ...RSA, clientAuth: true, keyUsages: ['keyEncipherment'] },
      'key_usages',
      'clientAuth needs one of',
    ],
    [
      'code that is not signed',
      { ...RSA, extKeyUsages: [EKU.codeSigning], keyUsages: ['keyEncipherment'] },
      'key_usages',
      'codeSigning needs one of',
    ],
    ['every purpose', { extKeyUsages: [EKU.any] }, 'extended_key_usages', 'every purpose'],
    ['answers about revocation', { extKeyUsages: [EKU.ocspSigning] }, 'extended_key_usages', 'answers for the CA'],
    ['time stamps beside another purpose', { extKeyUsages: [EKU.timeStamping] }, 'extended_key_usages', 'nothing else'],
    [
      'no revocation for eight days',
      { noRevAvail: true, maxTtlSeconds: 8 * 86_400 },
      'no_rev_avail',
      '604800s at most',
    ],
    ['a control character', { subject: { organization: 'a\u0007b' } }, 'organization', 'control character'],
    ['a unit that is too long', { subject: { organizationalUnit: 'a'.repeat(65) } }, 'organizational_unit', '64'],
    ['a country by its name', { subject: { country: 'Chile' } }, 'country', 'two capital letters'],
    ['a usage of CAs', { keyType: 'rsa', keyBits: 2048, keyUsages: ['keyCertSign'] }, 'key_usages', 'keyCertSign'],
    ['agreement with Ed25519', { keyType: 'ed25519', keyUsages: ['keyAgreement'] }, 'key_usages', 'keyAgreement'],
    ['a small RSA key', { keyType: 'rsa', keyBits: 1024 }, 'key_bits', '2048, 3072, 4096'],
    ['an RSA size of a curve', { keyType: 'rsa', keyBits: 256 }, 'key_bits', '2048, 3072, 4096'],
    ['a curve that is none', { keyBits: 512 }, 'key_bits', '256, 384, 521'],
    ['Ed25519 in another size', { keyType: 'ed25519', keyBits: 255 }, 'key_bits', '256'],
  ])('fail: %s', (_, change, path, text) => {
    expect(checkRolePolicy({ ...POLICY, ...change })).toEqual({
      ok: false,
      error: [{ path, message: expect.stringContaining(text) }],
    })
  })
  it('fail: everything that is wrong is said at once', () => {
    const checked = checkRolePolicy({ ...POLICY, allowedDomains: ['a b', 'c d'], keyBits: 1, serverAuth: false })
    expect(checked.ok ? [] : checked.error.map(({ path }) => path).sort()).toEqual([
      'allowed_domains[0]',
      'allowed_domains[1]',
      'key_bits',
      'server_auth',
    ])
  })
})

describe('lifetimes under a role', () => {
  const START_MS = Date.UTC(2026, 10, 21, 12)
  const at = (ttlSeconds: number | null, caLeftSeconds = 1_000_000, nowMs = START_MS + 999, caAgeSeconds = 3_600) =>
    checkTtl(POLICY, ttlSeconds, {
      caNotBeforeMs: START_MS - caAgeSeconds * 1000,
      caNotAfterMs: START_MS + caLeftSeconds * 1000,
      nowMs,
    })

  it('ok: from a little before the second that runs, for as long as was asked', () => {
    expect(at(60)).toEqual({ ok: true, value: { notBeforeMs: START_MS - 30_000, notAfterMs: START_MS + 60_000 } })
  })
  it('ok: the default, and exactly the longest', () => {
    expect(at(null)).toMatchObject({ value: { notAfterMs: START_MS + 3_600_000 } })
    expect(at(86_400)).toMatchObject({ value: { notAfterMs: START_MS + 86_400_000 } })
  })
  it('ok: until the very end of the CA', () => {
    expect(at(100, 100)).toMatchObject({ value: { notAfterMs: START_MS + 100_000 } })
  })
  it('ok: the default is cut to the end of the CA', () => {
    expect(at(null, 100)).toMatchObject({ value: { notAfterMs: START_MS + 100_000 } })
  })
  it('fail: longer than max_ttl is refused, not cut', () => {
    expect(at(86_401)).toEqual({ ok: false, error: expect.stringMatching(/max_ttl.*longest possible is 86400s$/) })
  })
  it('fail: what a refusal calls possible is possible, with a CA that ends sooner', () => {
    expect(at(86_401, 500)).toEqual({ ok: false, error: expect.stringMatching(/longest possible is 500s$/) })
  })
  it('fail: longer than the CA is refused, not cut', () => {
    expect(at(101, 100)).toEqual({
      ok: false,
      error: expect.stringMatching(/ends at 2026-11-21T12:01:40Z: the longest possible is 100s$/),
    })
  })
  it('ok: never before the CA, however early the role has certificates begin', () => {
    expect(at(60, 1_000, START_MS, 10)).toMatchObject({ value: { notBeforeMs: START_MS - 10_000 } })
    expect(at(60, 1_000, START_MS, 0)).toMatchObject({ value: { notBeforeMs: START_MS } })
    // The clock of whoever made the CA was ahead.
    expect(at(60, 1_000, START_MS, -5)).toMatchObject({ value: { notBeforeMs: START_MS + 5_000 } })
  })
  it('fail: over before the CA begins', () => {
    expect(at(60, 1_000, START_MS, -60)).toEqual({
      ok: false,
      error: 'The CA is not valid yet: it begins at 2026-11-21T12:01:00Z',
    })
  })
  it('ok: a role that was stored with more than a day begins a day early', () => {
    const policy = { ...POLICY, notBeforeBackdateSeconds: 100 * 365 * 86_400 }
    const period = { caNotBeforeMs: 0, caNotAfterMs: START_MS + 86_400_000, nowMs: START_MS }
    expect(checkTtl(policy, 60, period)).toMatchObject({ value: { notBeforeMs: START_MS - 86_400_000 } })
  })
  it.each([null, 1])('fail: the CA has ended (ttl %s)', (ttl) => {
    expect(at(ttl, 0)).toEqual({ ok: false, error: 'The CA has ended, at 2026-11-21T12:00:00Z' })
  })
})

describe('keys under a role', () => {
  type Wanted = Pick<RolePolicy, 'keyType' | 'keyBits'>
  it.each<[Wanted, PublicKeyKind]>([
    [
      { keyType: 'rsa', keyBits: 3072 },
      { type: 'rsa', size: 3072 },
    ],
    [
      { keyType: 'rsa', keyBits: 3072 },
      { type: 'rsa', size: 4096 },
    ],
    [
      { keyType: 'ec', keyBits: 384 },
      { type: 'ec', size: 384 },
    ],
    [
      { keyType: 'ed25519', keyBits: 256 },
      { type: 'ed25519', size: 256 },
    ],
  ])('ok: %j takes %j', (wanted, kind) => {
    expect(checkKey(wanted, kind)).toBeNull()
  })
  it.each<[Wanted, PublicKeyKind, string]>([
    [
      { keyType: 'rsa', keyBits: 3072 },
      { type: 'rsa', size: 2048 },
      'rsa with at least 3072 bits; this is rsa with 2048',
    ],
    [{ keyType: 'rsa', keyBits: 2048 }, { type: 'ec', size: 521 }, 'rsa with at least 2048 bits; this is ec with 521'],
    [{ keyType: 'ec', keyBits: 256 }, { type: 'ec', size: 384 }, 'ec with 256 bits; this is ec with 384'],
    [{ keyType: 'ec', keyBits: 384 }, { type: 'ec', size: 256 }, 'ec with 384 bits; this is ec with 256'],
    [{ keyType: 'ec', keyBits: 256 }, { type: 'ed25519', size: 256 }, 'ec with 256 bits; this is ed25519 with 256'],
    [{ keyType: 'ed25519', keyBits: 256 }, { type: 'ec', size: 256 }, 'ed25519 with 256 bits; this is ec with 256'],
  ])('fail: %j does not take %j', (wanted, kind, sentence) => {
    expect(checkKey(wanted, kind)).toBe(`The role wants a key of the type ${sentence}`)
  })
})
