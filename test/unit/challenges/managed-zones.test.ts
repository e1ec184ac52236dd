import { describe, expect, it } from 'vitest'
import { parseManagedZone } from '../../../src/challenges/managed-zone.ts'

describe('managed zones', () => {
  it.each([
    ['example.org', 'example.org'],
    ['Example.ORG.', 'example.org'],
    ['*.example.org', '*.example.org'],
    ['_acme-challenge.example.org', '_acme-challenge.example.org'],
    ['_ACME-Challenge.Example.org.', '_acme-challenge.example.org'],
    ['*._acme-challenge.example.org', '*._acme-challenge.example.org'],
    ['a._x.my_zone.example.org', 'a._x.my_zone.example.org'],
    ['_acme-challenge.b\u00fccher.example', '_acme-challenge.xn--bcher-kva.example'],
  ])('ok: %s', (text, zone) => {
    expect(parseManagedZone(text)).toEqual({ ok: true, value: zone })
  })

  it.each([
    '',
    '.',
    '_acme-challenge..example.org',
    '_-.example.org',
    '-_.example.org',
    '_acme challenge.example.org',
    '_acme/challenge.example.org',
    '_b\u00fccher.example',
    'a.*._x.example.org',
    'example._org',
    `_${'a'.repeat(63)}.example.org`,
    `${'_aaaaaaaaa.'.repeat(25)}example.org`,
  ])('fail: %s', (text) => {
    expect(parseManagedZone(text).ok).toBe(false)
  })
})
