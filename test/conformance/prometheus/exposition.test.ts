/** Prometheus' own client library reads what we write. */
import { describe, expect, it } from 'vitest'
import { exposition } from '../../../src/http/exposition.ts'
import { parseExposition } from '../../support/prometheus.ts'

const valuesOf = async (samples: Parameters<typeof exposition>[0][number]['samples']) =>
  (await parseExposition(exposition([{ name: 'a_gauge', help: 'A help.', samples }])))[0]?.samples

describe('the text format', () => {
  it('ok: several metrics, with their help and type, also one without samples', async () => {
    const text = exposition([
      { name: 'certwright_one', help: 'The first.', samples: [{ value: 1 }, { labels: { a: 'x', b: 'y' }, value: 2 }] },
      { name: 'certwright_none', help: 'Nothing is known.', samples: [] },
      { name: 'certwright_two', help: 'The second.', samples: [{ value: 3 }] },
    ])
    expect(await parseExposition(text)).toEqual([
      {
        name: 'certwright_one',
        type: 'gauge',
        help: 'The first.',
        samples: [
          { name: 'certwright_one', labels: {}, value: '1.0' },
          { name: 'certwright_one', labels: { a: 'x', b: 'y' }, value: '2.0' },
        ],
      },
      { name: 'certwright_none', type: 'gauge', help: 'Nothing is known.', samples: [] },
      {
        name: 'certwright_two',
        type: 'gauge',
        help: 'The second.',
        samples: [{ name: 'certwright_two', labels: {}, value: '3.0' }],
      },
    ])
  })

  it.each([
    ['a quote', 'a"b'],
    ['a backslash', 'a\\b'],
    ['a backslash at the end', 'a\\'],
    ['a backslash before an n', 'a\\nb'],
    ['a line feed', 'a\nb'],
    ['what would end the line and begin another', '"} 1\ncertwright_forged 1'],
    ['braces, commas and an equals sign', '{a="b",c="d"}'],
    ['letters of another script', 'прокси-中-é'],
    ['nothing', ''],
    ['a hash', '# TYPE x counter'],
  ])('ok: a label with %s', async (_what, label) => {
    expect(await valuesOf([{ labels: { label }, value: 1 }])).toEqual([
      { name: 'a_gauge', labels: { label }, value: '1.0' },
    ])
  })

  it.each([
    [0, '0.0'],
    [-1.5, '-1.5'],
    [1e21, '1e+21'],
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NEGATIVE_INFINITY, '-inf'],
    [Number.NaN, 'nan'],
  ])('ok: the value %s', async (value, read) => {
    expect((await valuesOf([{ value }]))?.map((sample) => sample.value)).toEqual([read])
  })

  it('ok: a help with a line feed and a backslash', async () => {
    const [family] = await parseExposition(
      exposition([{ name: 'a', help: 'one\ntwo\\three', samples: [{ value: 1 }] }]),
    )
    expect(family?.help).toBe('one\ntwo\\three')
  })

  it.each(['', '1a', 'a-b', 'a b', 'a"'])('fail: %j is no name of a metric, nor of a label', (name) => {
    expect(() => exposition([{ name, help: 'x', samples: [] }])).toThrow('is no name of a metric')
    expect(() => exposition([{ name: 'a', help: 'x', samples: [{ labels: { [name]: 'x' }, value: 1 }] }])).toThrow(
      'is no name of a label',
    )
  })
})
