import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HELP, parseArguments, UsageError } from '../../../src/agent/arguments.ts'
import { makeTempFolder } from '../../support/temp-folder.ts'

const ENVIRONMENT = { CERTWRIGHT_TOKEN: 'cw_token', CERTWRIGHT_URL: 'https://certwright.example/' }
const parse = (...args: readonly string[]) => parseArguments(args, ENVIRONMENT)

describe('parseArguments', () => {
  it('ok: what each command needs, and its defaults', () => {
    expect(parse('fetch', '--certificate', 'cert_1', '--out', '/tls')).toMatchObject({
      name: 'fetch',
      certificateId: 'cert_1',
      out: '/tls',
      reload: null,
      reloadTimeoutSeconds: 300,
    })
    expect(parse('watch', '--certificate', 'cert_1', '--out', '/tls')).toMatchObject({ intervalSeconds: 3600 })
    expect(parse('issue', '--account', 'acme_1', '--domain', 'a.example', '--domain', 'b.example')).toMatchObject({
      domains: ['a.example', 'b.example'],
      challengeType: 'dns-01',
      installation: null,
    })
    expect(parse('respond', '--tls-port', '0', '--domain', 'A.example')).toMatchObject({
      httpPort: 80,
      tlsPort: null,
      domains: ['a.example'],
      intervalSeconds: 2,
    })
  })

  it('ok: help, with each command in it', () => {
    expect(parse('--help')).toEqual({ name: 'help' })
    expect(parse()).toEqual({ name: 'help' })
    for (const command of ['fetch', 'watch', 'issue', 'respond']) expect(HELP).toContain(`certwright ${command}`)
  })

  it('ok: the token from a file', () => {
    const folder = makeTempFolder('agent')
    const file = join(folder.path, 'token')
    writeFileSync(file, 'cw_from-a-file\n')
    expect(parseArguments(['respond', '--token-file', file], {})).toMatchObject({ name: 'respond' })
    folder.remove()
  })

  const WRONG: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an unknown command', ['install'], /no command/],
    ['an unknown option', ['fetch', '--certficate', 'x'], /certficate/],
    ['an option of another command', ['fetch', '--certificate', 'x', '--out', 'y', '--http-port', '1'], /http-port/],
    ['one argument too many', ['fetch', 'x'], /too many/],
    ['no certificate', ['fetch', '--out', 'x'], /--certificate is missing/],
    ['nowhere to put it', ['fetch', '--certificate', 'x'], /--out is missing/],
    ['no name', ['issue', '--account', 'x'], /--domain is missing/],
    ['an interval that is none', ['respond', '--interval', 'soon'], /--interval/],
    ['an interval that no timer holds', ['respond', '--interval', '30d'], /--interval is at most 20d/],
    [
      'a reload time that is none',
      ['fetch', '--certificate', 'x', '--out', 'y', '--reload-timeout', '0'],
      /--reload-timeout/,
    ],
    ['a port that is none', ['respond', '--http-port', '70000'], /--http-port/],
    ['a server that is no address', ['respond', '--server', 'here'], /--server/],
    ['a token over plain http', ['respond', '--server', 'http://certwright.example'], /https/],
    ['a host that only begins like this machine', ['respond', '--server', 'http://127.0.0.1.example'], /https/],
    ['a server with a password', ['respond', '--server', 'https://me:MARKED@certwright.example'], /user and password/],
    ['a server with a query', ['respond', '--server', 'https://certwright.example/?a=b'], /follows the path/],
    ['a name that is none', ['respond', '--domain', 'a b.example'], /--domain/],
    ['a wildcard, which no port answers for', ['respond', '--domain', '*.a.example'], /DNS alone/],
    ['a token file that is not there', ['respond', '--token-file', '/nowhere/token'], /--token-file/],
  ]
  for (const [what, args, message] of WRONG) {
    it(`fail: ${what}`, () => {
      expect(() => parse(...args)).toThrow(UsageError)
      expect(() => parse(...args)).toThrow(message)
    })
  }

  it('ok: names and addresses in the form in which orders have them', () => {
    const domains = ['Bücher.example', 'A.example', '[2001:DB8:0::1]', '192.0.2.1']
    expect(parse('respond', ...domains.flatMap((domain) => ['--domain', domain]))).toMatchObject({
      domains: ['xn--bcher-kva.example', 'a.example', '2001:db8::1', '192.0.2.1'],
    })
  })

  it('ok: every address of the host, or one', () => {
    expect(parse('respond')).toMatchObject({ address: null })
    expect(parse('respond', '--address', '192.0.2.1')).toMatchObject({ address: '192.0.2.1' })
  })

  it.each(['cw_MARKED\ncw_second', 'cw_MARKED second', 'cw_MARKED\u2014'])(
    'fail: a token that no header can carry is refused, and not shown: %j',
    (token) => {
      const parseIt = () => parseArguments(['respond'], { CERTWRIGHT_TOKEN: token })
      expect(parseIt).toThrow(UsageError)
      expect(parseIt).not.toThrow(/MARKED/)
    },
  )

  it('fail: a password in the address of the server is not shown', () => {
    const parseIt = () => parse('respond', '--server', 'https://me:MARKED@certwright.example')
    expect(parseIt).toThrow(UsageError)
    expect(parseIt).not.toThrow(/MARKED/)
  })

  it('fail: no token', () => {
    expect(() => parseArguments(['respond'], {})).toThrow(/token/)
  })

  it('ok: plain http to this machine alone', () => {
    for (const server of ['http://127.0.0.1:8787', 'http://localhost:8787', 'http://[::1]:8787']) {
      expect(parse('respond', '--server', server)).toMatchObject({ name: 'respond' })
    }
  })
})
