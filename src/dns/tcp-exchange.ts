/**
 * One DNS message and its answer over a TCP connection of its own (RFC 7766). Checks that the answer belongs to the
 * question; does not check who gave it (wire/tsig.ts) and does not retry.
 */
import { type Bytes, concatBytes } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { TcpAddress, TcpConnect, TcpConnection } from '../core/tcp.ts'
import { DNS_TIMEOUT_MS, MAX_MESSAGE_OCTETS } from './limits.ts'
import { OPCODE, RCODE } from './wire/codes.ts'
import { type DecodedMessage, type DnsMessage, decodeMessage } from './wire/message.ts'
import { uint16 } from './wire/octets.ts'

export interface TcpExchangeOptions {
  readonly connect: TcpConnect
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** An answer, and the octets that it was read from. */
export interface DnsAnswer {
  readonly octets: Bytes
  readonly decoded: DecodedMessage
}

export type DnsExchangeFailure =
  | { readonly reason: 'timeout'; readonly message: string }
  | { readonly reason: 'aborted'; readonly message: string }
  | { readonly reason: 'unreachable'; readonly message: string }
  | { readonly reason: 'bad_answer'; readonly message: string }

/** Sends `request` (octets of `message`) and reads one answer. Always closes its connection. */
export async function exchangeOverTcp(
  address: TcpAddress,
  message: DnsMessage,
  request: Bytes,
  options: TcpExchangeOptions,
): Promise<Result<DnsAnswer, DnsExchangeFailure>> {
  if (request.length > MAX_MESSAGE_OCTETS) {
    return err({ reason: 'bad_answer', message: `the question is longer than ${MAX_MESSAGE_OCTETS} octets` })
  }
  const timeoutMs = options.timeoutMs ?? DNS_TIMEOUT_MS
  const timeout = AbortSignal.timeout(timeoutMs)
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
  let connection: TcpConnection | null = null
  try {
    signal.throwIfAborted()
    connection = options.connect(address)
    const octets = await untilAborted(signal, talk(connection, request))
    return octets === null
      ? err({ reason: 'unreachable', message: 'the connection was closed before an answer' })
      : checkAnswer(octets, message)
  } catch (error) {
    if (options.signal?.aborted === true) return err({ reason: 'aborted', message: 'the question was given up' })
    if (timeout.aborted) return err({ reason: 'timeout', message: `no answer within ${timeoutMs / 1000} seconds` })
    return err({ reason: 'unreachable', message: describeCause(error) })
  } finally {
    // Not awaited: closing waits for what the peer has yet to take, and a peer that takes nothing would keep us here.
    connection?.close().catch(() => undefined)
  }
}

/** Does the answer belong to the question? The id, the kind and the question have to come back (RFC 5452 §9.1). */
export function checkAnswer(octets: Bytes, message: DnsMessage): Result<DnsAnswer, DnsExchangeFailure> {
  const bad = (what: string) => err({ reason: 'bad_answer' as const, message: what })
  const decoded = decodeMessage(octets)
  if (!decoded.ok) {
    return bad(`the answer is not a DNS message (${decoded.error.reason} at octet ${decoded.error.offset})`)
  }
  const answer = decoded.value.message
  if (!answer.response || answer.id !== message.id || answer.opcode !== message.opcode) {
    return bad('the answer belongs to another question')
  }
  // RFC 7766 §8: over TCP nothing is truncated, since a message may have 65,535 octets.
  if (answer.truncated) return bad('the answer is cut short')
  const [asked] = message.questions
  const [echoed] = answer.questions
  if (answer.questions.length === 0 && mayOmitQuestion(answer)) return ok({ octets, decoded: decoded.value })
  const same = answer.questions.length === 1 && echoed?.name === asked?.name && echoed?.type === asked?.type
  return same && echoed?.class === asked?.class
    ? ok({ octets, decoded: decoded.value })
    : bad('the answer belongs to another question')
}

/** RFC 2136 §3.8 lets an UPDATE's answer leave its sections out, and a server that cannot read a query cannot repeat it. */
function mayOmitQuestion(answer: DnsMessage): boolean {
  return answer.opcode === OPCODE.UPDATE || (answer.rcode !== RCODE.NOERROR && answer.rcode !== RCODE.NXDOMAIN)
}

/** RFC 1035 §4.2.2: each message is preceded by its length in two octets. Null where the peer closed too early. */
async function talk(connection: TcpConnection, request: Bytes): Promise<Bytes | null> {
  const writer = connection.writable.getWriter()
  // RFC 7766 §8: length and message "at the same time", in one write.
  await writer.write(concatBytes(uint16(request.length), request))
  const reader = connection.readable.getReader()
  const chunks: Uint8Array[] = []
  let received = 0
  let expected = 2
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return null
    chunks.push(value)
    received += value.length
    if (received < expected) continue
    const octets = concatBytes(...chunks)
    expected = 2 + (((octets[0] as number) << 8) | (octets[1] as number))
    if (received >= expected) return octets.slice(2, expected)
  }
}

/** The promise's result, or a rejection as soon as the signal aborts: a stream's read cannot be aborted itself. */
function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function describeCause(error: unknown): string {
  // workerd puts the kind of its own errors in front of them.
  const message = error instanceof Error ? error.message.replace(/^jsg\.Error: /, '') : ''
  return message === '' ? 'the connection failed' : message.slice(0, 300)
}
