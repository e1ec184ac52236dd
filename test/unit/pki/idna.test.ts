/** Internationalized names as they are certified: IDNA2008, which has fewer characters than what browsers take. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCertifiedDnsName, parseDnsName } from '../../../src/pki/dns-name.ts'
import { idnaProblem } from '../../../src/pki/idna.ts'

describe('parseCertifiedDnsName', () => {
  it.each([
    ['bücher.example', 'xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['BÜCHER.example', 'xn--bcher-kva.example'],
    ['straße.example', 'xn--strae-oqa.example'],
    ['xn--nxasmq6b.example', 'xn--nxasmq6b.example'],
    ['例え.テスト', 'xn--r8jz45g.xn--zckzah'],
    ['правда.рф', 'xn--80aafi6cg.xn--p1ai'],
    ['मिठाई.भारत', 'xn--o1b1cybxdd.xn--h2brj9c'],
    ['한국.example', 'xn--3e0b707e.example'],
    ['l·l.example', 'xn--ll-0ea.example'],
    ['אבג.example', 'xn--4dbcd.example'],
    ['*.bücher.example', '*.xn--bcher-kva.example'],
    ['ab.ソ・フ.example', 'ab.xn--3ck5b2f.example'],
  ])('ok: %s', (text, name) => {
    expect(parseCertifiedDnsName(text)).toMatchObject({ ok: true, value: { name } })
  })

  it.each([
    ['a snowman', '☃.example', 'U+2603'],
    ['a snowman as A-label', 'xn--n3h.example', 'U+2603'],
    ['an emoji', '😀.example', 'U+1F600'],
    ['an emoji beside letters', 'i❤.ws', 'U+2764'],
    ['an emoji as A-label, below a wildcard', '*.xn--e28h.example', 'U+1F600'],
    ['a middle dot beside other letters', 'a·b.example', 'U+00B7'],
    ['a Katakana dot alone', 'a・b.example', 'U+30FB'],
    ['a geresh without Hebrew', 'a׳b.example', ''],
    ['a keraia without Greek', 'a͵b.example', 'U+0375'],
    ['Arabic tatweel', 'مـم.example', 'U+0640'],
    ['old jamo', 'xn--ypd.example', ''],
    ['a musical symbol', '𝄞.example', 'U+1D11E'],
    ['a currency sign', '€.example', 'U+20AC'],
  ])('fail: %s', (_, text, sign) => {
    const parsed = parseCertifiedDnsName(text)
    expect(parsed).toEqual({ ok: false, error: expect.stringContaining(sign) })
  })

  it.each(['xn--a.example', 'xn--.example', 'xn--abc-.example', 'xn--99999999.example'])(
    'fail: %s is the A-label of nothing',
    (text) => {
      expect(parseCertifiedDnsName(text)).toMatchObject({ ok: false })
      expect(idnaProblem(text.toLowerCase())).toEqual(expect.any(String))
    },
  )

  it('ok: names that are read and not certified may have symbols', () => {
    expect(parseDnsName('☃.example')).toMatchObject({ ok: true, value: { name: 'xn--n3h.example' } })
  })

  it('ok: whatever is taken, its A-label is taken too and stays what it is', () => {
    const letter = fc.constantFrom(...'abz09-éßåλςωяњ例え가א١۱ßñ')
    fc.assert(
      fc.property(fc.array(letter, { minLength: 1, maxLength: 12 }), (letters) => {
        const parsed = parseCertifiedDnsName(`${letters.join('')}.example`)
        fc.pre(parsed.ok)
        const name = parsed.ok ? parsed.value.name : ''
        expect(parseCertifiedDnsName(name)).toMatchObject({ ok: true, value: { name } })
      }),
      { numRuns: 1_000, maxSkipsPerRun: 100 },
    )
  })
})
