/**
 * ZeroSSL's credentials for external account binding (RFC 8555 §7.3.4), which it gives to anyone who names an e-mail address:
 * no account at its web site is needed (zerossl.com/documentation/acme). Not part of ACME. Stores and retries nothing.
 */
import { z } from 'zod'
import { type HttpClient, mediaTypeOf, parseJson } from '../core/http-client.ts'
import { err, ok, type Result } from '../core/result.ts'
import { parseRetryAfter } from '../core/retry-after.ts'
import type { ExternalAccountBinding } from './external-account-binding.ts'
import { MAX_ERROR_RETRY_AFTER_MS, REQUEST_TIMEOUT_MS } from './limits.ts'
import { cleanText } from './problem.ts'

const CREDENTIALS_URL = 'https://api.zerossl.com/acme/eab-credentials-email'
/** The answer is under 200 bytes. */
const MAX_ANSWER_BYTES = 16_384

export interface CredentialsRefusal {
  readonly kind: 'timeout' | 'rate_limited' | 'failed'
  /** What ZeroSSL answered, as one plain sentence. */
  readonly message: string
  /** Epoch milliseconds, where it said so. */
  readonly retryAtMs: number | null
}

/** Asks for new credentials. ZeroSSL counts them per day and address: they can be used again, but this keeps none. */
export async function requestZeroSslCredentials(
  http: HttpClient,
  email: string,
  nowMs: number,
): Promise<Result<ExternalAccountBinding, CredentialsRefusal>> {
  const answer = await http({
    method: 'POST',
    url: CREDENTIALS_URL,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: new URLSearchParams({ email }).toString(),
    timeoutMs: REQUEST_TIMEOUT_MS,
    maxBytes: MAX_ANSWER_BYTES,
  })
  if (!answer.ok) {
    const kind = answer.error.reason === 'timeout' ? 'timeout' : 'failed'
    return err({
      kind,
      message: `ZeroSSL could not be asked for credentials: ${answer.error.message}`,
      retryAtMs: null,
    })
  }
  const { status, headers, body } = answer.value
  const isJson = mediaTypeOf(headers) === 'application/json'
  const json = isJson ? parseJson(body) : null
  const said = answerShape.safeParse(json?.ok === true ? json.value : null)
  const { success, eab_kid: keyId, eab_hmac_key: macKey, error } = said.success ? said.data : {}
  if (status === 200 && success === true && keyId && macKey) return ok({ keyId, macKey })
  const retryAtMs = parseRetryAfter(headers, nowMs, { maxMs: MAX_ERROR_RETRY_AFTER_MS })
  // Nothing else of the body is quoted: it may hold credentials.
  const type = cleanText(error?.type)
  const why =
    type === null ? `it answered ${status}${isJson ? '' : ' without JSON'}` : `${type} (${error?.code ?? status})`
  const isLimit = status === 429 || TOO_MANY.has(Number(error?.code))
  return err({
    kind: isLimit ? 'rate_limited' : 'failed',
    message: `ZeroSSL gave no credentials for the e-mail address: ${why}`,
    retryAtMs,
  })
}

/** too_many_eab_credentials_created_today, too_many_eab_credentials_created_for_user */
const TOO_MANY: ReadonlySet<number> = new Set([2904, 2905])

const answerShape = z.object({
  // Documented as 1, sent as true.
  success: z.preprocess((value) => (value === 1 ? true : value === 0 ? false : value), z.boolean()).optional(),
  eab_kid: z.string().min(1).max(512).nullish(),
  eab_hmac_key: z.string().min(1).max(1_024).nullish(),
  error: z
    .object({ code: z.number().int().optional(), type: z.string().max(200).optional() })
    .nullish()
    .catch(null),
})
