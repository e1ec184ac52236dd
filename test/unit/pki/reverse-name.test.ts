import { describe, expect, it } from 'vitest'
import { parseIpAddress, reverseName } from '../../../src/pki/ip-address.ts'

describe('reverseName', () => {
  it('ok: of both kinds of addresses', () => {
    expect(reverseName(parseIpAddress('192.0.2.10') ?? new Uint8Array())).toBe('10.2.0.192.in-addr.arpa')
    expect(reverseName(parseIpAddress('2001:db8::1') ?? new Uint8Array())).toBe(
      '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    )
  })
})
