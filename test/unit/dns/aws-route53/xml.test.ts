import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { elementsAt, escapeXml, parseXml, textAt } from '../../../../src/dns/aws-route53/xml.ts'

describe('reading XML', () => {
  it('ok: elements, text, entities, attributes, prefixes, comments and declarations', () => {
    const source =
      '\uFEFF<?xml version="1.0" encoding="UTF-8"?>\n<!-- <a> -- >-->\n<r:root xmlns:r="urn:x" a=\'1"\'>\n' +
      '<Item>a&amp;b &lt;&gt;&quot;&apos;&#65;&#x1F600;</Item><Empty/><Item key = "v" >x</Item></r:root>'
    const root = parseXml(source)
    if (!root.ok) throw new Error(root.error)
    expect(root.value.name).toBe('root')
    expect(elementsAt(root.value, 'Item').map(({ text }) => text)).toEqual(['a&b <>"\'A😀', 'x'])
    expect(textAt(root.value, 'Empty')).toBe('')
    expect(textAt(root.value, 'Nothing', 'Item')).toBeNull()
  })

  it.each([
    ['fail: nothing at all', ''],
    ['fail: text alone', 'hello'],
    ['fail: JSON', '{"a":1}'],
    ['fail: two roots', '<a/><b/>'],
    ['fail: text beside the root', '<a/>x'],
    ['fail: an element that is not closed', '<a><b></a>'],
    ['fail: an element that ends early', '<a>'],
    ['fail: an end without a start', '</a>'],
    ['fail: a comment that is not closed', '<a><!-- </a>'],
    ['fail: a document type', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ['fail: an entity of nobody', '<a>&nbsp;</a>'],
    ['fail: an entity of Object', '<a>&constructor;</a>'],
    ['fail: a tag within an attribute', '<a b="<"/>'],
    ['fail: an attribute without a value', '<a b/>'],
    ['fail: a bare ampersand', '<a>a & b</a>'],
    ['fail: a character beyond Unicode', '<a>&#x110000;</a>'],
    ['fail: a character number zero', '<a>&#0;</a>'],
    ['fail: CDATA, which the API never sends', '<a><![CDATA[x]]></a>'],
    ['fail: a tag in the middle of the end', '<a></a'],
    ['fail: deeper than any answer', `${'<a>'.repeat(40)}${'</a>'.repeat(40)}`],
  ])('%s', (_, source) => {
    expect(parseXml(source)).toEqual({ ok: false, error: expect.any(String) })
  })

  it('ok: any text survives being escaped and read', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(parseXml(`<a>${escapeXml(text)}</a>`)).toMatchObject({ ok: true, value: { text } })
      }),
    )
  })

  it('fail: whatever else comes in is an error and not an exception', () => {
    const piece = fc.constantFrom(
      '<a>',
      '</a>',
      '<',
      '>',
      '&',
      '&#',
      '&amp;',
      ';',
      '<!--',
      '-->',
      '"',
      ' b="',
      '/>',
      'x',
    )
    const sources = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(sources, (source) => {
        expect(parseXml(source)).toHaveProperty('ok')
      }),
    )
  })
})
