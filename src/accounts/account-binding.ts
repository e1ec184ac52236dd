/** What ties a new account to one that exists at the CA outside ACME (RFC 8555 §7.3.4): the caller's, or ZeroSSL's own. */
import { requestZeroSslCredentials } from '../acme/zerossl-credentials.ts'
import type { Clock } from '../core/clock.ts'
import { AppError } from '../core/errors.ts'
import type { HttpClient } from '../core/http-client.ts'
import type { EabCredentials } from './account-object.ts'

/** What of a registration decides about its binding. */
export interface BoundInput {
  readonly provider: string
  readonly directoryUrl: string | null
  readonly email: string | null
  readonly eab: EabCredentials | null
}

/** Is it ZeroSSL itself, and not another server by its name? */
export function isZeroSsl({ provider, directoryUrl }: BoundInput): boolean {
  return provider === 'zerossl' && directoryUrl === null
}

/** The caller's binding, or the one that ZeroSSL gives for an e-mail address; null where none is needed. Throws AppError. */
export async function bindingOf(
  { http, now }: { readonly http: HttpClient; readonly now: Clock },
  input: BoundInput,
): Promise<EabCredentials | null> {
  if (input.eab !== null || input.email === null || !isZeroSsl(input)) return input.eab
  const given = await requestZeroSslCredentials(http, input.email, now())
  if (given.ok) return { kid: given.value.keyId, hmacKey: given.value.macKey }
  const { kind, message, retryAtMs } = given.error
  throw new AppError(REFUSAL_CODES[kind], message, {
    ...(retryAtMs === null ? {} : { retryAfterSeconds: Math.max(1, Math.ceil((retryAtMs - now()) / 1000)) }),
  })
}

const REFUSAL_CODES = {
  timeout: 'backend_timeout',
  rate_limited: 'backend_rate_limited',
  failed: 'backend_error',
} as const
