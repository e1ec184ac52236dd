/** What a CA's or a DNS provider's failure means for an order, and for a caller of the API. */
import {
  type AcmeError,
  describeAcmeError,
  isProblem,
  isRateLimited,
  isTransient,
  retryAfterOf,
} from '../acme/acme-error.ts'
import { problemName } from '../acme/problem.ts'
import { AppError, type ErrorCode } from '../core/errors.ts'
import type { DnsProviderError } from '../dns/dns-provider.ts'

/** A failure of the CA or of DNS, sorted by what to do next. */
export interface PeerFailure {
  /** A code of the API's error table, or one of the order machine. */
  readonly code: string
  /** One plain sentence that says what the peer answered, without secrets. */
  readonly message: string
  /** Worth another try without changing anything? */
  readonly transient: boolean
  /** Epoch milliseconds before which there is no point in trying. */
  readonly retryAtMs: number | null
  /** RFC 8555 §6.7: the last part of the problem's type, where the CA sent one: `orderNotReady`. */
  readonly problemType: string | null
  /** Nothing is wrong: there are many calls, and this one's turn is at `retryAtMs`. */
  readonly isTurn?: boolean
  /** Of the HTTP answer, where a CA gave one. */
  readonly status?: number
}

/** An order tries again what may have been a passing fault: an odd body as well as no body. */
export function acmeFailure(error: AcmeError): PeerFailure {
  const passing = error.reason === 'bad_answer' || (error.reason === 'transport' && error.failure === 'too_large')
  return {
    code: codeOf(error),
    message: describe(error),
    transient: passing || isTransient(error),
    retryAtMs: retryAfterOf(error),
    problemType: error.reason === 'problem' ? problemName(error) : null,
    ...('status' in error ? { status: error.status } : {}),
  }
}

/** The same for somebody who waits for the answer. */
export function acmeAppError(error: AcmeError, nowMs: number): AppError {
  const retryAtMs = retryAfterOf(error)
  return new AppError(codeOf(error), describe(error), {
    ...(retryAtMs === null ? {} : { retryAfterSeconds: Math.max(1, Math.ceil((retryAtMs - nowMs) / 1000)) }),
  })
}

function describe(error: AcmeError): string {
  const said = describeAcmeError(error)
  return isProblem(error, 'accountDoesNotExist') ? `${said}; ${LOST}` : said
}

const LOST =
  'the CA has lost the account: register it anew (POST /v1/pki/acme/accounts/{id}/register), or give its certificates another account'

function codeOf(error: AcmeError): ErrorCode {
  if (isRateLimited(error)) return 'backend_rate_limited'
  switch (error.reason) {
    case 'transport':
      if (error.failure === 'timeout') return 'backend_timeout'
      return error.failure === 'blocked_target' ? 'invalid_request' : 'backend_error'
    case 'invalid_argument':
    case 'unsupported':
      return 'invalid_request'
    case 'problem':
    case 'bad_answer':
    case 'bad_nonce':
      return 'backend_error'
  }
}

/** A provider's failure: worth another try unless it was understood and refused. */
export function providerFailure(error: DnsProviderError, nowMs: number): PeerFailure {
  const transient = error.kind === 'rate_limited' || error.kind === 'unavailable'
  return {
    code: error.kind === 'rate_limited' ? 'backend_rate_limited' : 'backend_error',
    message: error.message,
    transient,
    retryAtMs: error.retryAfterSeconds === null ? null : nowMs + error.retryAfterSeconds * 1000,
    problemType: null,
  }
}
