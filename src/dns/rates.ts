/**
 * How often a provider lets itself be asked, and how it says that it was too often. The numbers that descriptors give stay
 * within what is published in every window; what else uses the same account is met by slowing down (pace.ts).
 */
import { fromUtf8 } from '../core/bytes.ts'
import type { HttpResponse } from '../core/http-client.ts'

export interface ProviderRate {
  /** Calls that may come at once after a rest. */
  readonly burst: number
  /** Calls per second in the long run. */
  readonly perSecond: number
  /** Does this answer say that the call was one too many, and was not carried out? */
  isThrottled(response: HttpResponse): boolean
}

/** RFC 6585 §4. */
export const isTooMany = ({ status }: HttpResponse): boolean => status === 429

/** For providers that also say it with another status, and a word in the body. */
export const saysTooMany =
  (status: number, pattern: RegExp) =>
  (response: HttpResponse): boolean =>
    isTooMany(response) || (response.status === status && pattern.test(fromUtf8(response.body) ?? ''))
