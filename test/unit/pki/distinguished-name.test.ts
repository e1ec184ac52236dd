import { describe, expect, it } from 'vitest'
import { type Bytes, toHex } from '../../../src/core/bytes.ts'
import { DerReader } from '../../../src/pki/der/reader.ts'
import { derInteger, derOid, derSequence, derSetOf, derUtf8String } from '../../../src/pki/der/writer.ts'
import { buildName, formatName, type SubjectFields } from '../../../src/pki/distinguished-name.ts'
import { commonNameOf, readName } from '../../../src/pki/general-name.ts'

const built = (fields: SubjectFields): Bytes => {
  const name = buildName(fields)
  if (!name.ok) throw new Error(`${name.error.field}: ${name.error.message}`)
  return name.value
}

describe('distinguished names', () => {
  it('ok: one attribute per set, country first, common name last', () => {
    const der = built({ commonName: 'Root R1', organization: 'Zürcher Käse', country: 'CH', locality: 'Zürich' })
    const name = readName(DerReader.over(der))
    expect(name.rdns.map((rdn) => rdn.map(({ oid, text }) => [oid, text]))).toEqual([
      [['2.5.4.6', 'CH']],
      [['2.5.4.7', 'Zürich']],
      [['2.5.4.10', 'Zürcher Käse']],
      [['2.5.4.3', 'Root R1']],
    ])
    expect(name.rdns.map(([attribute]) => attribute?.valueTag)).toEqual([0x13, 0x0c, 0x0c, 0x13])
    expect(name.der).toEqual(der)
    expect(commonNameOf(name)).toBe('Root R1')
    expect(formatName(name)).toBe('CN=Root R1,O=Zürcher Käse,L=Zürich,C=CH')
  })

  it('ok: no field gives the empty name', () => {
    expect(toHex(built({}))).toBe('3000')
    expect(commonNameOf(readName(DerReader.over(built({}))))).toBeNull()
  })

  it('ok: characters are counted, not bytes', () => {
    expect(buildName({ commonName: 'ü'.repeat(64) }).ok).toBe(true)
    expect(buildName({ commonName: '😀'.repeat(64) }).ok).toBe(true)
  })

  it.each<[keyof SubjectFields, string]>([
    ['commonName', 'a'.repeat(65)],
    ['organization', 'a'.repeat(65)],
    ['organizationalUnit', 'a'.repeat(65)],
    ['province', 'a'.repeat(129)],
    ['locality', 'a'.repeat(129)],
    ['country', 'ch'],
    ['country', 'CHE'],
    ['country', 'C1'],
    ['commonName', ''],
    ['commonName', ' a'],
    ['commonName', 'a\0b'],
    ['commonName', 'a\nb'],
    ['commonName', '\ud83d'],
  ])('fail: %s %j', (field, text) => {
    expect(buildName({ [field]: text })).toMatchObject({ ok: false, error: { field } })
  })

  it('ok: text is escaped, and what is no text is hex (RFC 4514 §2.4)', () => {
    const attribute = (oid: string, value: Bytes) => derSequence(derOid(oid), value)
    const der = derSequence(
      derSetOf(attribute('2.5.4.10', derUtf8String('#a, "b" + c\n'))),
      derSetOf(attribute('2.5.4.3', derUtf8String('x ')), attribute('1.2.3', derInteger(5))),
    )
    expect(formatName(readName(DerReader.over(der)))).toBe('1.2.3=#020105+CN=x\\ ,O=\\#a\\, \\"b\\" \\+ c\\0a')
  })
})
