/** Who can be asked: name servers over TCP and resolvers over HTTPS, behind one interface. */
import { randomBytes } from '../core/bytes.ts'
import { type DisclosurePolicy, describeFailure } from '../core/failure-disclosure.ts'
import type { HttpClient } from '../core/http-client.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { TcpAddress, TcpConnect } from '../core/tcp.ts'
import { exchangeOverHttps } from './doh.ts'
import { formatHostPort, parseServer } from './host-port.ts'
import { type DnsExchangeFailure, exchangeOverTcp } from './tcp-exchange.ts'
import { CLASS, OPCODE } from './wire/codes.ts'
import { type DnsMessage, emptyMessage, encodeMessage } from './wire/message.ts'

/** A server or resolver that answers DNS questions. */
export interface DnsSource {
  /** As log lines call it: `ns1.example.net`, `dns.google`. */
  readonly label: string
  /** Any answer that belongs to the question, whatever its RCODE; the error is a sentence. */
  ask(name: string, type: number, signal: AbortSignal): Promise<Result<DnsMessage, string>>
  /** Of resolvers: the same question with the CD bit, by which they leave DNSSEC to the client (RFC 4035 §3.2.2). */
  askUnvalidated?(name: string, type: number, signal: AbortSignal): Promise<Result<DnsMessage, string>>
  /** Asked only where no resolver can answer; never to overrule one that answered SERVFAIL. */
  readonly isFallback?: boolean
}

/** What looking things up needs from outside. */
export interface LookupContext {
  readonly http: HttpClient
  readonly connect: TcpConnect
  readonly allowPrivateTargets: boolean
  /** DNS-over-HTTPS addresses; empty means `DEFAULT_RESOLVERS`. */
  readonly resolvers: readonly string[]
  /** What is told of configured servers that give no answer; without it, all. */
  readonly disclosure?: DisclosurePolicy | undefined
  /** The port of discovered name servers, for tests; 53 unless given. */
  readonly nameServerPort?: number
}

/** Two that do not share a cache. Both answer RFC 8484 over HTTP/1.1, which is what workerd speaks on a machine. */
export const DEFAULT_RESOLVERS = ['https://cloudflare-dns.com/dns-query', 'https://dns.google/dns-query'] as const

/** The resolvers of the deployment. */
export function resolverSources({ http, resolvers }: LookupContext): DnsSource[] {
  return (resolvers.length === 0 ? DEFAULT_RESOLVERS : resolvers).map((url) => ({
    label: new URL(url).host,
    ask: (name, type, signal) => exchangeOverHttps(http, url, query(name, type), signal),
    askUnvalidated: (name, type, signal) =>
      exchangeOverHttps(http, url, { ...query(name, type), checkingDisabled: true }, signal),
  }))
}

/** One name server at an address. */
export function serverSource(
  { connect }: LookupContext,
  address: TcpAddress,
  label: string,
  explain: (failure: DnsExchangeFailure) => string | Promise<string> = ({ message }) => message,
): DnsSource {
  return {
    label,
    async ask(name, type, signal) {
      const message = query(name, type)
      const encoded = encodeMessage(message)
      if (!encoded.ok) return encoded
      const answer = await exchangeOverTcp(address, message, encoded.value, { connect, signal })
      return answer.ok ? ok(answer.value.decoded.message) : err(await explain(answer.error))
    },
  }
}

/** Name servers as settings have them, `host:port` each. One that may not be asked answers with the reason. */
export function configuredSources(context: LookupContext, servers: readonly string[]): DnsSource[] {
  return servers.map((text) => {
    const address = parseServer(text, context.allowPrivateTargets)
    if (!address.ok) return { label: text, ask: async () => err(address.error) }
    return namedSource(context, address.value)
  })
}

/** A server that a caller has named: of why it did not answer only that is told which may be. */
function namedSource(context: LookupContext, address: TcpAddress): DnsSource {
  return serverSource(context, address, formatHostPort(address), ({ reason, message }) =>
    describeFailure(address, message, reason === 'unreachable', context.disclosure),
  )
}

/** Servers to ask instead of the resolvers, or after them. */
export interface PreferredServers {
  /** `host:port` each, of the provider's settings: asked first. */
  readonly nameservers?: readonly string[]
  /** `host:port` each: asked where no other source answers. */
  readonly fallbackNameservers?: readonly string[]
}

/** All sources that may know, the best first: settings, resolvers, the server that the records are written to. */
export function sourcesFor(context: LookupContext, servers: PreferredServers): DnsSource[] {
  return [
    ...configuredSources(context, servers.nameservers ?? []),
    ...resolverSources(context),
    ...fallbackSources(context, servers),
  ]
}

/** The provider's own servers, to be asked where no resolver can answer. */
export function fallbackSources(context: LookupContext, { fallbackNameservers = [] }: PreferredServers): DnsSource[] {
  return configuredSources(context, fallbackNameservers).map((source) => ({ ...source, isFallback: true }))
}

/** RD is set for servers that resolve too; others ignore it (RFC 1035 §4.1.1). */
function query(name: string, type: number): DnsMessage {
  const [high, low] = randomBytes(2)
  const id = ((high as number) << 8) | (low as number)
  const questions = [{ name, type, class: CLASS.IN }]
  return { ...emptyMessage(id, OPCODE.QUERY), recursionDesired: true, questions }
}
