import { describe, expect, it } from 'vitest'
import { grantsOf, matchesText } from '../../../../src/access/sign-in/mappings.ts'
import type { SignInMapping } from '../../../../src/store/sign-in-settings.ts'

const mapping = (match: SignInMapping['match'], more: Partial<SignInMapping> = {}): SignInMapping => ({
  match,
  scopes: ['pki:read'],
  paths: null,
  ...more,
})

const CLAIMS = {
  sub: 'repo:octo/site:ref:refs/heads/main',
  repository: 'octo/site',
  repository_id: 74,
  protected: true,
  groups: ['dev', 'ops'],
  place: { city: 'x' },
  nothing: null,
}

const isMatch = (match: SignInMapping['match']): boolean => grantsOf([mapping(match)], CLAIMS) !== null

describe('mappings', () => {
  it.each<[SignInMapping['match'], boolean]>([
    [{ repository: ['octo/site'] }, true],
    [{ repository: ['octo/sit'] }, false],
    [{ repository: ['Octo/site'] }, false],
    [{ repository: ['octo/site', 'x'], groups: ['ops'] }, true],
    [{ repository: ['octo/site'], groups: ['admin'] }, false],
    [{ sub: ['repo:octo/*:ref:refs/heads/main'] }, true],
    [{ sub: ['repo:octo/*:ref:refs/tags/*'] }, false],
    [{ repository_id: ['74'] }, true],
    [{ protected: ['true'] }, true],
    [{ place: ['*'] }, false],
    [{ 'place.city': ['x'] }, true],
    [{ nothing: ['*'] }, false],
    [{ missing: ['*'] }, false],
    [{ repository: [] }, false],
    [{}, false],
  ])('ok: %j is %s', (match, expected) => {
    expect(isMatch(match)).toBe(expected)
  })

  it('ok: the first that matches counts alone', () => {
    const mappings = [
      mapping({ repository: ['other/site'] }, { scopes: ['pki:admin'] }),
      mapping({ repository: ['octo/*'] }, { scopes: ['pki:issue'], paths: ['pki/roles/x'] }),
      mapping({ groups: ['ops'] }, { scopes: ['tokens:admin'] }),
    ]
    expect(grantsOf(mappings, CLAIMS)).toEqual({ scopes: ['pki:issue'], paths: ['pki/roles/x'] })
  })

  it('fail: a scope that does not exist any more grants nothing', () => {
    expect(grantsOf([mapping({ sub: ['*'] }, { scopes: ['root'] })], CLAIMS)?.scopes).toEqual([])
  })

  it.each([
    ['plain', ['pki/roles/plain']],
    ['a.b-c_D', ['pki/roles/a.b-c_D']],
    ['octo/site', []],
    ['*', []],
    ['a*', []],
    ['..', []],
    ['.', []],
    ['', []],
    ['%2e%2e', []],
    ['a b', []],
    ['ä', []],
    [['a'], []],
    [1, []],
  ])('ok: a claim %j in a path', (name, paths) => {
    const granted = grantsOf([mapping({ sub: ['x'] }, { paths: ['pki/roles/{claims.name}'] })], { sub: 'x', name })
    // An empty list covers nothing; null would cover everything.
    expect(granted?.paths).toEqual(paths)
  })

  it.each([
    ['a*', 'a', true],
    ['*', '', true],
    ['a*b*c', 'a/b:c', true],
    ['a*b*b', 'ab', false],
    ['ab*ba', 'aba', false],
    ['*a*', 'bab', true],
    ['a', 'ab', false],
    ['a?', 'ab', false],
    ['.', 'a', false],
  ])('ok: the glob %s over %s is %s', (glob, text, expected) => {
    expect(matchesText(glob, text)).toBe(expected)
  })
})
