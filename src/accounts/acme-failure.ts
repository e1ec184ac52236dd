/** What a CA's failure means for an order, and for a caller of the API. */
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
import type { PeerFailure } from '../core/peer-failure.ts'

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

/** The same for a caller who waits for the answer. */
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
