import { describe, expect, it } from 'vitest'
import { formatHostPort, parseHostPort, parseServer } from '../../../src/dns/host-port.ts'

describe('host:port', () => {
  it.each([
    ['ns1.Example.com', 'ns1.example.com', 53, 'ns1.example.com:53'],
    ['192.0.2.53:5353', '192.0.2.53', 5353, '192.0.2.53:5353'],
    [' [2001:DB8::53]:5353 ', '2001:db8::53', 5353, '[2001:db8::53]:5353'],
    ['[2001:db8::53]', '2001:db8::53', 53, '[2001:db8::53]:53'],
    ['2001:db8::53', '2001:db8::53', 53, '[2001:db8::53]:53'],
  ])('ok: %j', (text, hostname, port, formatted) => {
    expect(parseHostPort(text)).toEqual({ ok: true, value: { hostname, port } })
    expect(formatHostPort({ hostname, port })).toBe(formatted)
  })

  it.each([
    '',
    ':53',
    'ns1:0',
    'ns1:65536',
    'ns1:',
    'ns1:53:53',
    '[ns1]:53',
    '[2001:db8::53',
    'a b',
    'https://ns1',
    'ns1/',
  ])('fail: %j', (text) => {
    expect(parseHostPort(text)).toMatchObject({ ok: false, error: expect.any(String) })
  })

  it('fail: private and loopback servers, unless they are allowed', () => {
    for (const text of ['127.0.0.1', '[::1]:53', '10.0.0.53:53', 'localhost:53', 'ns.corp.internal']) {
      expect(parseServer(text, false)).toMatchObject({ ok: false, error: expect.stringContaining('private') })
      expect(parseServer(text, true)).toMatchObject({ ok: true })
    }
    expect(parseServer('198.41.0.4', false)).toMatchObject({ ok: true })
  })
})
