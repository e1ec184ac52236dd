/**
 * Signed DNS questions and updates to one server. Turns every answer that is not a plain NOERROR into what it means
 * for whoever configured the server.
 */
import { randomBytes } from '../../core/bytes.ts'
import type { Clock } from '../../core/clock.ts'
import { type DisclosurePolicy, describeFailure } from '../../core/failure-disclosure.ts'
import { err, ok, type Result } from '../../core/result.ts'
import type { TcpAddress, TcpConnect } from '../../core/tcp.ts'
import type { DnsProviderError } from '../dns-provider.ts'
import { formatHostPort } from '../host-port.ts'
import { exchangeOverTcp } from '../tcp-exchange.ts'
import { RCODE, rcodeName, TSIG_ERROR, tsigErrorName } from '../wire/codes.ts'
import { type DnsMessage, encodeMessage } from '../wire/message.ts'
import { signRequest, type TsigFailure, type TsigKey, verifyAnswer } from '../wire/tsig.ts'

export interface Rfc2136Client {
  /** Sends the message signed; `what` says in errors what was tried (`add TXT`). The answer's signature is proved. */
  ask(message: DnsMessage, what: string, signal: AbortSignal): Promise<Result<DnsMessage, DnsProviderError>>
  /** An error about an answer that was proved. */
  failure(kind: DnsProviderError['kind'], what: string, message: string): DnsProviderError
}

export interface Rfc2136ClientOptions {
  readonly connect: TcpConnect
  readonly now: Clock
  readonly server: TcpAddress
  readonly key: TsigKey
  readonly disclosure?: DisclosurePolicy | undefined
}

/** A message id that cannot be guessed (RFC 5452 §9.2). */
export function randomMessageId(): number {
  const [high, low] = randomBytes(2)
  return ((high as number) << 8) | (low as number)
}

export function createRfc2136Client({ connect, now, server, key, disclosure }: Rfc2136ClientOptions): Rfc2136Client {
  const failure = (kind: DnsProviderError['kind'], what: string, message: string): DnsProviderError => ({
    kind,
    message: `rfc2136: ${what}: ${formatHostPort(server)} ${message}`,
    retryAfterSeconds: null,
  })

  return {
    failure,
    async ask(message, what, signal) {
      const encoded = encodeMessage(message)
      if (!encoded.ok) return err(failure('refused', what, `was not asked: ${encoded.error}`))
      const request = await signRequest(encoded.value, key, Math.floor(now() / 1000))
      const exchanged = await exchangeOverTcp(server, message, request.octets, { connect, signal })
      if (!exchanged.ok) {
        const { reason, message: said } = exchanged.error
        const why = await describeFailure(server, said, reason === 'unreachable', disclosure)
        return err(failure('unavailable', what, `did not answer: ${why}`))
      }
      const { octets, decoded } = exchanged.value
      const verified = await verifyAnswer(octets, decoded, key, request.mac, Math.floor(now() / 1000))
      if (verified.ok) return ok(decoded.message)
      const { kind, text } = describeTsigFailure(verified.error, decoded.message.rcode)
      return err(failure(kind, what, text))
    },
  }
}

function describeTsigFailure(failure: TsigFailure, rcode: number): { kind: DnsProviderError['kind']; text: string } {
  switch (failure.reason) {
    case 'rejected':
      return { kind: 'unauthorized', text: describeRejection(failure.error, failure.serverTimeSeconds) }
    case 'unsigned':
      return describeUnsigned(rcode)
    case 'other_key':
      return { kind: 'unavailable', text: 'signed its answer with another key, so it is not believed' }
    case 'bad_mac':
      return { kind: 'unavailable', text: "answered, but the answer's TSIG signature is wrong, so it is not believed" }
    case 'bad_time':
      return {
        kind: 'unavailable',
        text: `signed its answer ${Math.abs(failure.nowSeconds - failure.timeSignedSeconds)} seconds from now, so it is not believed: set its clock`,
      }
  }
}

function describeRejection(error: number, serverTimeSeconds: number | null): string {
  const name = tsigErrorName(error)
  switch (error) {
    case TSIG_ERROR.BADKEY:
      return `answered ${name}: it does not know a key of that name and algorithm; compare tsig_key and tsig_algorithm with its configuration`
    case TSIG_ERROR.BADSIG:
      return `answered ${name}: the signature is wrong; compare tsig_secret and tsig_algorithm with its configuration`
    case TSIG_ERROR.BADTIME: {
      const clock = serverTimeSeconds === null ? '' : ` (its clock says ${serverTimeSeconds} seconds since 1970)`
      return `answered ${name}: the clocks differ too much${clock}`
    }
    default:
      return `answered ${name} to the signature`
  }
}

/**
 * RFC 8945 §5.4: an answer without TSIG is not believed, so it cannot be success. What it says is passed on where it
 * helps: a server that knows no TSIG or no UPDATE answers so.
 */
function describeUnsigned(rcode: number): { kind: DnsProviderError['kind']; text: string } {
  const answered = `answered ${rcodeName(rcode)} without a TSIG signature`
  if (rcode === RCODE.REFUSED || rcode === RCODE.NOTIMP || rcode === RCODE.FORMERR) {
    return { kind: 'refused', text: `${answered}; does it take signed updates?` }
  }
  return { kind: 'unavailable', text: `${answered}, so it is not believed` }
}
