import { describe, expect, it } from 'vitest'
import { claimAt, fillTemplate, isClaimPath, templateError } from '../../../src/core/claims.ts'

const POD = {
  sub: 'system:serviceaccount:shop:cart',
  'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'cart', uid: '1' } },
  'https://issuer.example/groups': ['a', 'b'],
  nothing: null,
}

describe('the path of a claim', () => {
  it.each([
    ['sub', 'system:serviceaccount:shop:cart'],
    ['kubernetes.io.namespace', 'shop'],
    ['kubernetes.io.serviceaccount.name', 'cart'],
    ['kubernetes.serviceaccount.name', 'cart'],
    ['https://issuer.example/groups', ['a', 'b']],
    ['nothing', null],
    ['missing', undefined],
    ['sub.length', undefined],
    ['kubernetes.io.serviceaccount.missing', undefined],
    ['https://issuer.example/groups.0', undefined],
    ['constructor', undefined],
    ['__proto__', undefined],
    ['kubernetes.io.toString', undefined],
  ])('ok: %s', (path, value) => {
    expect(claimAt(POD, path)).toEqual(value)
  })

  it('fail: one that can be read in two ways leads to nothing', () => {
    expect(claimAt({ a: { b: 'x' }, 'a.b': 'y' }, 'a.b')).toBeUndefined()
    expect(claimAt({ a: { c: 'x' }, 'a.b': 'y' }, 'a.b')).toBe('y')
  })

  it('fail: kubernetes is short for kubernetes.io only where it is not there itself', () => {
    const claims = { kubernetes: { namespace: 'other' }, 'kubernetes.io': { namespace: 'shop' } }
    expect(claimAt(claims, 'kubernetes.namespace')).toBe('other')
  })

  it.each(['', '.', 'a.', '.a', 'a..b', 'a b', 'a{b', 'a}', 'é', 'a'.repeat(201), Array(17).fill('a').join('.')])(
    'fail: %j is none',
    (path) => {
      expect(isClaimPath(path)).toBe(false)
    },
  )
})

describe('templates', () => {
  it.each([
    '{claims.sub}.example.org',
    'x-{claims.kubernetes.io.namespace}.{claims.sub}.example.org',
    'plain.example.org',
  ])('ok: %s', (pattern) => {
    expect(templateError(pattern, '.')).toBeNull()
  })

  it.each([
    '{sub}.example.org',
    '{claims.}.example.org',
    '{claims}.example.org',
    '{claims.a..b}.example.org',
    '{claims.sub.example.org',
    'claims.sub}.example.org',
    '{claims.{claims.sub}}.example.org',
    // With two in one label, `a-b` + `c` and `a` + `b-c` would be the same name.
    '{claims.a}-{claims.b}.example.org',
    '{claims.a}{claims.b}.example.org',
  ])('fail: %s', (pattern) => {
    expect(templateError(pattern, '.')).not.toBeNull()
  })

  const isWord = (value: string) => /^[a-z$&]+$/.test(value)

  it('ok: is filled with claims that are texts', () => {
    expect(fillTemplate('{claims.a}.{claims.b}', { a: 'x', b: 'y' }, isWord)).toBe('x.y')
    expect(fillTemplate('plain', null, isWord)).toBe('plain')
    // What replacing reads as a pattern in the replacement.
    expect(fillTemplate('{claims.a}', { a: '$&' }, isWord)).toBe('$&')
    expect(fillTemplate('{claims.a}', { a: "$'" }, () => true)).toBe("$'")
  })

  it.each<[string, Parameters<typeof fillTemplate>[1]]>([
    ['a caller without claims', null],
    ['a claim that is not there', {}],
    ['a number', { a: 1 }],
    ['a truth value', { a: true }],
    ['null', { a: null }],
    ['a list', { a: ['x'] }],
    ['an object', { a: { b: 'x' } }],
    ['an empty text', { a: '' }],
    ['a text that is not taken', { a: 'x.y' }],
    ['a text that is a template', { a: '{claims.b}', b: 'x' }],
  ])('fail: gives nothing for %s', (_, claims) => {
    expect(fillTemplate('{claims.a}.example', claims, isWord)).toBeNull()
  })
})
