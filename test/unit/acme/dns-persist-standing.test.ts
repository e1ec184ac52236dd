import { describe, expect, it } from 'vitest'
import { isStanding } from '../../../src/acme/dns-persist.ts'

const NOW = Date.parse('2026-11-20T12:00:00Z')
const OURS = 'ca.example; accounturi=https://ca.example/acct/1'
const until = (ms: number): string => `${OURS}; persistUntil=${Math.floor(ms / 1000)}`

describe('isStanding', () => {
  const GOOD: readonly [string, string][] = [
    ['the same', OURS],
    ['spaces and case of the issuer aside', ' CA.example ;accounturi=https://ca.example/acct/1 '],
    ['one for wildcards too', `${OURS}; policy=wildcard`],
    ['one that ends later', until(NOW + 86_400_000)],
  ]
  for (const [what, value] of GOOD) {
    it(`ok: ${what}`, () => expect(isStanding(OURS, ['v=spf1 -all', value], NOW)).toBe(true))
  }

  const BAD: readonly [string, string][] = [
    ['of another account', 'ca.example; accounturi=https://ca.example/acct/2'],
    ['of another CA', 'other.example; accounturi=https://ca.example/acct/1'],
    ['that has ended', until(NOW - 1)],
    ['that ends within the hour', until(NOW + 1_800_000)],
    ['that says two things', `${OURS}; accounturi=https://ca.example/acct/1`],
  ]
  for (const [what, value] of BAD) {
    it(`fail: a record ${what}`, () => expect(isStanding(OURS, [value], NOW)).toBe(false))
  }

  it('fail: a record without wildcards, for a wildcard', () => {
    expect(isStanding(`${OURS}; policy=wildcard`, [OURS], NOW)).toBe(false)
    expect(isStanding(OURS, [], NOW)).toBe(false)
  })
})
