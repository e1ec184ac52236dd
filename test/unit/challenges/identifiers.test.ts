import { describe, expect, it } from 'vitest'
import { checkIdentifiers } from '../../../src/challenges/identifiers.ts'

/** The details of a refusal; an acceptance is an empty list. */
function refusals(domains: readonly string[], type: 'dns-01' | 'http-01' | 'tls-alpn-01' = 'dns-01', publicCa = false) {
  const checked = checkIdentifiers(domains, type, publicCa)
  return checked.ok ? [] : checked.error
}

describe('names of an order', () => {
  it('ok: a wildcard beside its apex, in lower case, in the order given', () => {
    const checked = checkIdentifiers(['*.Acme.Example', 'acme.example'], 'dns-01', false)
    expect(checked).toEqual({ ok: true, value: ['*.acme.example', 'acme.example'] })
  })

  it('ok: a U-label becomes its A-label', () => {
    expect(checkIdentifiers(['bücher.acme.example'], 'dns-01', false)).toEqual({
      ok: true,
      value: ['xn--bcher-kva.acme.example'],
    })
  })

  it.each([
    ['foo', /single label/],
    ['*.*.example', /whole left-most label/],
    ['exa mple.com', /letters, digits and inner hyphens/],
    [`${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(10)}`, /253/],
    ['192.0.2.1', /IP address/],
    ['2001:db8::1', /IP address/],
    ['[2001:db8::1]', /IP address/],
    ['', /empty/],
    ['a_b.acme.example', /underscore/],
  ])('fail: %s with a sentence about it', (domain, message) => {
    expect(refusals([domain])).toEqual([{ path: 'domains[0]', message: expect.stringMatching(message) }])
  })

  it.each(['http-01', 'tls-alpn-01'] as const)('ok: addresses by %s, in the form of RFC 5952 (RFC 8738 §3)', (type) => {
    const domains = ['192.0.2.1', '2001:DB8:0:0::1', '[2001:db8::2]', 'www.acme.example']
    expect(checkIdentifiers(domains, type, false)).toEqual({
      ok: true,
      value: ['192.0.2.1', '2001:db8::1', '2001:db8::2', 'www.acme.example'],
    })
  })

  it('fail: an address twice, written in two ways', () => {
    expect(refusals(['2001:db8::1', '[2001:DB8:0::1]'], 'http-01')).toEqual([
      { path: 'domains[1]', message: expect.stringContaining('twice') },
    ])
  })

  it.each(['127.0.0.1', '10.0.0.1', '192.0.2.1', '::1', 'fe80::1', '::ffff:10.0.0.1'])(
    'fail: %s, which no public CA signs',
    (address) => {
      expect(refusals([address], 'http-01', true)).toEqual([
        { path: 'domains[0]', message: expect.stringContaining('not a public address') },
      ])
    },
  )

  it('ok: a public address from a public CA', () => {
    expect(refusals(['9.9.9.9', '2620:fe::fe'], 'http-01', true)).toEqual([])
  })

  it('fail: a name of 254 characters', () => {
    const name = `${'a.'.repeat(123)}bcdefghi`
    expect(name).toHaveLength(254)
    expect(refusals([name])).toHaveLength(1)
    expect(refusals([name.slice(1).replace(/^\./, 'x')], 'http-01')).toHaveLength(0)
  })

  it('fail: the same name twice, also in another case', () => {
    expect(refusals(['acme.example', 'ACME.example'])).toEqual([
      { path: 'domains[1]', message: expect.stringContaining('twice') },
    ])
  })

  it('fail: no name and 101 names', () => {
    expect(refusals([])).toEqual([{ path: 'domains', message: expect.stringContaining('at least one') }])
    const many = Array.from({ length: 101 }, (_, index) => `n${index}.acme.example`)
    expect(refusals(many)).toEqual([{ path: 'domains', message: expect.stringContaining('101') }])
    expect(refusals(many.slice(1))).toEqual([])
  })

  it('fail: a wildcard with http-01', () => {
    expect(refusals(['*.acme.example'], 'http-01')).toEqual([
      { path: 'domains[0]', message: expect.stringContaining('"dns-01"') },
    ])
  })

  it('fail: every wrong name has its detail', () => {
    expect(refusals(['foo', 'ok.acme.example', 'exa mple.com']).map(({ path }) => path)).toEqual([
      'domains[0]',
      'domains[2]',
    ])
  })

  it('fail: reserved names and public suffixes, at CAs of the public web alone', () => {
    expect(refusals(['host.internal', 'co.uk', '*.co.uk', 'acme.example'], 'dns-01', true)).toHaveLength(4)
    expect(refusals(['host.internal', 'co.uk', '*.co.uk', 'acme.example'])).toEqual([])
    expect(refusals(['www.acme.org', '*.acme.org'], 'dns-01', true)).toEqual([])
  })
})
