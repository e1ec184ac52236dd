import { describe, expect, it } from 'vitest'
import { Repeats } from '../../../src/store/repeats.ts'

describe('repeats', () => {
  it('ok: the first is let through, the others are counted until the window is over', () => {
    const repeats = new Repeats(100)
    expect([repeats.admit('a', 1, 0), repeats.admit('a', 3, 50), repeats.admit('a', 1, 99)]).toEqual([1, null, null])
    expect([repeats.admit('a', 2, 100), repeats.admit('a', 1, 150), repeats.admit('a', 1, 300)]).toEqual([6, null, 2])
  })

  it('ok: keys are counted by themselves', () => {
    const repeats = new Repeats(100)
    expect([repeats.admit('a', 1, 0), repeats.admit('b', 1, 0), repeats.admit('a', 1, 1)]).toEqual([1, 1, null])
  })

  it('ok: of very many keys the oldest is forgotten, the newest is not', () => {
    const repeats = new Repeats(1_000_000)
    for (let key = 0; key <= 5_000; key += 1) expect(repeats.admit(String(key), 1, key)).toBe(1)
    expect([repeats.admit('5000', 1, 5_001), repeats.admit('0', 1, 5_001)]).toEqual([null, 1])
  })

  it('ok: what is taken back is let through again, with all that has happened meanwhile', () => {
    const repeats = new Repeats(100)
    repeats.admit('a', 3, 0)
    repeats.admit('a', 2, 10)
    repeats.takeBack('a', 3)
    expect([repeats.admit('a', 1, 20), repeats.admit('a', 1, 30)]).toEqual([6, null])
  })

  it('ok: what is taken back may have been forgotten, and very many of them are bounded too', () => {
    const repeats = new Repeats(100)
    for (let key = 0; key <= 5_000; key += 1) repeats.takeBack(String(key), 2)
    expect([repeats.admit('0', 1, 0), repeats.admit('5000', 1, 0)]).toEqual([1, 3])
  })
})
