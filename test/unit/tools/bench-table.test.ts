import { describe, expect, it } from 'vitest'
import { formatTable, medianOf, timesMs } from '../../../bench/table.ts'

describe('tables of measured times', () => {
  it('ok: the median of odd and even counts, whatever their order', () => {
    expect(medianOf([30, 10, 20])).toBe(20)
    expect(medianOf([40, 10, 30, 20])).toBe(25)
  })

  it('fail: there is no median of nothing', () => {
    expect(() => medianOf([])).toThrow('no samples')
    expect(() => formatTable({ title: 'Empty', rows: [] })).toThrow('the table "Empty" has no rows')
  })

  it('ok: the first row is what the others are compared with', () => {
    const rows = [
      { name: 'ours', samplesMs: [100, 200, 300] },
      { name: 'theirs', samplesMs: [500] },
    ]
    expect(formatTable({ title: 'An order', rows }).split('\n')).toEqual([
      '### An order',
      '',
      '| | median | from–to | ratio |',
      '| --- | ---: | ---: | ---: |',
      '| ours | 0.20 s | 0.10–0.30 s | 1.00 |',
      '| theirs | 0.50 s | | 2.50 |',
      '',
    ])
  })

  it('ok: so many runs, one after the other', async () => {
    let running = 0
    let most = 0
    const samples = await timesMs(3, async () => {
      running += 1
      most = Math.max(most, running)
      await Promise.resolve()
      running -= 1
    })
    expect([samples.length, most]).toEqual([3, 1])
  })
})
