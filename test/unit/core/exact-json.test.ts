import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findJsonFlaw } from '../../../src/core/exact-json.ts'

describe('JSON that says what it is read as', () => {
  it('ok: whatever JSON.stringify writes has no flaw', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        expect(findJsonFlaw(JSON.stringify(value, null, indent))).toBeNull()
      }),
    )
  })

  it.each([
    '0',
    '-0',
    '-0.0e9',
    '1.10',
    '1E+2',
    '100e-2',
    '9007199254740992',
    '1e22',
    '123456789012345680000',
    '1.7976931348623157e308',
    '5e-324',
    '0.000000000000000000000001',
  ])('ok: %s stays what it is', (number) => {
    expect(findJsonFlaw(`{"a": ${number}}`)).toBeNull()
  })

  it.each([
    '9007199254740993',
    '-9007199254740993',
    '12345678901234567890',
    '3.14159265358979323846',
    '0.1000000000000000055511151231257827',
    '1e400',
    '1e-400',
    '1'.repeat(401),
  ])('fail: %.40s is read as another number', (number) => {
    expect(findJsonFlaw(`{"a": [0, {"b": ${number} }]}`)).toEqual({ path: 'a[1].b', kind: 'inexact' })
  })

  it.each([
    ['{"a":1,"a":1}', 'a'],
    ['{"b":{"a":1},"c":[{},{"a":{},"x":[1,2],"a":null}]}', 'c[1].a'],
    ['{"\\u0061":1,"a":2}', 'a'],
    ['{"q\\"":1,"x":"}{\\\\","q\\"":2}', 'q"'],
    ['{"":1,"":2}', ''],
    ['[[],{"__proto__":1,"__proto__":2}]', '[1].__proto__'],
    [`{"${'n'.repeat(500)}":1,"${'n'.repeat(500)}":2}`, 'n'.repeat(100)],
  ])('fail: a name stands twice in %.60s', (text, path) => {
    expect(findJsonFlaw(text)).toEqual({ path, kind: 'twice' })
  })

  it.each(['{"a":{"a":{"a":1}},"b":["a","a"],"c":"a"}', '[{"a":1},{"a":1}]', '{"a":"\\"a\\":1,","A":1}'])(
    'ok: %s has no name twice',
    (text) => {
      expect(findJsonFlaw(text)).toBeNull()
    },
  )
})
