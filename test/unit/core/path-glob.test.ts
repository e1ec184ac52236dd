import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { globCovers, isPathGlob } from '../../../src/core/path-glob.ts'

describe('path globs', () => {
  it.each([
    ['pki/certificates/cert_*', 'pki/certificates/cert_x', true],
    ['pki/certificates/cert_*', 'pki/certificates/cert_', true],
    ['pki/certificates/cert_*', 'pki/certificates/cert_x/private-key', true],
    ['pki/certificates/cert_*', 'pki/certificates', false],
    ['pki/certificates/cert_*', 'pki/certificates/csr_x', false],
    ['pki/roles/svc-mtls', 'pki/roles/svc-mtls', true],
    ['pki/roles/svc-mtls', 'pki/roles/svc-mtls-2', false],
    ['pki/roles/svc-mtls', 'pki/roles/svc', false],
    ['pki', 'pki/roles/svc', true],
    ['pk', 'pki/roles/svc', false],
    ['pki/*/x', 'pki/a/x', true],
    ['pki/*/x', 'pki/a/b/x', false],
    ['*', 'anything/below', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-b-b', false],
    ['**', 'x', true],
    ['a.c', 'abc', false],
    ['', 'x', false],
  ])('ok: %s over %s is %s', (glob, resource, covers) => {
    expect(globCovers(glob, resource)).toBe(covers)
  })

  it('ok: a glob that covers another covers all that the other covers', () => {
    const segment = fc.stringMatching(/^[ab*]{1,4}$/)
    const glob = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'))
    const plain = fc.array(fc.stringMatching(/^[ab]{1,5}$/), { minLength: 1, maxLength: 4 }).map((all) => all.join('/'))
    let witnesses = 0
    fc.assert(
      fc.property(glob, glob, plain, (wide, narrow, resource) => {
        if (!globCovers(wide, narrow) || !globCovers(narrow, resource)) return true
        witnesses += 1
        return globCovers(wide, resource)
      }),
      { numRuns: 20_000, seed: 7 },
    )
    expect(witnesses).toBeGreaterThan(100)
  })

  it('ok: a segment is matched as the regular expression would', () => {
    const text = fc.stringMatching(/^[ab]{0,8}$/)
    const glob = fc.stringMatching(/^[ab*]{1,6}$/)
    fc.assert(
      fc.property(glob, text, (pattern, candidate) => {
        const expected = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(candidate)
        expect(globCovers(pattern, candidate)).toBe(expected)
      }),
      { numRuns: 5_000 },
    )
  })

  it('ok: many stars do not backtrack: steps grow with glob times text', () => {
    // With backtracking this would not end within the life of the universe.
    expect(globCovers('*a'.repeat(200), `${'a'.repeat(400)}b`)).toBe(false)
  })

  it.each(['', '/', 'a//b', 'a/', '/a', '.', 'a/../b', 'a b', 'ä', 'a\n', 'x'.repeat(513)])(
    'fail: %j is no glob',
    (text) => {
      expect(isPathGlob(text)).toBe(false)
    },
  )

  it.each(['*', 'pki/certificates/cert_*', 'x'.repeat(512)])('ok: %.30s is a glob', (text) => {
    expect(isPathGlob(text)).toBe(true)
  })
})
