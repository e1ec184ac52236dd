import { describe, expect, it } from 'vitest'
import { checkTarget } from '../../../src/core/http-client.ts'
import { checkTargetHost, normaliseHost } from '../../../src/core/targets.ts'
import { parseServer } from '../../../src/dns/host-port.ts'

/** Hosts that lead nowhere public, in every form in which a URL or a resolver takes them. */
const REFUSED: readonly string[] = [
  // Loopback and "this host", decimal, hexadecimal, octal, short, with a dot behind (WHATWG URL, IPv4 parser).
  '127.0.0.1',
  '127.255.255.254',
  '2130706433',
  '0x7f000001',
  '0X7F.0.0.1',
  '0x7f.1',
  '0177.0.0.1',
  '017700000001',
  '127.1',
  '127.0.1',
  '127.0.0.1.',
  '0',
  '0.',
  '0x0',
  '0x',
  '00',
  '0.0.0.0',
  '4294967295',
  // Full-width digits and dots, and what IDNA takes away.
  '１２７.0.0.1',
  '127。0。0。1',
  'local\u00adhost',
  'LOCALHOST',
  'ⓛocalhost',
  // Special-purpose ranges of IPv4 (RFC 6890 §2.2.2 and the registry).
  '10.0.0.1',
  '10.255.255.255',
  '0xa.1',
  '100.64.0.1',
  '100.127.255.255',
  '169.254.169.254',
  '0xa9fea9fe',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.8',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  // Names that are none, or not public.
  'localhost',
  'localhost.',
  'db.localhost',
  'printer.local',
  'ns.corp.internal',
  'router.home.arpa',
  'foo.test',
  'foo.invalid',
  'FOO.onion.',
  '1.0.0.10.in-addr.arpa',
  '1.0.ip6.arpa',
  'intranet',
  'ns1',
  'com.',
  'a..b',
  'a.example..',
  '.',
  // A last label that is a number makes an IPv4 address of it, or nothing.
  'ns1.1',
  'example.0x7f',
  '1.2.3.4.5',
  '256.256.256.256',
]

const REFUSED_V6: readonly string[] = [
  '::',
  '::1',
  '0:0:0:0:0:0:0:1',
  '::127.0.0.1',
  '::8.8.8.8',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::ffff:0:127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b::808:808',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:2::1',
  '2001:10::1',
  '2001:20::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2002:808:808::1',
  '3fff::1',
  '4000::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fec0::1',
  'ff02::1',
]

const PUBLIC: readonly (readonly [string, string])[] = [
  ['ns1.example.com', 'ns1.example.com'],
  ['NS1.Example.COM.', 'ns1.example.com.'],
  ['ns1.müller.example', 'ns1.xn--mller-kva.example'],
  ['8.8.8.8', '8.8.8.8'],
  ['0x08080808', '8.8.8.8'],
  ['100.63.255.255', '100.63.255.255'],
  ['100.128.0.1', '100.128.0.1'],
  ['172.15.0.1', '172.15.0.1'],
  ['172.32.0.1', '172.32.0.1'],
  ['192.0.1.1', '192.0.1.1'],
  ['198.17.255.255', '198.17.255.255'],
  ['223.255.255.255', '223.255.255.255'],
  ['1e100.net', '1e100.net'],
  ['internal.example.com', 'internal.example.com'],
  ['notlocalhost.example', 'notlocalhost.example'],
]

describe('hosts that requests may go to', () => {
  it.each(REFUSED)('fail: %j, in a URL, as host:port, and with a port of its own', (host) => {
    for (const url of [`https://${host}/dir`, `https://${host}:8443/`]) {
      expect([url, checkTarget(url, false).ok]).toEqual([url, false])
    }
    for (const text of [host, `${host}:53`, `${host}:8053`]) {
      expect([text, parseServer(text, false).ok]).toEqual([text, false])
    }
    expect(checkTargetHost(host, false).ok).toBe(false)
  })

  it.each(REFUSED_V6)('fail: [%s], in a URL and as host:port', (address) => {
    expect(checkTarget(`https://[${address}]/dir`, false).ok).toBe(false)
    for (const text of [address, `[${address}]`, `[${address}]:53`]) {
      expect([text, parseServer(text, false).ok]).toEqual([text, false])
    }
  })

  it.each(PUBLIC)('ok: %s, as %s', (host, hostname) => {
    expect(checkTarget(`https://${host}/dir`, false)).toMatchObject({ ok: true })
    expect(parseServer(`${host}:53`, false)).toEqual({ ok: true, value: { hostname, port: 53 } })
    expect(normaliseHost(host)).toBe(hostname)
  })

  it.each(['2606:4700::1111', '2001:4860:4860::8888', '2a00:1450:4001::1'])('ok: [%s]', (address) => {
    expect(checkTarget(`https://[${address}]/dir`, false)).toMatchObject({ ok: true })
    expect(parseServer(`[${address}]:53`, false)).toMatchObject({ ok: true })
  })

  it.each(['localhost', '127.0.0.1', '::1', 'bind', '0x7f000001', 'ns.corp.internal', '10.0.0.1'])(
    'ok: %s where private targets are allowed, whatever has no public address',
    (host) => {
      expect(parseServer(host, true)).toMatchObject({ ok: true })
      expect(checkTarget(`http://${host.includes(':') ? `[${host}]` : host}:8080/`, true)).toMatchObject({ ok: true })
    },
  )

  it.each(['ns1.1', '1.2.3.4.5', 'a/b', 'a?b', 'a#b', 'user@host', 'a%2eb', '[fe80::1%25eth0]:53'])(
    'fail: %s is no host:port, even where private targets are allowed',
    (text) => {
      expect(parseServer(text, true).ok).toBe(false)
    },
  )

  it('fail: no refusal quotes what it refuses', () => {
    const said: string[] = []
    for (const text of [
      'MARKED',
      'MARKED.local',
      'https://MARKED@x.example/',
      'MARKED://host.example/',
      'https://[MARKED]/',
      'http://MARKED.example/',
      'https://MARKED/',
      'https://MARKED.internal/',
    ]) {
      for (const result of [checkTarget(text, false), parseServer(text, false), checkTargetHost(text, false)]) {
        expect(result.ok).toBe(false)
        said.push(JSON.stringify(result))
      }
    }
    expect(said.join().toUpperCase()).not.toContain('MARKED')
  })
})
