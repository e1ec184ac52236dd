import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { domainTemplateError, filledPolicy, uriTemplateError } from '../../../../src/authority/roles/claim-templates.ts'
import type { Claims } from '../../../../src/core/claims.ts'
import { ROLE_POLICY } from '../../../integration/support/stored-shapes.ts'

const POD: Claims = {
  sub: 'spiffe://example.org/ns/shop/sa/cart',
  'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'cart' } },
}

const domainsOf = (pattern: string, claims: Claims | null) =>
  filledPolicy({ ...ROLE_POLICY, allowedDomains: [pattern] }, claims).allowedDomains
const urisOf = (pattern: string, claims: Claims | null) =>
  filledPolicy({ ...ROLE_POLICY, allowedUriSans: [pattern] }, claims).allowedUriSans

describe('a domain with claims', () => {
  it.each([
    [
      '{claims.kubernetes.io.serviceaccount.name}.{claims.kubernetes.io.namespace}.svc.example.org',
      'cart.shop.svc.example.org',
    ],
    ['*.{claims.kubernetes.namespace}.example.org', '*.shop.example.org'],
    ['ns-{claims.kubernetes.namespace}-x.internal', 'ns-shop-x.internal'],
  ])('ok: %s', (pattern, filled) => {
    expect(domainTemplateError(pattern)).toBeNull()
    expect(domainsOf(pattern, POD)).toEqual([filled])
    expect(domainsOf(pattern, null)).toEqual([])
    expect(domainsOf(pattern, {})).toEqual([])
  })

  it.each([
    '{claims.sub}',
    'example.{claims.sub}',
    'example.x-{claims.a.b}',
    '{claims.a}.{claims.b}',
    '{claims.a}-{claims.b}.example.org',
    '{claims.sub}.Example.org',
    '{claims.sub}_x.example.org',
    '{claims.sub}..example.org',
    'x.*.{claims.sub}.example.org',
    '{claims.sub}*.example.org',
    '{sub}.example.org',
    '{claims.}.example.org',
    '{claims.sub}.1',
  ])('fail: %s is refused when the role is made', (pattern) => {
    expect(domainTemplateError(pattern)).not.toBeNull()
  })

  it.each<[string, unknown]>([
    ['a dot: a name of another depth', 'a.b'],
    ['a name with the rest of another', 'evil.com'],
    ['a star: every name', '*'],
    ['a star in front', '*.a'],
    ['nothing', ''],
    ['a hyphen at its begin', '-a'],
    ['a hyphen at its end', 'a-'],
    ['capitals: two subjects, one name', 'Shop'],
    ['an underscore', 'a_b'],
    ['a slash', 'a/b'],
    ['a space', 'a b'],
    ['a line', 'a\nb'],
    ['a NUL', 'a\0'],
    ['another script', 'аpple'],
    ['a full-width dot, which IDNA reads as a dot', 'a。b'],
    ['an A-label that is none', 'xn--a'],
    ['reserved hyphens', 'ab--c'],
    ['more than a label holds', 'a'.repeat(64)],
    ['braces', '{claims.sub}'],
    ['a pattern of replacements', '$&'],
    ['a number', 7],
    ['a truth value', true],
    ['null', null],
    ['a list', ['shop']],
    ['an object', { shop: 'shop' }],
  ])('fail: a claim with %s gives nothing', (_, value) => {
    expect(domainsOf('{claims.x}.svc.example.org', { x: value } as Claims)).toEqual([])
  })

  it('fail: a label that becomes too long with what is around it', () => {
    expect(domainsOf('ns-{claims.x}.example.org', { x: 'a'.repeat(60) })).toHaveLength(1)
    expect(domainsOf('ns-{claims.x}.example.org', { x: 'a'.repeat(61) })).toEqual([])
  })

  it('ok: whatever the claim is, what comes of it has the labels of its pattern around one that is filled in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (x) => {
        for (const filled of domainsOf('a-{claims.x}.svc.example.org', { x })) {
          const [label, ...rest] = filled.split('.')
          expect([label, rest]).toEqual([`a-${x}`, ['svc', 'example', 'org']])
        }
        expect(domainsOf('plain.example.org', { x })).toEqual(['plain.example.org'])
      }),
    )
  })

  it('ok: domains of mailboxes likewise', () => {
    const policy = { ...ROLE_POLICY, allowedEmailDomains: ['{claims.x}.example.org', 'example.org'] }
    expect(filledPolicy(policy, { x: 'shop' }).allowedEmailDomains).toEqual(['shop.example.org', 'example.org'])
    expect(filledPolicy(policy, { x: 'a.b' }).allowedEmailDomains).toEqual(['example.org'])
  })
})

describe('a URI with claims', () => {
  it.each([
    [
      'spiffe://example.org/ns/{claims.kubernetes.namespace}/sa/{claims.kubernetes.serviceaccount.name}',
      'spiffe://example.org/ns/shop/sa/cart',
    ],
    ['https://example.org/x-{claims.kubernetes.namespace}/*', 'https://example.org/x-shop/*'],
    ['{claims.sub}', 'spiffe://example.org/ns/shop/sa/cart'],
  ])('ok: %s', (pattern, filled) => {
    expect(uriTemplateError(pattern)).toBeNull()
    expect(urisOf(pattern, POD)).toEqual([filled])
    expect(urisOf(pattern, null)).toEqual([])
  })

  it.each([
    '{claims.uri}',
    '{claims.sub}/x',
    '{claims.sub}*',
    'spiffe://{claims.sub}/x',
    'spiffe://{claims.sub}.example.org/x',
    '{claims.scheme}://example.org/x',
    'spiffe://example.org{claims.sub}',
    'spiffe://example.org/{claims.a}{claims.b}',
    'spiffe://example.org/{sub}',
    'spiffe://example.org//{claims.sub}',
    'urn:uuid:{claims.sub}',
    'spiffe://example.org/{claims.sub}?x',
  ])('fail: %s is refused when the role is made', (pattern) => {
    expect(uriTemplateError(pattern)).not.toBeNull()
  })

  it.each<[string, unknown]>([
    ['a slash: another path', 'a/b'],
    ['a way up', '..'],
    ['no way', '.'],
    ['a star: any path', '*'],
    ['a star within', 'a*'],
    ['a percent sign', 'a%2fb'],
    ['a query', 'a?b'],
    ['a fragment', 'a#b'],
    ['a colon', 'system:serviceaccount'],
    ['another script', 'ä'],
    ['nothing', ''],
    ['a line', 'a\n'],
    ['a number', 7],
    ['a list', ['a']],
    ['an object', {}],
  ])('fail: a claim with %s gives nothing', (_, value) => {
    expect(urisOf('spiffe://example.org/ns/{claims.x}', { x: value } as Claims)).toEqual([])
  })

  it.each([
    'repo:octo/site',
    'https://example.org/x',
    'spiffe://example.org',
    'spiffe://example.org/',
    'spiffe://Example.org/x',
    'spiffe://example.org/*',
    'spiffe://example.org/../x',
    'spiffe://example.org//x',
    'spiffe://example.org/x?y',
    'spiffe://example.org:443/x',
    'spiffe://user@example.org/x',
    ' spiffe://example.org/x',
    'x spiffe://example.org/x',
    'spiffe://example.org/%2e%2e/x',
    'spiffe://example.org/x\nspiffe://example.org/y',
  ])('fail: the subject %j is no SPIFFE ID', (sub) => {
    expect(urisOf('{claims.sub}', { sub })).toEqual([])
  })
})
