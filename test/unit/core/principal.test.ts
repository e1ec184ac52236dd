import { describe, expect, it } from 'vitest'
import { coversResource, effectiveScopes, hasScope, parseScopes } from '../../../src/core/principal.ts'

describe('principals', () => {
  it.each([
    [['pki:issue'], ['pki:issue', 'pki:read']],
    [['pki:admin'], ['pki:admin', 'pki:read', 'audit:read', 'secrets:write']],
    [['operator'], ['operator']],
    [['tokens:admin'], ['tokens:admin']],
    [['pki:read'], ['pki:read']],
  ] as const)('ok: %s includes %s and nothing else', (scopes, all) => {
    expect([...effectiveScopes({ scopes })].sort()).toEqual([...all].sort())
  })

  it('fail: an admin of the PKI does not read secrets or issue', () => {
    const scopes = ['pki:admin'] as const
    expect([hasScope({ scopes }, 'secrets:read'), hasScope({ scopes }, 'pki:issue')]).toEqual([false, false])
  })

  it('ok: without paths nothing is outside, with none everything is', () => {
    expect(coversResource({ paths: null }, 'pki/roles/x')).toBe(true)
    expect(coversResource({ paths: [] }, 'pki/roles/x')).toBe(false)
    expect(coversResource({ paths: ['pki/ca/*', 'pki/roles/*'] }, 'pki/roles/x')).toBe(true)
  })

  it('ok: a stored scope that no longer exists grants nothing', () => {
    expect(parseScopes(['pki:read', 'pki:everything', 'toString'])).toEqual(['pki:read'])
  })
})
