/** DNS UPDATE against a real BIND: algorithms, refusals, and answers that somebody changes on the way. */
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/core/clock.ts'
import { createHttpClient } from '../../../src/core/http-client.ts'
import type { DnsProvider } from '../../../src/dns/dns-provider.ts'
import { RFC2136 } from '../../../src/dns/rfc2136/descriptor.ts'
import { type Bind, startBind, type TsigAlgorithm, type TsigKey } from '../../support/bind.ts'
import { connectWithNode } from '../../support/node-tcp.ts'
import { portOf } from '../../support/ports.ts'

const ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const
const RECORD = { name: '_acme-challenge.example.test', value: 'v1-_', ttlSeconds: 60 }
const DONE = { ok: true, value: undefined }

let bind: Bind

beforeAll(async () => {
  bind = await startBind({ zones: ['example.test'], tsig: ALGORITHMS })
})

afterAll(() => bind.stop())

function keyFor(algorithm: TsigAlgorithm): TsigKey {
  const key = bind.tsigKeys.find((each) => each.algorithm === algorithm)
  if (key === undefined) throw new Error(`no key for ${algorithm}`)
  return key
}

interface Changes {
  readonly key?: Partial<TsigKey>
  readonly nameserver?: string
  readonly now?: Clock
}

function build(algorithm: TsigAlgorithm, { key, nameserver, now }: Changes = {}): DnsProvider {
  const used = { ...keyFor(algorithm), ...key }
  const settings = {
    nameserver: nameserver ?? bind.address,
    tsig_key: used.name,
    tsig_algorithm: used.algorithm,
    tsig_secret: used.secret,
  }
  const http = createHttpClient({ fetch, allowPrivateTargets: true, userAgent: 'test' })
  const context = { http, connect: connectWithNode, now: now ?? Date.now, allowPrivateTargets: true }
  const created = RFC2136.create(settings, context)
  if (!created.ok) throw new Error(created.error)
  return created.value
}

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

describe.each(ALGORITHMS)('updates signed with %s', (algorithm) => {
  it('ok: BIND takes them, and its answers are proved', async () => {
    const provider = build(algorithm)
    expect(await provider.present('example.test', [RECORD], soon())).toEqual(DONE)
    expect(await bind.txt(RECORD.name)).toEqual([RECORD.value])
    expect(await provider.cleanUp('example.test', [RECORD], soon())).toEqual(DONE)
    expect(await bind.txt(RECORD.name)).toEqual([])
  })

  it('fail: another secret is BADSIG (RFC 8945 §5.2.2)', async () => {
    const secret = Buffer.alloc(32, 7).toString('base64')
    const result = await build(algorithm, { key: { secret } }).present('example.test', [RECORD], soon())
    const message = expect.stringMatching(/^rfc2136: add TXT: 127\.0\.0\.1:\d+ answered BADSIG: .*tsig_secret/)
    expect(result).toEqual({ ok: false, error: { kind: 'unauthorized', message, retryAfterSeconds: null } })
  })

  it('fail: a key that BIND does not know is BADKEY (RFC 8945 §5.2.1)', async () => {
    const result = await build(algorithm, { key: { name: 'no-such-key' } }).present('example.test', [RECORD], soon())
    const message = expect.stringMatching(
      /answered BADKEY: it does not know a key of that name and algorithm; .*tsig_key/,
    )
    expect(result).toMatchObject({ error: { kind: 'unauthorized', message } })
  })

  it('fail: a clock that is an hour off is BADTIME (RFC 8945 §5.2.3)', async () => {
    for (const skewMs of [-3_600_000, 3_600_000]) {
      const provider = build(algorithm, { now: () => Date.now() + skewMs })
      const result = await provider.present('example.test', [RECORD], soon())
      const message = expect.stringMatching(/answered BADTIME: the clocks differ .* \d+ seconds since 1970/)
      expect(result).toMatchObject({ error: { kind: 'unauthorized', message } })
    }
  })
})

describe('what BIND refuses', () => {
  it('fail: the right key with another algorithm is BADKEY', async () => {
    const result = await build('hmac-sha256', { key: { algorithm: 'hmac-sha512' } }).findZone(RECORD.name, soon())
    const message = expect.stringMatching(/answered BADKEY: .*tsig_algorithm/)
    expect(result).toMatchObject({ error: { kind: 'unauthorized', message } })
  })

  it('fail: a zone that the key may not change', async () => {
    // BIND serves an empty root too, which nobody may update.
    const provider = build('hmac-sha256')
    const message = expect.stringMatching(/answered REFUSED: this key may not change zone/)
    expect(await provider.checkZone?.('', soon())).toMatchObject({ error: { kind: 'unauthorized', message } })
    const root = await provider.present('', [{ ...RECORD, name: 'a.invalid' }], soon())
    expect(root).toMatchObject({ error: { kind: 'unauthorized', message } })
  })

  it('fail: a name outside of the zone', async () => {
    const record = { ...RECORD, name: '_acme-challenge.example.invalid' }
    const result = await build('hmac-sha256').present('example.test', [record], soon())
    expect(result).toMatchObject({ error: { kind: 'no_zone', message: expect.stringContaining('NOTZONE') } })
  })

  it('fail: a TXT at a CNAME, which BIND would pass over in silence (RFC 2136 §3.4.2.2)', async () => {
    const name = '_acme-challenge.alias.example.test'
    await bind.addCname(name, 'elsewhere.example.test')
    const result = await build('hmac-sha256').present('example.test', [{ ...RECORD, name }], soon())
    expect(result).toMatchObject({ error: { kind: 'refused', message: expect.stringMatching(/YXRRSET: .*CNAME/) } })
    expect(await build('hmac-sha256').findZone(name, soon())).toEqual({ ok: true, value: 'example.test' })
  })

  it('fail: a name below a delegation to other servers', async () => {
    await bind.addRecord('away.example.test', 'NS', 'ns.elsewhere.invalid')
    const result = await build('hmac-sha256').findZone('_acme-challenge.www.away.example.test', soon())
    const message = expect.stringMatching(/has delegated away\.example\.test to other servers/)
    expect(result).toMatchObject({ error: { kind: 'no_zone', message } })
  })

  it('ok: a probe of the zone changes nothing', async () => {
    const before = await bind.transfer('example.test')
    const logged = bind.log().length
    expect(await build('hmac-sha256').checkZone?.('example.test', soon())).toEqual(DONE)
    expect(await bind.transfer('example.test')).toEqual(before)
    expect(bind.log().slice(logged)).toContain('signer "hmac-sha256.key" approved')
    expect(bind.log().slice(logged)).not.toContain('updating zone')
  })

  it('ok: 250 values in three updates', async () => {
    const provider = build('hmac-sha256')
    const records = Array.from({ length: 250 }, (_, i) => ({
      ...RECORD,
      name: `n${i % 5}.example.test`,
      value: `v${i}`,
    }))
    expect(await provider.present('example.test', records, soon())).toEqual(DONE)
    expect(await bind.txt('n0.example.test')).toHaveLength(50)
    expect(await provider.cleanUp('example.test', records, soon())).toEqual(DONE)
    expect(await bind.txt('n4.example.test')).toEqual([])
  })

  it('ok: a value of more than 255 octets', async () => {
    const record = { ...RECORD, name: 'long.example.test', value: 'x'.repeat(600) }
    expect(await build('hmac-sha256').present('example.test', [record], soon())).toEqual(DONE)
    expect(await bind.txt(record.name)).toEqual([record.value])
    expect(await build('hmac-sha256').cleanUp('example.test', [record], soon())).toEqual(DONE)
    expect(await bind.txt(record.name)).toEqual([])
  })
})

/** Passes octets on in both directions; the server's go through `change` as one message with its length. */
async function startTamperingProxy(change: (answer: Buffer) => Buffer): Promise<Server> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = createConnection(bind.port, bind.host)
    const drop = (): void => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', drop)
      socket.on('close', drop)
    }
    client.on('data', (octets) => upstream.write(octets))
    let received = Buffer.alloc(0)
    upstream.on('data', (octets: Buffer) => {
      received = Buffer.concat([received, octets])
      if (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) client.write(change(received))
    })
  })
  server.on('close', () => {
    for (const socket of sockets) socket.destroy()
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

/** Takes the TSIG off: one additional record less, and the message ends before it. */
function stripTsig(framed: Buffer): Buffer {
  const message = framed.subarray(2)
  const at = message.lastIndexOf(Buffer.from('\u000bhmac-sha256\u0003key\u0000\u0000\u00fa', 'latin1'))
  const bare = Buffer.from(message.subarray(0, at))
  bare.writeUInt16BE(message.readUInt16BE(10) - 1, 10)
  return Buffer.concat([Buffer.from([bare.length >> 8, bare.length & 255]), bare])
}

describe('answers that are changed on the way', () => {
  const flip = (at: (framed: Buffer) => number, mask: number) => (framed: Buffer) => {
    const changed = Buffer.from(framed)
    const index = at(framed)
    changed[index] = (changed[index] ?? 0) ^ mask
    return changed
  }

  it.each([
    // Offsets count the two length octets in front.
    ['ok: an untouched answer is taken', (framed: Buffer) => framed, null],
    ['fail: a changed RCODE is not believed', flip(() => 5, 0x05), /TSIG signature is wrong/],
    ['fail: a changed flag is not believed', flip(() => 4, 0x04), /TSIG signature is wrong/],
    ['fail: a changed MAC is not believed', flip((framed) => framed.length - 8, 0x01), /TSIG signature is wrong/],
    [
      'fail: a changed TSIG error is not believed',
      flip((framed) => framed.length - 3, 0x12),
      /TSIG signature is wrong/,
    ],
    ['fail: an answer without its TSIG is not believed', stripTsig, /answered NOERROR without a TSIG signature/],
  ])('%s', async (_, change, expected) => {
    const proxy = await startTamperingProxy(change)
    const provider = build('hmac-sha256', { nameserver: `127.0.0.1:${portOf(proxy)}` })
    const result = await provider.checkZone?.('example.test', soon())
    proxy.close()
    const failure = { kind: 'unavailable', message: expect.stringMatching(expected ?? /./), retryAfterSeconds: null }
    expect(result).toEqual(expected === null ? DONE : { ok: false, error: failure })
  })
})
