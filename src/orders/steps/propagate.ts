/** Waits until the name servers show the values: asked, not slept for. */
import { logged } from '../order-state.ts'
import type { Step } from '../ports.ts'
import { awaitedRecords } from './present.ts'
import { advance, fail } from './step.ts'

/** The first looks come fast: most servers have the record at once. */
const FIRST_LOOK_MS = 150

export const propagate: Step = async (context, state) => {
  const look = await context.dns.look(awaitedRecords(state))
  const now = context.now()
  const noted = look.lines.reduce((current, line) => logged(current, now, line), state)
  if (look.complete) return advance(noted, 'respond')
  if (now - state.job.enteredAtMs >= look.timeoutMs) {
    const message = `the name servers did not show the TXT records within ${look.timeoutMs / 1000} s: ${look.lines.join('; ')}`
    return fail(context, noted, 'backend_timeout', message)
  }
  const waitMs = Math.min(FIRST_LOOK_MS * 2 ** state.polls, look.intervalMs)
  return {
    state: { ...noted, polls: state.polls + 1 },
    outcome: { kind: 'wait', untilMs: now + waitMs },
    entries: [],
  }
}
