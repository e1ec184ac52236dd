/**
 * A name server in memory that checks and makes TSIG records with Node's HMAC, apart from the code under test: for
 * answers that a real server does not give when asked to.
 */
import { createHmac } from 'node:crypto'
import { concatBytes } from '../../src/core/bytes.ts'
import type { TcpConnect } from '../../src/core/tcp.ts'
import { type DnsMessage, decodeMessage, encodeMessage } from '../../src/dns/wire/message.ts'
import { encodeName } from '../../src/dns/wire/name.ts'
import { type DnsRecord, encodeRecord, type TsigData } from '../../src/dns/wire/record.ts'

export interface TsigServerKey {
  readonly name: string
  readonly algorithm: 'hmac-sha256'
  readonly secretBase64: string
}

/** What the answer is made of: parts of the message, and what is different about its TSIG; null for none at all. */
export interface SignedAnswer {
  readonly message: Partial<Pick<DnsMessage, 'rcode' | 'authoritative' | 'answers' | 'authorities'>>
  readonly tsig?: (Partial<TsigData> & { readonly keyName?: string }) | null
}

/** Answers each question by `answer`, and keeps the questions in `asked`. */
export function tsigServer(key: TsigServerKey, answer: (question: DnsMessage) => SignedAnswer) {
  const asked: DnsMessage[] = []

  const reply = (octets: Uint8Array): Uint8Array => {
    const decoded = decodeMessage(octets)
    if (!decoded.ok) throw new Error('the question is not a DNS message')
    const { message, lastRecordOffset } = decoded.value
    const signature = message.additionals.at(-1)
    if (signature?.data.type !== 250) throw new Error('the question is not signed')
    const unsigned = withCount(octets.subarray(0, lastRecordOffset), message.additionals.length - 1)
    const expected = hmac(key, concatBytes(unsigned, variables(signature.name, signature.data)))
    if (Buffer.compare(expected, signature.data.mac) !== 0) throw new Error('the signature of the question is wrong')
    asked.push(message)
    const said = answer(message)
    const bare = encodeMessage({
      ...message,
      response: true,
      answers: [],
      authorities: [],
      ...said.message,
      additionals: [],
    })
    if (!bare.ok) throw new Error(bare.error)
    if (said.tsig === null) return bare.value
    const { keyName = signature.name, ...changes } = said.tsig ?? {}
    const tsig: TsigData = { ...signature.data, ...changes }
    const length = Uint8Array.of(signature.data.mac.length >> 8, signature.data.mac.length & 255)
    const covered = concatBytes(length, signature.data.mac, bare.value, variables(keyName, tsig))
    const record: DnsRecord = { ...signature, name: keyName, data: { ...tsig, mac: hmac(key, covered) } }
    return concatBytes(withCount(bare.value, 1), encodeRecord(record))
  }

  const connect: TcpConnect = () => {
    let controller: ReadableStreamDefaultController<Uint8Array>
    return {
      readable: new ReadableStream<Uint8Array>({
        start(given) {
          controller = given
        },
      }),
      writable: new WritableStream<Uint8Array>({
        write(chunk) {
          const octets = reply(chunk.subarray(2))
          controller.enqueue(concatBytes(Uint8Array.of(octets.length >> 8, octets.length & 255), octets))
        },
      }),
      close: async () => undefined,
    }
  }

  return { asked, connect }
}

function hmac({ secretBase64 }: TsigServerKey, octets: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHmac('sha256', Buffer.from(secretBase64, 'base64')).update(octets).digest())
}

/** RFC 8945 §4.3.3. */
function variables(name: string, tsig: TsigData): Uint8Array {
  const numbers = Buffer.alloc(12)
  numbers.writeUIntBE(tsig.timeSignedSeconds, 0, 6)
  numbers.writeUInt16BE(tsig.fudgeSeconds, 6)
  numbers.writeUInt16BE(tsig.error, 8)
  numbers.writeUInt16BE(tsig.otherData.length, 10)
  const classAndTtl = Uint8Array.of(0, 255, 0, 0, 0, 0)
  return concatBytes(encodeName(name), classAndTtl, encodeName(tsig.algorithm), numbers, tsig.otherData)
}

/** RFC 1035 §4.1.1: the count of additional records is in octets 10 and 11. */
function withCount(octets: Uint8Array, additionals: number): Uint8Array {
  const out = Uint8Array.from(octets)
  out.set([additionals >> 8, additionals & 255], 10)
  return out
}
