/**
 * Name servers and resolvers in memory, behind the product's own `HttpClient` and `TcpConnect`: they get and give real
 * DNS messages. For situations that a real server is not easily brought into.
 */
import { concatBytes } from '../../src/core/bytes.ts'
import { createHttpClient, type HttpClient } from '../../src/core/http-client.ts'
import type { TcpConnect } from '../../src/core/tcp.ts'
import type { LookupContext } from '../../src/dns/dns-source.ts'
import { type DnsMessage, decodeMessage, encodeMessage } from '../../src/dns/wire/message.ts'
import { type DnsRecord, txtData, typeCodeOf } from '../../src/dns/wire/record.ts'

export type FakeAnswer = Partial<Pick<DnsMessage, 'rcode' | 'authoritative' | 'answers' | 'authorities'>>

/** What a server says to a question, validated unless the CD bit is set; `silent` is a connection that fails. */
export type FakeServer = (name: string, type: number, unvalidated?: boolean) => FakeAnswer | 'silent'

export interface FakeDns {
  readonly context: LookupContext
  /** `dns.google TXT a.example`, in the order of asking. */
  readonly asked: string[]
}

export interface FakeDnsOptions {
  /** By host of the DoH address. */
  readonly resolvers?: Readonly<Record<string, FakeServer>>
  /** By `host:port`. */
  readonly servers?: Readonly<Record<string, FakeServer>>
  readonly allowPrivateTargets?: boolean
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  16: 'TXT',
  28: 'AAAA',
  257: 'CAA',
}

export function fakeDns({ resolvers = {}, servers = {}, allowPrivateTargets = false }: FakeDnsOptions): FakeDns {
  const asked: string[] = []

  const answer = (
    label: string,
    server: FakeServer | undefined,
    octets: Uint8Array,
  ): Uint8Array<ArrayBuffer> | null => {
    const decoded = decodeMessage(octets)
    if (!decoded.ok) throw new Error(`${label} was asked something that is no DNS message`)
    const question = decoded.value.message.questions[0]
    if (question === undefined) throw new Error(`${label} was asked nothing`)
    asked.push(`${label} ${TYPE_NAMES[question.type] ?? question.type} ${question.name}`)
    const unvalidated = decoded.value.message.checkingDisabled === true
    const said = server?.(question.name, question.type, unvalidated) ?? 'silent'
    if (said === 'silent') return null
    const encoded = encodeMessage({ ...decoded.value.message, response: true, ...said })
    if (!encoded.ok) throw new Error(encoded.error)
    return encoded.value
  }

  const http: HttpClient = createHttpClient({
    allowPrivateTargets,
    userAgent: 'test',
    fetch: async (url, init) => {
      const host = new URL(url).host
      const body = new Uint8Array(await new Response(init?.body).arrayBuffer())
      const octets = answer(host, resolvers[host], body)
      if (octets === null) throw new TypeError('fetch failed')
      return new Response(octets, { headers: { 'content-type': 'application/dns-message' } })
    },
  })

  const connect: TcpConnect = ({ hostname, port }) => {
    const label = `${hostname}:${port}`
    let controller: ReadableStreamDefaultController<Uint8Array>
    return {
      readable: new ReadableStream<Uint8Array>({
        start(given) {
          controller = given
        },
      }),
      writable: new WritableStream<Uint8Array>({
        write(chunk) {
          const octets = answer(label, servers[label], chunk.subarray(2))
          if (octets === null) throw new Error('connection refused')
          controller.enqueue(concatBytes(Uint8Array.of(octets.length >> 8, octets.length & 255), octets))
        },
      }),
      close: async () => undefined,
    }
  }

  const urls = Object.keys(resolvers).map((host) => `https://${host}/dns-query`)
  return { asked, context: { http, connect, allowPrivateTargets, resolvers: urls } }
}

/** `record('a.example', 'TXT', 'v')`. */
export function record(name: string, type: 'A' | 'AAAA' | 'NS' | 'CNAME' | 'TXT', value: string): DnsRecord {
  const data = {
    A: { type: 1, address: value },
    AAAA: { type: 28, address: value },
    NS: { type: 2, target: value },
    CNAME: { type: 5, target: value },
    TXT: txtData(value),
  } as const
  return { name, class: 1, ttlSeconds: 60, data: data[type] }
}

/** RFC 1035 §3.3.13; MINIMUM is 300 seconds. */
export function soa(zone: string, ttlSeconds = 300): DnsRecord {
  const numbers = { serial: 1, refreshSeconds: 1, retrySeconds: 1, expireSeconds: 1, minimumSeconds: 300 }
  const data = { type: 6, primary: `ns1.${zone}`, mailbox: `hostmaster.${zone}`, ...numbers } as const
  return { name: zone, class: 1, ttlSeconds, data }
}

/** A server that knows these records of one zone, or a resolver where `authoritative` is false. Wildcards as in RFC 4592. */
export function zoneServer(zone: string, records: readonly DnsRecord[], authoritative = true): FakeServer {
  return (name, type) => {
    const all = [soa(zone), ...records]
    const exists = (at: string) => all.some((each) => each.name === at || each.name.endsWith(`.${at}`))
    let encloser = name
    while (!exists(encloser) && encloser.includes('.')) encloser = encloser.slice(encloser.indexOf('.') + 1)
    const source = exists(name) ? name : `*.${encloser}`
    const here = all.filter((each) => each.name === source).map((each) => ({ ...each, name }))
    const answers = here.filter(({ data }) => typeCodeOf(data) === type || data.type === 5)
    if (answers.length > 0) return { authoritative, answers }
    return { authoritative, rcode: here.length > 0 || exists(name) ? 0 : 3, authorities: [soa(zone)] }
  }
}
