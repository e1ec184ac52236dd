import { describe, expect, it } from 'vitest'
import { type Bytes, concatBytes } from '../../../src/core/bytes.ts'
import type { TcpConnect } from '../../../src/core/tcp.ts'
import { exchangeOverTcp } from '../../../src/dns/tcp-exchange.ts'
import { type DnsMessage, emptyMessage, encodeMessage } from '../../../src/dns/wire/message.ts'

const QUERY: DnsMessage = { ...emptyMessage(0x1234, 0), questions: [{ name: 'example.test', type: 16, class: 1 }] }
const ANSWER: DnsMessage = { ...QUERY, response: true }
const ADDRESS = { hostname: 'ns.example.test', port: 53 }

function encoded(message: DnsMessage): Bytes {
  const octets = encodeMessage(message)
  if (!octets.ok) throw new Error(octets.error)
  return octets.value
}

const framed = (octets: Uint8Array): Bytes =>
  concatBytes(Uint8Array.of(octets.length >> 8, octets.length & 255), octets)

interface Peer {
  readonly connect: TcpConnect
  readonly written: number[]
  closed: number
}

/** A server that sends these pieces and then, unless it stays, closes. */
function peer(pieces: readonly Uint8Array[], stays = false): Peer {
  const self: Peer = {
    written: [],
    closed: 0,
    connect: () => ({
      readable: new ReadableStream<Uint8Array>({
        start(controller) {
          for (const piece of pieces) controller.enqueue(piece)
          if (!stays) controller.close()
        },
      }),
      writable: new WritableStream<Uint8Array>({
        write(chunk) {
          self.written.push(...chunk)
        },
      }),
      close: async () => {
        self.closed += 1
      },
    }),
  }
  return self
}

function exchange(server: Peer, message = QUERY, options: { timeoutMs?: number; signal?: AbortSignal } = {}) {
  return exchangeOverTcp(ADDRESS, message, encoded(message), { connect: server.connect, ...options })
}

describe('one question over TCP', () => {
  it('ok: sends length and message, reads the answer, closes (RFC 7766 §8)', async () => {
    const server = peer([framed(encoded(ANSWER))], true)
    expect(await exchange(server)).toMatchObject({ ok: true, value: { decoded: { message: ANSWER } } })
    expect(server.written).toEqual([...framed(encoded(QUERY))])
    expect(server.closed).toBe(1)
  })

  it('ok: an answer that arrives octet by octet, and what comes behind it is not read', async () => {
    const octets = [...framed(encoded(ANSWER)), 9, 9, 9]
    const server = peer(octets.map((octet) => Uint8Array.of(octet)))
    expect(await exchange(server)).toMatchObject({ ok: true, value: { octets: encoded(ANSWER) } })
  })

  it('ok: an error may leave the question out, and an UPDATE its zone (RFC 2136 §3.8)', async () => {
    const refusal = { ...ANSWER, rcode: 1, questions: [] }
    expect(await exchange(peer([framed(encoded(refusal))]))).toMatchObject({ ok: true })
    const update = { ...QUERY, opcode: 5 }
    const done = { ...update, response: true, questions: [] }
    expect(await exchange(peer([framed(encoded(done))]), update)).toMatchObject({ ok: true })
  })

  it.each([
    ['another id', { ...ANSWER, id: 0x1235 }],
    ['a question, not an answer', QUERY],
    ['another operation', { ...ANSWER, opcode: 5 }],
    ['another name', { ...ANSWER, questions: [{ name: 'evil.test', type: 16, class: 1 }] }],
    ['another type', { ...ANSWER, questions: [{ name: 'example.test', type: 1, class: 1 }] }],
    ['another class', { ...ANSWER, questions: [{ name: 'example.test', type: 16, class: 3 }] }],
    ['two questions', { ...ANSWER, questions: [...QUERY.questions, ...QUERY.questions] }],
    ['no question in a success', { ...ANSWER, questions: [] }],
    ['no question in a denial', { ...ANSWER, questions: [], rcode: 3 }],
    ['a truncated answer', { ...ANSWER, truncated: true }],
  ])('fail: %s', async (_, answer: DnsMessage) => {
    const server = peer([framed(encoded(answer))])
    expect(await exchange(server)).toMatchObject({ ok: false, error: { reason: 'bad_answer' } })
    expect(server.closed).toBe(1)
  })

  it('fail: octets that are no message', async () => {
    const server = peer([framed(Uint8Array.of(1, 2, 3))])
    const message = 'the answer is not a DNS message (truncated at octet 3)'
    expect(await exchange(server)).toEqual({ ok: false, error: { reason: 'bad_answer', message } })
  })

  it('fail: the peer closes before its answer is whole', async () => {
    for (const length of [0, 1, 2, 20]) {
      const server = peer([framed(encoded(ANSWER)).slice(0, length)])
      expect(await exchange(server)).toMatchObject({ ok: false, error: { reason: 'unreachable' } })
      expect(server.closed).toBe(1)
    }
  })

  it('fail: a silent peer, by the timeout and by the signal', async () => {
    const slow = peer([], true)
    const message = 'no answer within 0.03 seconds'
    expect(await exchange(slow, QUERY, { timeoutMs: 30 })).toEqual({ ok: false, error: { reason: 'timeout', message } })
    expect(slow.closed).toBe(1)
    const silent = peer([], true)
    const signal = AbortSignal.timeout(30)
    expect(await exchange(silent, QUERY, { signal })).toMatchObject({ error: { reason: 'aborted' } })
    expect(silent.closed).toBe(1)
  })

  it('fail: a signal that is aborted already opens no connection', async () => {
    let opened = 0
    const connect: TcpConnect = (address) => {
      opened += 1
      return peer([]).connect(address)
    }
    const result = await exchangeOverTcp(ADDRESS, QUERY, encoded(QUERY), { connect, signal: AbortSignal.abort() })
    expect(result).toMatchObject({ error: { reason: 'aborted' } })
    expect(opened).toBe(0)
  })

  it('fail: a connection that cannot be opened, at once or when it is written to', async () => {
    const refuse: TcpConnect = () => {
      throw new Error('jsg.Error: proxy request failed')
    }
    const result = await exchangeOverTcp(ADDRESS, QUERY, encoded(QUERY), { connect: refuse })
    expect(result).toEqual({ ok: false, error: { reason: 'unreachable', message: 'proxy request failed' } })
    const later: TcpConnect = (address) => ({
      ...peer([]).connect(address),
      writable: new WritableStream<Uint8Array>({
        write() {
          throw new Error('connection refused')
        },
      }),
    })
    expect(await exchangeOverTcp(ADDRESS, QUERY, encoded(QUERY), { connect: later })).toMatchObject({
      error: { reason: 'unreachable', message: 'connection refused' },
    })
  })

  it('fail: a question that is too long for TCP', async () => {
    const server = peer([])
    const result = await exchangeOverTcp(ADDRESS, QUERY, new Uint8Array(65_536), { connect: server.connect })
    expect(result).toMatchObject({ error: { reason: 'bad_answer' } })
    expect(server.written).toEqual([])
  })
})
