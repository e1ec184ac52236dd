import { describe, expect, it } from 'vitest'
import { createHttpClient } from '../../../../src/core/http-client.ts'
import type { DnsProvider } from '../../../../src/dns/dns-provider.ts'
import { RFC2136 } from '../../../../src/dns/rfc2136/descriptor.ts'
import { record, soa } from '../../../support/fake-dns.ts'
import { type SignedAnswer, tsigServer } from '../../../support/tsig-server.ts'

const KEY = {
  name: 'certwright',
  algorithm: 'hmac-sha256',
  secretBase64: 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I=',
} as const
const NOW_SECONDS = 1_800_000_000
const RECORD = { name: '_acme-challenge.www.example.com', value: 'v', ttlSeconds: 60 }
const DONE = { ok: true, value: undefined }

type Server = ReturnType<typeof tsigServer>

function build({ connect }: Server): DnsProvider {
  const http = createHttpClient({ fetch, allowPrivateTargets: false, userAgent: 'test' })
  const settings = { nameserver: 'ns1.example.com', tsig_key: KEY.name, tsig_secret: KEY.secretBase64 }
  const context = { http, connect, now: () => NOW_SECONDS * 1000, allowPrivateTargets: false }
  const created = RFC2136.create(settings, context)
  if (!created.ok) throw new Error(created.error)
  return created.value
}

const soon = (): AbortSignal => AbortSignal.timeout(5_000)
const present = (answer: SignedAnswer) => build(tsigServer(KEY, () => answer)).present('example.com', [RECORD], soon())

describe('answers to updates', () => {
  it('ok: NOERROR with a signature of the same key and time', async () => {
    expect(await present({ message: { rcode: 0 } })).toEqual(DONE)
  })

  it.each([
    ['REFUSED', 5, 'unauthorized'],
    ['NOTAUTH', 9, 'no_zone'],
    ['NOTZONE', 10, 'no_zone'],
    ['SERVFAIL', 2, 'unavailable'],
    ['YXRRSET', 7, 'refused'],
    ['NOTIMP', 4, 'refused'],
    ['FORMERR', 1, 'refused'],
    ['RCODE 15', 15, 'refused'],
  ])('fail: %s (RFC 2136 §2.2)', async (name, rcode, kind) => {
    const message = expect.stringMatching(`^rfc2136: add TXT: ns1\\.example\\.com:53 answered ${name}: `)
    expect(await present({ message: { rcode } })).toEqual({
      ok: false,
      error: { kind, message, retryAfterSeconds: null },
    })
  })

  it.each([
    ['NOERROR', 0, 'unavailable'],
    ['SERVFAIL', 2, 'unavailable'],
    ['REFUSED', 5, 'refused'],
    ['NOTIMP', 4, 'refused'],
    ['FORMERR', 1, 'refused'],
  ])('fail: %s without a signature is never success (RFC 8945 §5.4)', async (name, rcode, kind) => {
    expect(await present({ message: { rcode }, tsig: null })).toMatchObject({
      error: { kind, message: expect.stringContaining(`answered ${name} without a TSIG signature`) },
    })
  })

  it.each([
    ['another key', { keyName: 'other' }, 'signed its answer with another key'],
    ['another algorithm', { algorithm: 'hmac-sha512' }, 'signed its answer with another key'],
    ['an hour ago', { timeSignedSeconds: NOW_SECONDS - 3_600 }, 'signed its answer 3600 seconds from now'],
  ])('fail: signed with the right secret, but %s', async (_, tsig, message) => {
    expect(await present({ message: {}, tsig })).toMatchObject({
      error: { kind: 'unavailable', message: expect.stringContaining(message) },
    })
  })

  it.each([
    ['BADKEY', 17],
    ['BADSIG', 16],
  ])('fail: %s, in an answer that is signed all the same', async (name, error) => {
    expect(await present({ message: { rcode: 9 }, tsig: { error } })).toMatchObject({
      error: { kind: 'unauthorized', message: expect.stringContaining(`answered ${name}`) },
    })
  })
})

describe('the zone of a name', () => {
  const find = (name: string, answer: (asked: string) => SignedAnswer) => {
    const server = tsigServer(KEY, (question) => answer(question.questions[0]?.name ?? ''))
    return { server, found: build(server).findZone(name, soon()) }
  }
  const authoritative = (part: SignedAnswer['message']): SignedAnswer => ({ message: { authoritative: true, ...part } })

  it('ok: the SOA in the authority section of a denial names it, so one question is enough (RFC 2308 §3)', async () => {
    const { server, found } = find(RECORD.name, () => authoritative({ rcode: 3, authorities: [soa('example.com')] }))
    expect(await found).toEqual({ ok: true, value: 'example.com' })
    expect(server.asked).toHaveLength(1)
  })

  it("ok: the SOA of the zone that a CNAME leads to is not this name's", async () => {
    const alias = { answers: [record(RECORD.name, 'CNAME', 'x.example.net')], authorities: [soa('example.net')] }
    const { server, found } = find(RECORD.name, (asked) =>
      authoritative(asked === RECORD.name ? alias : { rcode: 3, authorities: [soa('example.com')] }),
    )
    expect(await found).toEqual({ ok: true, value: 'example.com' })
    expect(server.asked).toHaveLength(2)
  })

  it('ok: an SOA without authority is a memory, not an answer', async () => {
    const { found } = find(RECORD.name, (asked) =>
      asked === 'example.com'
        ? authoritative({ answers: [soa('example.com')] })
        : { message: { authorities: [soa('www.example.com')] } },
    )
    expect(await found).toEqual({ ok: true, value: 'example.com' })
  })

  it('fail: refused all the way up, the root not asked', async () => {
    const { server, found } = find('a.example.com', () => ({ message: { rcode: 5 } }))
    expect(await found).toMatchObject({ error: { kind: 'no_zone' } })
    expect(server.asked.map(({ questions }) => questions[0]?.name)).toEqual(['a.example.com', 'example.com', 'com'])
  })

  it('fail: an expired zone is not passed over for the one above it', async () => {
    const { found } = find(RECORD.name, (asked) =>
      asked === 'com' ? authoritative({ answers: [soa('com')] }) : { message: { rcode: 2 } },
    )
    expect(await found).toMatchObject({ error: { kind: 'unavailable', message: expect.stringContaining('SERVFAIL') } })
  })

  it('fail: what is not a name', async () => {
    const { server, found } = find('a..b', () => ({ message: {} }))
    expect(await found).toMatchObject({ error: { kind: 'no_zone' } })
    expect(server.asked).toEqual([])
  })
})
