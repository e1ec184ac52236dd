/** Why a CA did not do what was asked: plain data, so that it crosses Durable Object RPC. Carries no key, nonce or MAC. */
import type { HttpFailure } from '../core/http-client.ts'
import { unreachable } from '../core/result.ts'
import { type AcmeProblem, describeProblem, problemName } from './problem.ts'

/** The CA refused with a problem document (RFC 8555 §6.7). */
export interface ProblemError extends AcmeProblem {
  readonly reason: 'problem'
  /** The request's address. */
  readonly url: string
  /** Of the HTTP response. */
  readonly status: number
  /** Epoch milliseconds: not before then. */
  readonly retryAfterMs: number | null
  /** RFC 8555 §7.3.3: `Link: rel="terms-of-service"`, where the terms have to be agreed to. */
  readonly termsOfServiceUrl: string | null
  /** `Link: rel="help"`. */
  readonly helpUrl: string | null
  /** RFC 8555 §7.3.5: the account that the new key belongs to already, on 409. */
  readonly accountUrl: string | null
}

/** An answer that is not ACME's: an HTML page, a status without a problem document, an object of another shape. */
export interface BadAnswerError {
  readonly reason: 'bad_answer'
  /** status: an error without a problem document; not_acme: no such media type or no JSON; shape: JSON of another shape. */
  readonly wrong: 'status' | 'not_acme' | 'shape'
  readonly url: string
  readonly status: number
  readonly message: string
  /** The first bytes of the body, printable. */
  readonly excerpt: string
  readonly retryAfterMs: number | null
}

/** There was no answer, or none was allowed. */
export interface TransportError {
  readonly reason: 'transport'
  readonly failure: HttpFailure['reason']
  readonly url: string
  readonly message: string
}

/** RFC 8555 §6.5: the CA refused one nonce after another, its own new ones included. */
export interface BadNonceError {
  readonly reason: 'bad_nonce'
  readonly url: string
  readonly attempts: number
  readonly detail: string | null
}

/** The CA does not offer that at all: key rollover, renewal information, a profile. Nothing was sent. */
export interface UnsupportedError {
  readonly reason: 'unsupported'
  readonly feature: 'keyChange' | 'renewalInfo' | 'newAuthz' | 'profile'
  readonly message: string
}

/** The caller asked for something that cannot be right. Nothing was sent. */
export interface InvalidArgumentError {
  readonly reason: 'invalid_argument'
  readonly argument: string
  readonly message: string
}

export type AcmeError =
  | ProblemError
  | BadAnswerError
  | TransportError
  | BadNonceError
  | UnsupportedError
  | InvalidArgumentError

/** Is the same request worth sending again later? */
export function isTransient(error: AcmeError): boolean {
  // RFC 9110 §15.6.2: the server "does not support the functionality required to fulfill the request".
  if ('status' in error && NEVER_STATUSES.has(error.status)) return false
  switch (error.reason) {
    case 'problem':
      return isTransientStatus(error.status) || TRANSIENT_PROBLEMS.has(problemName(error) ?? '')
    case 'bad_answer':
      // A page in the way of an API that exists (maintenance, a load balancer) goes away; another shape does not.
      return isTransientStatus(error.status) || (error.wrong === 'not_acme' && error.status < 300)
    case 'transport':
      return isTransientFailure(error.failure)
    case 'bad_nonce':
      return true
    case 'unsupported':
    case 'invalid_argument':
      return false
    default:
      return unreachable(error, 'ACME error')
  }
}

/** The CA's limit, as opposed to any other refusal (RFC 8555 §6.6). */
export function isRateLimited(error: AcmeError): boolean {
  if (error.reason === 'problem') return error.status === 429 || problemName(error) === 'rateLimited'
  return error.reason === 'bad_answer' && error.status === 429
}

/** Epoch milliseconds before which the CA does not want the request again, or null where it did not say. */
export function retryAfterOf(error: AcmeError): number | null {
  return error.reason === 'problem' || error.reason === 'bad_answer' ? error.retryAfterMs : null
}

/** Is it this error type of RFC 8555 §6.7, without the `urn:` prefix? */
export function isProblem(error: AcmeError, name: string): boolean {
  return error.reason === 'problem' && problemName(error) === name
}

/** One plain sentence for a person, with what the CA said. */
export function describeAcmeError(error: AcmeError): string {
  switch (error.reason) {
    case 'problem': {
      const terms = error.termsOfServiceUrl === null ? '' : `; the terms of service are at ${error.termsOfServiceUrl}`
      const help = error.helpUrl === null ? '' : `; see ${error.helpUrl}`
      const instance = error.instanceUrl === null ? '' : `; go to ${error.instanceUrl}`
      return `the CA refused (${error.status}): ${describeProblem(error)}${instance}${terms}${help}`
    }
    case 'bad_answer':
      return `${error.url} ${error.message}`
    case 'transport':
      return `${error.url}: ${error.message}`
    case 'bad_nonce': {
      const detail = error.detail === null ? '' : `: ${error.detail}`
      return `${error.url} refused ${error.attempts} nonces in a row${detail}`
    }
    case 'unsupported':
    case 'invalid_argument':
      return error.message
    default:
      return unreachable(error, 'ACME error')
  }
}

/** Problems that mean a fault of the CA itself, under every status. */
const TRANSIENT_PROBLEMS: ReadonlySet<string> = new Set(['serverInternal', 'rateLimited', 'badNonce'])

/** 501 Not Implemented and 505 HTTP Version Not Supported: server errors that no waiting mends. */
const NEVER_STATUSES: ReadonlySet<number> = new Set([501, 505])

function isTransientStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}

function isTransientFailure(failure: HttpFailure['reason']): boolean {
  switch (failure) {
    case 'timeout':
    case 'unreachable':
      return true
    case 'blocked_target':
    case 'too_large':
    case 'too_many_redirects':
      return false
    default:
      return unreachable(failure, 'HTTP failure')
  }
}
