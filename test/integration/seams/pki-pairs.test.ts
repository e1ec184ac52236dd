/**
 * Where two operations of the internal PKI meet in one row: each pair in both orders, each overtaken by each, and each with an
 * answer that is lost after its commit and asked for again. Afterwards the rules of the house hold.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { bodyOf, maintain, ofEvent, type WatchedApp, watchedApp } from '../support/pki-world.ts'
import { type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'
import { brokenRules } from './house-rules.ts'
import { newScene, OPERATIONS, type Operation, PAIRS } from './pki-scene.ts'

let first: WatchedApp
let second: TestApp

beforeAll(async () => {
  first = await watchedApp()
  second = await testApp()
})

/** An operation is done, or refused with a reason: there is no third. */
const ANSWERS = [200, 201, 204, 404, 409, 422]

const NAMED_PAIRS = PAIRS.map(([one, other]) => [one.name, other.name, one, other] as const)

const partsOf = (...operations: readonly Operation[]) => operations.flatMap(({ needs }) => needs)

const statusesOutsideOf = (...answers: readonly TestAnswer[]): string[] =>
  answers.filter(({ status }) => !ANSWERS.includes(status)).map(({ status, text }) => `${status} ${text}`)

describe('one after the other', () => {
  it.each(NAMED_PAIRS)('ok: %s, then %s', async (_one, _other, one, other) => {
    const scene = await newScene(second, partsOf(one, other))
    const answers = [await one.run(second, scene), await other.run(second, scene)]
    await maintain(second)
    expect([...statusesOutsideOf(...answers), ...(await brokenRules(second, scene))]).toEqual([])
    // What comes first has nobody in its way.
    expect(answers[0]?.status === 409).toBe(one.isRefusedAlone)
  })
})

describe('at once', () => {
  // What is refused before it writes can be overtaken by nobody.
  const overtakable = NAMED_PAIRS.filter(([, , one]) => !one.isRefusedAlone)

  it.each(overtakable)('ok: %s, overtaken by %s', async (_one, _other, one, other) => {
    const scene = await newScene(second, partsOf(one, other))
    const answers: TestAnswer[] = []
    first.commits.once(
      () => true,
      async () => {
        answers.push(await other.run(second, scene))
      },
    )
    answers.push(await one.run(first.app, scene))
    first.commits.before = async () => undefined
    await maintain(second)
    expect(answers).toHaveLength(2)
    expect([...statusesOutsideOf(...answers), ...(await brokenRules(second, scene))]).toEqual([])
  })
})

describe('an answer that is lost', () => {
  it.each(OPERATIONS.map((operation) => [operation.name, operation] as const))(
    'ok: %s, committed and asked for again',
    async (_name, operation) => {
      const scene = await newScene(second, operation.needs)
      let lost = 0
      const lossy = await testApp({
        wrapStore: (store) => ({
          ...store,
          async commit(work) {
            const outcome = await store.commit(work)
            if (lost > 0 || !ofEvent(operation.event)(work)) return outcome
            lost += 1
            throw new Error('the connection was lost')
          },
        }),
      })
      const answers = [await operation.run(lossy, scene), await operation.run(second, scene)]
      await maintain(second)
      expect(await brokenRules(second, scene)).toEqual([])
      expect([lost, answers[0]?.status, ANSWERS.includes(answers[1]?.status ?? 0)]).toEqual(
        operation.isRefusedAlone ? [0, 409, true] : [1, 500, true],
      )
    },
  )
})

it('ok: the journal of all of this holds', async () => {
  expect(await brokenLinks(second)).toEqual([])
})

/** Entries that do not follow from the one before them, over the whole journal. */
async function brokenLinks(app: TestApp): Promise<number[]> {
  const broken: number[] = []
  for (let cursor = ''; ; ) {
    const page = bodyOf(await app.request('GET', `/v1/audit/verify${cursor}`))
    if (!page.holds) broken.push(page.broken_at)
    if (!page.has_more) return broken
    cursor = `?cursor=${page.cursor}`
  }
}
