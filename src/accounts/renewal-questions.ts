/**
 * What a CA has refused to say about renewals a moment ago, so that it is not asked again at once. Answers are not kept
 * here: the certificate's row has them, with the time of the next question.
 */
import { type AcmeError, retryAfterOf } from '../acme/acme-error.ts'
import { MAX_RENEWAL_INFO_RETRY_AFTER_MS, MIN_RENEWAL_INFO_RETRY_AFTER_MS } from '../acme/limits.ts'
import type { RenewalInfo } from '../acme/renewal-info.ts'
import type { Clock } from '../core/clock.ts'
import { err, type Result } from '../core/result.ts'

/** Certificates of one account of which a refusal is kept; the oldest are dropped first. */
const MAX_KEPT = 1_000

export class RenewalQuestions {
  readonly #now: Clock
  readonly #refusals = new Map<string, { readonly error: AcmeError; readonly untilMs: number }>()
  readonly #asking = new Map<string, Promise<Result<RenewalInfo, AcmeError>>>()

  constructor(now: Clock) {
    this.#now = now
  }

  /**
   * Asks, or gives the last refusal again where it is less than a minute old or its Retry-After is not over. Questions
   * about the same certificate at the same time are one.
   */
  ask(
    certificateId: string,
    question: () => Promise<Result<RenewalInfo, AcmeError>>,
  ): Promise<Result<RenewalInfo, AcmeError>> {
    const refused = this.#refusals.get(certificateId)
    if (refused !== undefined && this.#now() < refused.untilMs) return Promise.resolve(err(refused.error))
    const known = this.#asking.get(certificateId)
    if (known !== undefined) return known
    const asking = this.#begin(certificateId, question).finally(() => this.#asking.delete(certificateId))
    this.#asking.set(certificateId, asking)
    return asking
  }

  async #begin(
    certificateId: string,
    question: () => Promise<Result<RenewalInfo, AcmeError>>,
  ): Promise<Result<RenewalInfo, AcmeError>> {
    const answer = await question()
    this.#refusals.delete(certificateId)
    if (!answer.ok) this.#keep(certificateId, answer.error)
    return answer
  }

  #keep(certificateId: string, error: AcmeError): void {
    const [oldest] = this.#refusals.keys()
    if (this.#refusals.size >= MAX_KEPT && oldest !== undefined) this.#refusals.delete(oldest)
    const waitMs = (retryAfterOf(error) ?? 0) - this.#now()
    const boundedMs = Math.min(Math.max(waitMs, MIN_RENEWAL_INFO_RETRY_AFTER_MS), MAX_RENEWAL_INFO_RETRY_AFTER_MS)
    this.#refusals.set(certificateId, { error, untilMs: this.#now() + boundedMs })
  }
}
