/** How often a CA that refuses is asked when it wants a certificate renewed. */
import { beforeEach, expect, it } from 'vitest'
import { RenewalQuestions } from '../../../src/accounts/renewal-questions.ts'
import type { AcmeError } from '../../../src/acme/acme-error.ts'
import { err, ok } from '../../../src/core/result.ts'

const NOW_MS = Date.UTC(2026, 10, 20, 12)
const WINDOW = { startMs: NOW_MS, endMs: NOW_MS + 1, explanationUrl: null, retryAfterMs: null }

let nowMs = NOW_MS
let asked = 0
let questions: RenewalQuestions
beforeEach(() => {
  nowMs = NOW_MS
  asked = 0
  questions = new RenewalQuestions(() => nowMs)
})

const refusal = (retryAfterMs: number | null): AcmeError => ({
  reason: 'bad_answer',
  wrong: 'status',
  url: 'https://ca.example/renewal-info/a.b',
  status: 503,
  message: 'answered 503, without a problem document',
  excerpt: '',
  retryAfterMs,
})
const refusing = (retryAfterMs: number | null) => async () => {
  asked += 1
  return err(refusal(retryAfterMs))
}
const answering = async () => {
  asked += 1
  return ok(WINDOW)
}

it('fail: a CA that refuses is asked once a minute, and the refusal is given again until then', async () => {
  for (let call = 0; call < 3; call += 1) {
    expect(await questions.ask('a.b', refusing(null))).toEqual(err(refusal(null)))
    nowMs += 20_000 - 1
  }
  expect(asked).toBe(1)
  nowMs += 3
  expect(await questions.ask('a.b', answering)).toEqual(ok(WINDOW))
  expect(await questions.ask('a.b', answering)).toEqual(ok(WINDOW))
  expect(asked).toBe(3)
})

it('fail: not before its Retry-After, where that is later, and a day later at the latest', async () => {
  const hour = NOW_MS + 3_600_000
  await questions.ask('a.b', refusing(hour))
  nowMs = hour - 1
  expect(await questions.ask('a.b', answering)).toEqual(err(refusal(hour)))
  nowMs = hour
  expect(await questions.ask('a.b', answering)).toEqual(ok(WINDOW))
  await questions.ask('c.d', refusing(nowMs + 7 * 86_400_000))
  nowMs += 86_400_000
  expect(await questions.ask('c.d', answering)).toEqual(ok(WINDOW))
})

it('ok: at the same time one question, and another certificate is another question', async () => {
  const same = await Promise.all([1, 2, 3].map(() => questions.ask('a.b', answering)))
  expect(same).toEqual([ok(WINDOW), ok(WINDOW), ok(WINDOW)])
  expect(asked).toBe(1)
  await questions.ask('a.b', refusing(null))
  expect(await questions.ask('c.d', answering)).toEqual(ok(WINDOW))
})

it('fail: a question that throws is asked anew', async () => {
  const broken = () => Promise.reject(new Error('the isolate is gone'))
  await expect(questions.ask('a.b', broken)).rejects.toThrow('the isolate is gone')
  expect(await questions.ask('a.b', answering)).toEqual(ok(WINDOW))
})
