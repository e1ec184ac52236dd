import { describe, expect, it } from 'vitest'
import { failure } from '../../../src/dns/json-api.ts'

const told = (secrets: readonly string[], said: string): string =>
  failure({ code: 'some', secrets }, 'refused', 'list zones', said).message

describe('credentials in messages', () => {
  it('fail: one that an answer repeats is taken out', () => {
    expect(told(['key-0001', 'another-credential'], 'key-0001 and another-credential: unknown')).toBe(
      'some: list zones: (secret) and (secret): unknown',
    )
  })

  it('ok: one too short to be a credential spoils no word, and is not given away by the gaps', () => {
    const said = "an answer of another shape than the API's, at name"
    expect(told(['s', 'an', '', 'another'], said)).toBe(`some: list zones: ${said}`)
  })
})
