import { describe, expect, it } from 'vitest'
import { mapBounded, mapBoundedResults } from '../../../src/core/map-bounded.ts'
import { err, ok } from '../../../src/core/result.ts'

describe('work with a bound', () => {
  it('ok: every item once, results in order, never more at once than the bound', async () => {
    let running = 0
    let most = 0
    const results = await mapBounded([5, 1, 4, 2, 3, 0], 3, async (item) => {
      running += 1
      most = Math.max(most, running)
      for (let i = 0; i < item; i += 1) await Promise.resolve()
      running -= 1
      return item * 10
    })
    expect(results).toEqual([50, 10, 40, 20, 30, 0])
    expect(most).toBe(3)
  })

  it('ok: nothing to do', async () => {
    expect(await mapBounded([], 3, async () => 1)).toEqual([])
  })

  it('fail: what one throws is thrown', async () => {
    const work = async (item: number) => {
      if (item === 2) throw new Error('no')
      return item
    }
    await expect(mapBounded([1, 2, 3], 2, work)).rejects.toThrow('no')
  })

  it('fail: after one has thrown no other begins, and those under way end first', async () => {
    const ended: number[] = []
    const work = async (item: number) => {
      if (item === 2) throw new Error('no')
      for (let i = 0; i < 100; i += 1) await Promise.resolve()
      ended.push(item)
    }
    await expect(mapBounded([1, 2, 3, 4], 2, work)).rejects.toThrow('no')
    expect(ended).toEqual([1])
  })
})

describe('calls that may fail, with a bound', () => {
  it('ok: the values in order', async () => {
    expect(await mapBoundedResults([3, 1, 2], 2, async (item) => ok(item * 10))).toEqual(ok([30, 10, 20]))
  })

  it('fail: the first failure is the result, and no further call begins', async () => {
    const called: number[] = []
    const answer = await mapBoundedResults([1, 2, 3, 4, 5], 2, async (item) => {
      called.push(item)
      return item === 2 ? err('no') : ok(item)
    })
    expect(answer).toEqual(err('no'))
    expect(called).toEqual([1, 2])
  })
})
