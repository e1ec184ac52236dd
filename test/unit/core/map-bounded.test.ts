import { describe, expect, it } from 'vitest'
import { mapBounded } from '../../../src/core/map-bounded.ts'

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
})
