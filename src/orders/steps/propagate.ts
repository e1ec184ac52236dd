/** Waits until the name servers show the values: asked, not slept for. */

import { forgetAuthorizations, logged, type OrderState } from '../order-state.ts'
import { awaitedRecords, forgetGoneRecords } from '../published.ts'
import type { Step } from '../step.ts'
import { advance, fail, restart } from '../step.ts'

/** The first polls come fast: most servers have the record at once. */
const FIRST_POLL_MS = 150

export const propagate: Step = async (context, state) => {
  const poll = await context.dns.poll(awaitedRecords(state))
  const now = context.now()
  const noted = withChanges(state, poll.lines, now)
  if (poll.complete) return advance(noted, 'respond')
  if (poll.providerGone === true) {
    // The order at the CA stays; its records are placed anew.
    const known = await forgetGoneRecords(context, noted)
    return restart(forgetAuthorizations(known), 'a DNS provider was removed')
  }
  if (now - state.job.enteredAtMs >= poll.timeoutMs) {
    const message = `the name servers did not show the TXT records within ${poll.timeoutMs / 1000} s: ${poll.lines.join('; ')}`
    return fail(context, noted, 'backend_timeout', message)
  }
  const waitMs = Math.min(FIRST_POLL_MS * 2 ** state.polls, poll.intervalMs)
  const waitingFor = `the name servers to show the TXT values: ${poll.lines.slice(0, MAX_SHOWN_LINES).join('; ')}`
  return {
    state: { ...noted, polls: state.polls + 1 },
    outcome: { kind: 'wait', untilMs: now + waitMs, waitingFor },
    entries: [],
  }
}

/** What differs from the last poll, so that the log of an order with many names does not have them all at every poll. */
function withChanges(state: OrderState, lines: readonly string[], nowMs: number): OrderState {
  const before = new Set(state.lastPoll)
  const news = lines.filter((line) => !before.has(line))
  const shown = news.slice(0, MAX_LINES_PER_POLL)
  const rest = news.length - shown.length
  const all = rest === 0 ? shown : [...shown, `and ${rest} more`]
  return all.reduce<OrderState>((current, line) => logged(current, nowMs, line), { ...state, lastPoll: lines })
}

/** Of a log that keeps two hundred. */
const MAX_LINES_PER_POLL = 20
const MAX_SHOWN_LINES = 3
