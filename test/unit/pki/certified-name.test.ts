/** Subjects from elsewhere, and what goes out of them. */
import { describe, expect, it } from 'vitest'
import { type Bytes, toHex, utf8 } from '../../../src/core/bytes.ts'
import { certifiedName } from '../../../src/pki/certified-name.ts'
import { DerReader } from '../../../src/pki/der/reader.ts'
import { TAG } from '../../../src/pki/der/tags.ts'
import { derOctetString, derOid, derSequence, derSetOf, derUtf8String, derValue } from '../../../src/pki/der/writer.ts'
import { formatName } from '../../../src/pki/distinguished-name.ts'
import { type DistinguishedName, readName } from '../../../src/pki/general-name.ts'
import { ATTRIBUTE } from '../../../src/pki/oids.ts'

const O = ATTRIBUTE.organization
const text = (tag: number, value: string): Bytes => derValue(tag, utf8(value))
const wide = (value: string, octets: 2 | 4): Bytes =>
  Uint8Array.from([...value].flatMap((c) => [...new Array<number>(octets - 1).fill(0), c.charCodeAt(0)]))
const attribute = (oid: string, value: Bytes): Bytes => derSequence(derOid(oid), value)
const nameOf = (...rdns: readonly Bytes[]): DistinguishedName => readName(DerReader.over(derSequence(...rdns)))
const one = (oid: string, value: Bytes): DistinguishedName => nameOf(derSetOf(attribute(oid, value)))
const read = (der: Bytes): DistinguishedName => readName(DerReader.over(der))

/** Tag and text of the only attribute that goes out. */
function sent(name: DistinguishedName): [number | undefined, string | null | undefined] {
  const built = certifiedName(name)
  if (!built.ok) throw new Error(built.error)
  const [attributeSent] = read(built.value).rdns.flat()
  return [attributeSent?.valueTag, attributeSent?.text]
}

describe('the subject of a certificate that somebody asked for', () => {
  it.each([
    ['PrintableString that fits', O, text(TAG.printableString, 'Example'), TAG.printableString, 'Example'],
    ['PrintableString with @', O, text(TAG.printableString, 'a@b'), TAG.utf8String, 'a@b'],
    ['PrintableString with _', O, text(TAG.printableString, 'a_b'), TAG.utf8String, 'a_b'],
    ['UTF8String of plain letters', O, text(TAG.utf8String, 'Example'), TAG.printableString, 'Example'],
    ['VisibleString', O, text(TAG.visibleString, 'R&D'), TAG.utf8String, 'R&D'],
    ['UniversalString', O, derValue(TAG.universalString, wide('Käse', 4)), TAG.utf8String, 'Käse'],
    ['BMPString', O, derValue(TAG.bmpString, wide('Käse', 2)), TAG.utf8String, 'Käse'],
    [
      'TeletexString',
      O,
      derValue(
        TAG.teletexString,
        wide('Käse', 2).filter((_, i) => i % 2 === 1),
      ),
      TAG.utf8String,
      'Käse',
    ],
    ['a country in UTF8String', ATTRIBUTE.country, text(TAG.utf8String, 'CH'), TAG.printableString, 'CH'],
    [
      'a domain component in UTF8String',
      ATTRIBUTE.domainComponent,
      text(TAG.utf8String, 'example'),
      TAG.ia5String,
      'example',
    ],
    [
      'a mailbox in UTF8String',
      ATTRIBUTE.emailAddress,
      text(TAG.utf8String, 'a@example.com'),
      TAG.ia5String,
      'a@example.com',
    ],
    ['an unknown attribute', '2.5.4.97', text(TAG.visibleString, 'VATDE-1_2'), TAG.utf8String, 'VATDE-1_2'],
    [
      'an unknown attribute in IA5String',
      '1.2.840.113549.1.9.2',
      text(TAG.ia5String, 'host_1'),
      TAG.ia5String,
      'host_1',
    ],
  ])('ok: %s', (_, oid, value, tag, expected) => {
    expect(sent(one(oid, value))).toEqual([tag, expected])
  })

  it('ok: sets are sorted as DER has them, and their order among each other stays', () => {
    const [a, b] = [
      attribute(ATTRIBUTE.organizationalUnit, derUtf8String('b')),
      attribute(ATTRIBUTE.commonName, derUtf8String('a')),
    ]
    const unsorted = nameOf(derSetOf(attribute(O, derUtf8String('Z'))), derValue(TAG.set, a, b))
    const built = certifiedName(unsorted)
    expect(built.ok && formatName(read(built.value))).toBe('CN=a+OU=b,O=Z')
    expect(built.ok && toHex(built.value)).not.toBe(toHex(unsorted.der))
    // Once more, it is what it was.
    expect(built.ok && certifiedName(read(built.value))).toEqual(built)
  })
  it('ok: the common name in the form in which it is certified', () => {
    const built = certifiedName(one(ATTRIBUTE.commonName, derUtf8String('WWW.Example.com')), 'www.example.com')
    expect(built.ok && formatName(read(built.value))).toBe('CN=www.example.com')
  })
  it('ok: the empty name', () => {
    expect(certifiedName(nameOf())).toEqual({ ok: true, value: derSequence() })
  })

  it.each([
    ['OCTET STRING', O, derOctetString(utf8('a')), 'organization of the subject is not text'],
    ['a sequence', O, derSequence(), 'organization of the subject is not text'],
    ['a control character', O, derUtf8String('a\u0007'), 'organization of the subject holds a control character'],
    ['NUL', ATTRIBUTE.commonName, derUtf8String('a\u0000b'), 'commonName of the subject holds a control character'],
    ['a change of direction', O, derUtf8String('a\u202eb'), 'holds a control character'],
    ['a noncharacter', O, derUtf8String('a\ufffeb'), 'holds a control character'],
    ['nothing', O, derUtf8String(''), 'is empty'],
    ['a space in front', O, derUtf8String(' a'), 'starts or ends with a space'],
    ['65 characters', O, derUtf8String('a'.repeat(65)), 'longer than 64'],
    ['129 characters', ATTRIBUTE.locality, derUtf8String('a'.repeat(129)), 'longer than 128'],
    ['a country by its name', ATTRIBUTE.country, derUtf8String('Chile'), 'two capital letters'],
    ['a serial number with _', ATTRIBUTE.serialNumber, derUtf8String('a_b'), 'PrintableString'],
    ['a domain component that is not ASCII', ATTRIBUTE.domainComponent, derUtf8String('bücher'), 'not ASCII'],
    ['no mailbox', ATTRIBUTE.emailAddress, text(TAG.ia5String, 'a b@c'), 'not an e-mail address'],
    ['an unknown attribute that is too long', '2.5.4.97', derUtf8String('a'.repeat(257)), 'longer than 256'],
    ['bytes that are no UTF-8', O, derValue(TAG.utf8String, new Uint8Array([0xff])), 'is not text'],
  ])('fail: %s', (_, oid, value, message) => {
    expect(certifiedName(one(oid, value))).toEqual({ ok: false, error: expect.stringContaining(message) })
  })
  it('fail: one attribute twice in one set', () => {
    const twice = nameOf(derSetOf(attribute(O, derUtf8String('a')), attribute(O, derUtf8String('b'))))
    expect(certifiedName(twice)).toMatchObject({ ok: false, error: expect.stringContaining('twice') })
  })
  it('fail: hundreds of attributes', () => {
    const many = nameOf(...Array.from({ length: 51 }, (_, i) => derSetOf(attribute(O, derUtf8String(`a${i}`)))))
    expect(certifiedName(many)).toMatchObject({ ok: false, error: expect.stringContaining('more than 50') })
  })
})
