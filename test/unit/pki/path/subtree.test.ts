import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GeneralName } from '../../../../src/pki/general-name.ts'
import { readComparedName, readSubtree, relationOf } from '../../../../src/pki/path/subtree.ts'

const label = fc.stringMatching(/^[a-z]{1,8}$/)
const host = fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join('.'))

function relation(name: GeneralName, base: GeneralName): string | null {
  const [compared, subtree] = [readComparedName(name), readSubtree(base)]
  return compared === null || subtree === null ? null : relationOf(compared, subtree)
}
const uriIn = (value: string): string | null => relation({ type: 'uri', value }, { type: 'uri', value: 'example.com' })

describe('DNS names and subtrees', () => {
  it('ok: what stands below a name is inside, in any case of letters', () => {
    fc.assert(
      fc.property(host, fc.array(label, { maxLength: 3 }), (base, below) => {
        const value = [...below, base].join('.').toUpperCase()
        expect(relation({ type: 'dns', value }, { type: 'dns', value: base })).toBe('inside')
      }),
    )
  })

  it('ok: a wildcard is inside or partly inside wherever one of its names is inside', () => {
    fc.assert(
      fc.property(host, label, fc.array(label, { maxLength: 2 }), (base, one, below) => {
        const constraint = [...below, one, base].join('.')
        const isOneOfItsNames = below.length === 0
        const answer = relation({ type: 'dns', value: `*.${base}` }, { type: 'dns', value: constraint })
        expect(answer).toBe(isOneOfItsNames ? 'partly' : 'outside')
      }),
    )
  })

  it('fail: a name that only ends in the same letters is outside', () => {
    fc.assert(
      fc.property(host, label, (base, letters) => {
        expect(relation({ type: 'dns', value: `${letters}${base}` }, { type: 'dns', value: base })).toBe('outside')
      }),
    )
  })

  it.each(['.example.com', '*.example.com', 'exa_mple.com', 'example.com.', 'ex ample.com'])(
    'fail: %j is no subtree',
    (value) => {
      expect(readSubtree({ type: 'dns', value })).toBeNull()
    },
  )
})

describe('IP addresses and subtrees', () => {
  it('ok: inside where the bits under the mask are the same', () => {
    const octet = fc.integer({ min: 0, max: 255 })
    const address = fc.tuple(octet, octet, octet, octet)
    fc.assert(
      fc.property(address, address, fc.integer({ min: 0, max: 32 }), (name, base, bits) => {
        const bitsOf = (octets: readonly number[]): string =>
          octets.map((one) => one.toString(2).padStart(8, '0')).join('')
        const mask = '1'.repeat(bits).padEnd(32, '0').match(/.{8}/g) ?? []
        const value = new Uint8Array([...base, ...mask.map((one) => Number.parseInt(one, 2))])
        const isInside = bitsOf(name).slice(0, bits) === bitsOf(base).slice(0, bits)
        expect(relation({ type: 'ip', value: new Uint8Array(name) }, { type: 'ip', value })).toBe(
          isInside ? 'inside' : 'outside',
        )
      }),
    )
  })
})

describe('URIs', () => {
  it.each([
    'https://example.com',
    'https://user:pw@example.com:443/x?y#z',
    'HTTPS://EXAMPLE.COM/',
    'a+b.c-d://example.com?x',
  ])('ok: the host of %j is read', (uri) => {
    expect(uriIn(uri)).toBe('inside')
  })

  // RFC 5280 §4.2.1.10: where no host can be told, the URI MUST be rejected; a doubtful host is one that cannot be told.
  it.each([
    'example.com',
    'urn:example.com',
    'https:/example.com',
    'https:///example.com',
    'https://evil.example\\@example.com/',
    'https://a@b@example.com/',
    'https://[2001:db8::1]/',
    'https://192.0.2.1/',
    'https://example.com:80:80/',
    'https://example.com./',
    'https://exam%70le.com/',
    'https:// example.com/',
    ' https://example.com/',
  ])('fail: %j has no host that is a name', (uri) => {
    expect(uriIn(uri)).toBeNull()
  })
})

describe('names of other forms', () => {
  it('fail: they are not read', () => {
    const name: GeneralName = { type: 'registered-id', oid: '1.2.3' }
    expect([readComparedName(name), readSubtree(name)]).toEqual([null, null])
  })

  it('ok: a name of one form is outside a subtree of another', () => {
    expect(relation({ type: 'uri', value: 'x://example.com' }, { type: 'dns', value: 'example.com' })).toBe('outside')
  })

  it('fail: a distinguished name with a value that is no text is not read', () => {
    const attribute = { oid: '2.5.4.3', valueTag: 0x02, valueDer: new Uint8Array([2, 1, 1]), text: null }
    const value = { der: new Uint8Array(), rdns: [[attribute]] }
    expect(readComparedName({ type: 'directory', value })).toBeNull()
  })
})

describe('distinguished names (RFC 5280 §7.1)', () => {
  /** Sets of pairs of type and text. */
  const name = (...rdns: readonly (readonly (readonly [string, string])[])[]): GeneralName => {
    const attributes = rdns.map((rdn) =>
      rdn.map(([oid, text]) => ({ oid, valueTag: 0x0c, valueDer: new Uint8Array(), text })),
    )
    return { type: 'directory', value: { der: new Uint8Array(), rdns: attributes } }
  }
  const acme = name([['2.5.4.10', 'Acme Works']])

  it.each(['acme works', ' ACME   Works ', '\uff21cme\u3000Works'])('ok: %j is the same name', (text) => {
    expect(relation(name([['2.5.4.10', text]], [['2.5.4.3', 'x']]), acme)).toBe('inside')
  })

  it.each(['acmeworks', 'Acme', 'Acme Works 2', ''])('fail: %j is another name', (text) => {
    expect(relation(name([['2.5.4.10', text]]), acme)).toBe('outside')
  })

  it('fail: another type of attribute is another name', () => {
    expect(relation(name([['2.5.4.11', 'Acme Works']]), acme)).toBe('outside')
  })

  it('ok: a set has no order', () => {
    const [one, two] = [['2.5.4.10', 'a'] as const, ['2.5.4.11', 'b'] as const]
    expect(relation(name([one, two]), name([two, one]))).toBe('inside')
    expect(relation(name([one], [two]), name([one, two]))).toBe('outside')
  })

  it('fail: text that looks like two attributes is one', () => {
    const both = name([
      ['2.5.4.10', 'a'],
      ['2.5.4.11', 'b'],
    ])
    expect(relation(name([['2.5.4.10', 'a"],["2.5.4.11","b']]), both)).toBe('outside')
  })
})
