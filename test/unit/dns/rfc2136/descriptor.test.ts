import { describe, expect, it } from 'vitest'
import { createHttpClient } from '../../../../src/core/http-client.ts'
import { RFC2136 } from '../../../../src/dns/rfc2136/descriptor.ts'

const SETTINGS = {
  nameserver: 'ns1.example.com:53',
  tsig_key: 'certwright.',
  tsig_secret: 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I=',
}

function create(settings: Readonly<Record<string, string>>, allowPrivateTargets = false) {
  const http = createHttpClient({ fetch, allowPrivateTargets, userAgent: 'test' })
  const connect = () => {
    throw new Error('not reached')
  }
  return RFC2136.create(settings, { http, connect, now: () => 0, allowPrivateTargets })
}

describe('settings of rfc2136', () => {
  it('ok: the algorithm is optional and may be written as BIND writes it', () => {
    expect(create(SETTINGS)).toMatchObject({ ok: true })
    for (const tsig_algorithm of ['hmac-sha256', 'HMAC-SHA384', 'hmac-sha512.', '']) {
      expect(create({ ...SETTINGS, tsig_algorithm })).toMatchObject({ ok: true })
    }
  })

  it.each([
    ['nameserver', ''],
    ['nameserver', 'ns1:port'],
    ['nameserver', '127.0.0.1:53'],
    ['tsig_key', ''],
    ['tsig_key', '.'],
    ['tsig_key', 'a..b'],
    ['tsig_algorithm', 'hmac-md5'],
    ['tsig_secret', ''],
    ['tsig_secret', 'not base64!'],
    ['tsig_secret', 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I'],
  ])('fail: %s = %j is refused by its name and without its value', (setting, value) => {
    const result = create({ ...SETTINGS, [setting]: value })
    expect(result).toEqual({ ok: false, error: expect.stringMatching(`^${setting}: `) })
    expect(setting === 'tsig_secret' && value !== '' && JSON.stringify(result).includes(value)).toBe(false)
  })

  it('ok: a private server where the deployment allows it', () => {
    expect(create({ ...SETTINGS, nameserver: '127.0.0.1:53' }, true)).toMatchObject({ ok: true })
  })
})
