import { describe, expect, it } from 'vitest'
import { type DisclosurePolicy, describeFailure } from '../../../src/core/failure-disclosure.ts'
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import { createLog } from '../../../src/core/log.ts'
import { configuredSources } from '../../../src/dns/dns-source.ts'
import { createNameCheck } from '../../../src/dns/name-check.ts'
import { RCODE, TYPE } from '../../../src/dns/wire/codes.ts'
import { fakeDns, record } from '../../support/fake-dns.ts'

/** What workerd and the client say of a host: nobody listens, no TLS, no HTTP, no name. */
const WAYS: Readonly<Record<string, Fetch>> = {
  refused: async () => Promise.reject(new Error('Network connection lost.')),
  tls: async () => Promise.reject(new Error('internal error; reference = a24o87magrpd04o7b5oauvnh')),
  protocol: async () => Promise.reject(new Error('Invalid response: not HTTP')),
  cause: async () => Promise.reject(new Error('fetch failed', { cause: new Error('connect ECONNREFUSED 1.2.3.4:22') })),
  silent: (_url, init) =>
    new Promise((_resolve, reject) => {
      init?.signal?.addEventListener('abort', () => reject(new Error('aborted')))
    }),
}

function policyOf(discloses: boolean, resolves: boolean | null): { policy: DisclosurePolicy; lines: string[] } {
  const lines: string[] = []
  const policy = {
    discloses: () => discloses,
    resolves: async () => resolves,
    log: createLog((_level, line) => lines.push(line)),
  }
  return { policy, lines }
}

async function ask(fetch: Fetch, policy: DisclosurePolicy, url = 'https://target.example:8443/some/path?secret=1') {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test', disclosure: policy })
  const answer = await http({ method: 'GET', url, timeoutMs: 30 })
  return answer.ok ? null : answer.error
}

describe('targets that give no answer', () => {
  it('fail: whatever the reason was, callers who may not know it read the same, and the log has it', async () => {
    const { policy, lines } = policyOf(false, true)
    const failures = await Promise.all(Object.values(WAYS).map((fetch) => ask(fetch, policy)))
    expect(new Set(failures.map((failure) => JSON.stringify(failure))).size).toBe(1)
    expect(failures[0]).toMatchObject({ reason: 'unreachable', message: expect.stringContaining('the log') })
    expect(JSON.stringify(failures)).not.toMatch(/internal error|ECONNREFUSED|lost|within/)
    const log = lines.join('\n')
    for (const reason of ['lost', 'internal error', 'not HTTP', 'ECONNREFUSED', 'within 0.03 seconds']) {
      expect(log).toContain(reason)
    }
    expect(log).toContain('target.example:8443')
    expect(log).not.toContain('secret=1')
  })

  it('fail: a name that leads nowhere is said to, to everybody', async () => {
    for (const discloses of [true, false]) {
      const { policy } = policyOf(discloses, false)
      const failure = await ask(WAYS.tls as Fetch, policy)
      expect(failure).toMatchObject({ reason: 'unreachable', message: 'the name target.example does not resolve' })
    }
  })

  it('fail: the runtime calls it an internal error, and nobody reads that', async () => {
    const { policy, lines } = policyOf(true, null)
    const failure = await ask(WAYS.tls as Fetch, policy)
    expect(failure?.message).toBe('no connection: the name does not resolve, or TLS could not be agreed on')
    expect(lines).toEqual([])
  })

  it('fail: who may know is told the reason, and that time ran out', async () => {
    const { policy } = policyOf(true, false)
    expect(await ask(WAYS.refused as Fetch, policy)).toMatchObject({ message: 'Network connection lost.' })
    expect(await ask(WAYS.silent as Fetch, policy)).toMatchObject({ reason: 'timeout' })
  })

  it('fail: the answer by which a deployed Worker hears of such a name', async () => {
    const { policy } = policyOf(false, null)
    const failure = await ask(async () => new Response('error code: 1016', { status: 530 }), policy)
    expect(failure).toMatchObject({ reason: 'unreachable', message: 'the name target.example does not resolve' })
    const answer = await ask(async () => new Response('error code: 1033', { status: 530 }), policy)
    expect(answer).toBeNull()
  })

  it('fail: name servers of the settings, whatever they are silent about', async () => {
    const { policy, lines } = policyOf(false, true)
    const said: unknown[] = []
    for (const reason of ['refused', 'closed']) {
      const context = {
        http: createHttpClient({ fetch: WAYS.refused as Fetch, allowPrivateTargets: false, userAgent: 'test' }),
        connect: () => {
          throw new Error(reason)
        },
        allowPrivateTargets: false,
        resolvers: [],
        disclosure: policy,
      }
      const [source] = configuredSources(context, ['198.41.0.4:22'])
      said.push(await source?.ask('example.com', TYPE.TXT, new AbortController().signal))
    }
    expect(said[0]).toEqual(said[1])
    expect(said[0]).toMatchObject({ ok: false, error: expect.stringContaining('the log') })
    expect(lines.join()).toMatch(/198\.41\.0\.4:22.*refused.*closed/)
  })

  it('fail: a name server whose name leads nowhere', async () => {
    const { policy } = policyOf(true, false)
    const text = 'proxy request failed, cannot connect to the specified address'
    expect(await describeFailure({ hostname: 'ns1.example', port: 53 }, text, true, policy)).toBe(
      'the name ns1.example does not resolve',
    )
  })
})

describe('does a name lead anywhere?', () => {
  const nobody = createHttpClient({
    fetch: async () => Promise.reject(new Error('no network')),
    allowPrivateTargets: false,
    userAgent: 'test',
  })
  const check = createNameCheck({
    http: nobody,
    connect: () => {
      throw new Error('no sockets')
    },
    resolvers: ['https://a.example/dns-query'],
  })

  it.each([
    ['host.invalid', false],
    ['invalid.', false],
    ['host.example.com', null],
    ['127.0.0.1', null],
    ['::1', null],
    ['localhost', null],
    ['ns.corp.internal', null],
  ])('ok: %s is %j where no resolver answers', async (name, answer) => {
    expect(await check(name)).toBe(answer)
  })

  it('ok: as a resolver says', async () => {
    const { context } = fakeDns({
      resolvers: {
        'a.example': (name, type) => ({
          rcode: name === 'here.example.com' ? RCODE.NOERROR : RCODE.NXDOMAIN,
          answers: name === 'here.example.com' && type === TYPE.AAAA ? [record(name, 'AAAA', '2a00::1')] : [],
        }),
      },
    })
    const asks = createNameCheck(context)
    expect(await asks('here.example.com')).toBe(true)
    expect(await asks('Gone.example.com.')).toBe(false)
  })
})
