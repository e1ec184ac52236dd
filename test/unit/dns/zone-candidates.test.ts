import { describe, expect, it } from 'vitest'
import { relativeName, zoneCandidates, zoneNameOf } from '../../../src/dns/zone-candidates.ts'

describe('zones that may hold a name', () => {
  it('ok: the longest first, down to two labels', () => {
    expect(zoneCandidates('_acme-challenge.WWW.example.co.uk.')).toEqual({
      ok: true,
      value: ['_acme-challenge.www.example.co.uk', 'www.example.co.uk', 'example.co.uk', 'co.uk'],
    })
    expect(zoneCandidates('com')).toEqual({ ok: true, value: [] })
    expect(zoneCandidates('')).toEqual({ ok: true, value: [] })
  })

  it('fail: what is no name', () => {
    expect(zoneCandidates('a..b')).toEqual({ ok: false, error: expect.stringContaining('empty label') })
  })

  it('ok: a zone in any spelling, and the root is none', () => {
    expect(zoneNameOf('Example.COM.')).toBe('example.com')
    expect(zoneNameOf('.')).toBeNull()
    expect(zoneNameOf('no name')).toBeNull()
  })

  it('ok: names within a zone, at its apex, and outside', () => {
    expect(relativeName('_acme-challenge.www.example.com', 'example.com', '@')).toBe('_acme-challenge.www')
    expect(relativeName('example.com', 'example.com', '@')).toBe('@')
    expect(relativeName('anexample.com', 'example.com', '@')).toBeNull()
  })
})
