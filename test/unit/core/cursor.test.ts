import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCursor, encodeCursor, toListPage } from '../../../src/core/cursor.ts'

const show = (n: number) => n * 10

describe('cursors', () => {
  it('ok: every key comes back', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme' }), (key) => {
        expect(decodeCursor(encodeCursor(key))).toBe(key)
      }),
    )
  })

  it.each(['', 'a', '!', 'YQ==', 'YR', '_w', 'x'.repeat(1_025)])('fail: %.20s is no cursor of ours', (text) => {
    expect(decodeCursor(text)).toBeNull()
  })

  it('ok: a page shows what was wanted and says whether there is more', () => {
    expect(toListPage([1, 2, 3], 2, String, show)).toEqual({
      data: [10, 20],
      cursor: encodeCursor('2'),
      has_more: true,
    })
    expect(toListPage([1, 2], 2, String, show)).toEqual({ data: [10, 20], cursor: null, has_more: false })
    expect(toListPage([], 2, String, show)).toEqual({ data: [], cursor: null, has_more: false })
  })
})
