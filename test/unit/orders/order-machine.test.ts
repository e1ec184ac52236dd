import { describe, expect, it } from 'vitest'
import {
  type ActivePhase,
  type Job,
  MAX_RESTARTS,
  mayWakeEarly,
  newJob,
  ORDER_MACHINE,
  type Outcome,
  type Phase,
  transition as transitionWith,
} from '../../../src/orders/order-machine.ts'

const NOW = 1_000_000
const PHASES = Object.keys(ORDER_MACHINE) as ActivePhase[]
const TARGETS: readonly (ActivePhase | 'settled')[] = [...PHASES, 'settled']

const at = (phase: Phase, change: Partial<Job> = {}): Job => ({ ...newJob(NOW), phase, ...change })
/** Without luck, every wait is as long as it may be. */
const transition = (job: Job, outcome: Outcome, nowMs: number, random = 1): Job =>
  transitionWith(job, outcome, nowMs, () => random)
const isFinal = (job: Job) => job.phase === 'issued' || job.phase === 'failed'

/** Repeats an outcome, with the clock at each wake, until the job leaves the phase. */
function repeat(start: Job, outcome: (job: Job) => Outcome): { job: Job; steps: number } {
  let job = start
  let now = NOW
  for (let steps = 1; ; steps += 1) {
    job = transition(job, outcome(job), now)
    if (job.phase !== start.phase || steps > 100_000) return { job, steps }
    now = job.wakeAtMs ?? now
  }
}

describe('order machine', () => {
  it.each(PHASES)('ok: every listed move of %s works, every other throws', (phase) => {
    const { to } = ORDER_MACHINE[phase]
    const move = (target: ActivePhase | 'settled') => transition(at(phase), { kind: 'advance', to: target }, NOW)
    expect(to.map((target) => move(target).phase)).toEqual(to.map((each) => (each === 'settled' ? 'issued' : each)))
    for (const target of TARGETS.filter((each) => !to.includes(each))) {
      expect(() => move(target)).toThrow(`${phase} may not move to ${target}`)
    }
  })

  it('ok: every phase can be reached and none twice without a restart', () => {
    const seen = new Set<string>()
    const visit = (phase: ActivePhase, path: readonly string[]): void => {
      expect(path).not.toContain(phase)
      seen.add(phase)
      for (const next of ORDER_MACHINE[phase].to) if (next !== 'settled') visit(next, [...path, phase])
    }
    visit('new-order', [])
    expect([...seen].sort()).toEqual([...PHASES].sort())
  })

  it.each(PHASES)('ok: endless errors in %s end', (phase) => {
    const { job, steps } = repeat(at(phase), () => ({ kind: 'retry', reason: 'still broken' }))
    expect(steps).toBeLessThanOrEqual(ORDER_MACHINE[phase].maxErrors)
    expect(job.phase).toBe(phase === 'clean-up' ? 'issued' : 'clean-up')
  })

  it.each(PHASES)('ok: endless waiting in %s ends', (phase) => {
    const { job } = repeat(at(phase), () => ({ kind: 'wait', untilMs: NOW + 10 ** 12 }))
    expect(job.phase).toBe(phase === 'clean-up' ? 'issued' : 'clean-up')
    expect(job.warnings.length + (job.failure === null ? 0 : 1)).toBe(1)
  })

  it.each(PHASES)('ok: endless errors that say "in a year" end in %s too', (phase) => {
    const { job } = repeat(at(phase), () => ({ kind: 'retry', reason: 'later', notBeforeMs: NOW + 10 ** 12 }))
    expect(job.phase).not.toBe(phase)
  })

  it('ok: a failed clean-up keeps the certificate issued, with a warning', () => {
    const failed = transition(at('clean-up'), { kind: 'fail', failure: { code: 'x', message: 'y' } }, NOW)
    expect(failed).toMatchObject({ phase: 'issued', failure: null, warnings: ['x: y'], wakeAtMs: null })
  })

  it('ok: the first failure is kept when clean-up fails too', () => {
    const first = transition(at('authorize'), { kind: 'fail', failure: { code: 'ca', message: 'no' } }, NOW)
    expect(first.phase).toBe('clean-up')
    const last = transition(first, { kind: 'fail', failure: { code: 'dns', message: 'down' } }, NOW)
    expect(last).toMatchObject({ phase: 'failed', failure: { code: 'ca', message: 'no' }, warnings: ['dns: down'] })
  })

  it('ok: restarts are bounded', () => {
    let job = at('download')
    for (let restart = 1; restart <= MAX_RESTARTS; restart += 1) {
      job = transition(job, { kind: 'restart', reason: 'not ours' }, NOW)
      expect(job).toMatchObject({ phase: 'new-order', restarts: restart, errors: 0 })
      job = { ...job, phase: 'download' }
    }
    const last = transition(job, { kind: 'restart', reason: 'not ours' }, NOW)
    expect(last).toMatchObject({ phase: 'clean-up', failure: { code: 'conflict', message: 'not ours' } })
  })

  it('ok: a retry waits at least as long as the peer asked', () => {
    const asked = { kind: 'retry', reason: '429', notBeforeMs: NOW + 3_600_000 } as const
    expect(transition(at('finalize'), asked, NOW, 0).wakeAtMs).toBe(NOW + 3_600_000)
    const soon = transition(at('finalize'), { kind: 'retry', reason: '500', notBeforeMs: NOW - 5 }, NOW)
    expect(soon.wakeAtMs).toBe(NOW + 1_000)
  })

  it('ok: a failure of a look before the time is not counted, and changes no time', () => {
    let job = transition(at('present'), { kind: 'retry', reason: 'down' }, NOW)
    const { wakeAtMs } = job
    for (let refresh = 0; refresh < 50; refresh += 1) {
      job = transition(job, { kind: 'retry', reason: 'still down' }, NOW + 1)
    }
    expect(job).toMatchObject({ phase: 'present', errors: 1, wakeAtMs, lastError: { message: 'still down' } })
    const later = transition(job, { kind: 'retry', reason: 'down', notBeforeMs: NOW + 60_000 }, NOW + 1)
    expect(later).toMatchObject({ errors: 1, wakeAtMs: NOW + 60_000 })
    expect(transition(later, { kind: 'retry', reason: 'down' }, NOW + 60_000)).toMatchObject({ errors: 2 })
  })

  it.each(PHASES)('ok: a Retry-After of seven days does not outlive %s', (phase) => {
    const endMs = NOW + ORDER_MACHINE[phase].timeoutMs
    const inAMonth = NOW + 30 * 86_400_000
    const job = transition(at(phase), { kind: 'retry', reason: '503', notBeforeMs: inAMonth }, NOW)
    expect(job).toMatchObject({ phase, wakeAtMs: endMs, notBeforeMs: endMs })
    expect(transition(job, { kind: 'retry', reason: '503', notBeforeMs: inAMonth }, endMs).phase).not.toBe(phase)
  })

  it('ok: whoever wants a look before the time gets it, but not before the peer wants it', () => {
    const own = transition(at('authorize'), { kind: 'wait', untilMs: NOW + 15_000 }, NOW)
    expect([mayWakeEarly(own, NOW + 1), own.wakeAtMs]).toEqual([true, NOW + 15_000])
    const theirs = transition(at('authorize'), { kind: 'wait', untilMs: NOW, notBeforeMs: NOW + 15_000 }, NOW)
    expect([NOW + 14_999, NOW + 15_000].map((atMs) => mayWakeEarly(theirs, atMs))).toEqual([false, true])
    expect(theirs.wakeAtMs).toBe(NOW + 15_000)
  })

  it('ok: what it waits for, and what it broke of, is known until something else is', () => {
    const broken = transition(at('present'), { kind: 'retry', reason: 'zone not found', code: 'backend_error' }, NOW)
    expect(broken.lastError).toEqual({ code: 'backend_error', message: 'zone not found' })
    expect(broken.waitingFor).toContain('zone not found')
    const waiting = transition(broken, { kind: 'wait', untilMs: NOW + 1, waitingFor: 'the name servers' }, NOW + 1_000)
    expect(waiting).toMatchObject({ waitingFor: 'the name servers', lastError: null })
    const next = transition(waiting, { kind: 'advance', to: 'propagate' }, NOW + 2_000)
    expect(next).toMatchObject({ waitingFor: null, lastError: null })
  })

  it.each([
    ['the first time', 0, 1_000],
    ['the third time', 2, 15_000],
    ['the tenth time', 9, 300_000],
  ])('ok: what failed together is tried again at different times, %s', (_, errors, longestMs) => {
    for (const notBeforeMs of [0, NOW + 60_000]) {
      const wakes = [0, 0.25, 1].map(
        (chance) =>
          transition(at('authorize', { errors }), { kind: 'retry', reason: '500', notBeforeMs }, NOW, chance).wakeAtMs,
      )
      const earliestMs = Math.max(NOW, notBeforeMs)
      expect(wakes).toEqual([earliestMs, earliestMs + longestMs / 4, earliestMs + longestMs])
    }
  })

  it.each([
    ['errors that may pass begin anew', { kind: 'retry', reason: '503' }, 'new-order'],
    ['a wait that runs out does not', { kind: 'wait', untilMs: NOW }, 'failed'],
    ['a refusal does not', { kind: 'fail', failure: { code: 'backend_error', message: 'no' } }, 'failed'],
  ] as const)('ok: of an order with retry, %s', (_, outcome, end) => {
    const late = NOW + ORDER_MACHINE.propagate.timeoutMs
    const given = transition({ ...newJob(NOW, true), phase: 'propagate' }, outcome, late)
    expect(given.phase).toBe('clean-up')
    expect(transition(given, { kind: 'advance', to: 'settled' }, late).phase).toBe(end)
  })

  it('ok: a job at its end stays there', () => {
    for (const phase of ['issued', 'failed'] as const) {
      const job = at(phase, { wakeAtMs: null })
      expect(isFinal(transition(job, { kind: 'retry', reason: 'x' }, NOW))).toBe(true)
      expect(transition(job, { kind: 'advance', to: 'present' }, NOW)).toBe(job)
    }
  })
})
