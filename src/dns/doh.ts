/** One DNS question over HTTPS (RFC 8484). Does not retry and knows no resolver by itself. */
import { type HttpClient, mediaTypeOf } from '../core/http-client.ts'
import { err, ok, type Result } from '../core/result.ts'
import { DNS_TIMEOUT_MS, MAX_MESSAGE_OCTETS } from './limits.ts'
import { checkAnswer } from './tcp-exchange.ts'
import { type DnsMessage, encodeMessage } from './wire/message.ts'

/** RFC 8484 §6. */
const DNS_MESSAGE = 'application/dns-message'

/** Asks the resolver at `url`. The error is a sentence. */
export async function exchangeOverHttps(
  http: HttpClient,
  url: string,
  message: DnsMessage,
  signal?: AbortSignal,
): Promise<Result<DnsMessage, string>> {
  // RFC 8484 §4.1: "DNS API clients SHOULD use a DNS ID of 0 in every DNS request".
  const asked = { ...message, id: 0 }
  const encoded = encodeMessage(asked)
  if (!encoded.ok) return err(encoded.error)
  const response = await http({
    method: 'POST',
    url,
    headers: { accept: DNS_MESSAGE, 'content-type': DNS_MESSAGE },
    body: encoded.value,
    timeoutMs: DNS_TIMEOUT_MS,
    maxBytes: MAX_MESSAGE_OCTETS,
    ...(signal === undefined ? {} : { signal }),
  })
  if (!response.ok) return err(response.error.message)
  // RFC 8484 §4.2.1: a 2xx carries an answer whatever its RCODE; anything else says nothing about the name.
  if (response.value.status !== 200) return err(`answered HTTP ${response.value.status}`)
  const mediaType = mediaTypeOf(response.value.headers)
  if (mediaType !== DNS_MESSAGE) return err(`answered ${mediaType || 'without a media type'}, not ${DNS_MESSAGE}`)
  const answer = checkAnswer(response.value.body, asked)
  return answer.ok ? ok(answer.value.decoded.message) : err(answer.error.message)
}
