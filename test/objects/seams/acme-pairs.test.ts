/**
 * Where two operations meet in one certificate that came by ACME: each pair one after the other, and each while a renewal is
 * at every one of its steps. Afterwards the rules of the house hold.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { prepare } from '../support/product.ts'
import { brokenRules } from './acme-rules.ts'
import { type AcmeScene, type Answer, CRASH, newScene, OPERATIONS, RENEW, settle } from './acme-scene.ts'

beforeAll(prepare)

/** An operation is done, or refused with a reason: there is no third. */
const ANSWERS = [200, 201, 202, 204, 400, 404, 409, 422]

const statusesOutsideOf = (...answers: readonly Answer[]): string[] =>
  answers
    .filter(({ status }) => !ANSWERS.includes(status))
    .map(({ status, json }) => `${status} ${JSON.stringify(json)}`)

const LASTING = OPERATIONS.filter(({ leavesState }) => leavesState)

describe('one after the other', () => {
  it.each(LASTING.map((one) => [one.name, one] as const))('ok: %s, then each of the others', async (_name, one) => {
    const found = await Promise.all(
      OPERATIONS.map(async (other) => {
        const scene = await newScene()
        const answers = [await one.run(scene)]
        await settle(scene)
        answers.push(await other.run(scene))
        await settle(scene)
        const broken = [...statusesOutsideOf(...answers), ...(await brokenRules(scene))]
        return broken.map((rule) => `${one.name}, then ${other.name}: ${rule}`)
      }),
    )
    expect(found.flat()).toEqual([])
  })
})

/** Milliseconds into a renewal: from before its order is opened to after its certificate is there. */
const MOMENTS = [0, 20, 50, 100, 150, 200, 300, 450]

describe('while a renewal runs', () => {
  it.each(OPERATIONS.map((operation) => [operation.name, operation] as const))('ok: %s', async (_name, operation) => {
    const found = await Promise.all(
      MOMENTS.map(async (momentMs) => {
        const scene = await newScene()
        const renewal = RENEW.run(scene)
        await scheduler.wait(momentMs)
        const answers = [await operation.run(scene), await renewal]
        await settle(scene)
        const broken = [...statusesOutsideOf(...answers), ...(await brokenRules(scene))]
        return broken.map((rule) => `${operation.name} after ${momentMs} ms: ${rule}`)
      }),
    )
    expect(found.flat()).toEqual([])
  })

  it('ok: crash, again and again', async () => {
    const scenes = await Promise.all(MOMENTS.map(() => newScene()))
    // A crash may cost an answer: what was asked for is done once or not at all, all the same.
    const renewals = scenes.map((scene) => RENEW.run(scene).catch(() => null))
    for (const momentMs of MOMENTS) {
      await scheduler.wait(momentMs / 2)
      await CRASH.run(scenes[0] as AcmeScene)
    }
    await Promise.all(renewals)
    const found: string[][] = []
    for (const scene of scenes) {
      await settle(scene)
      found.push(await brokenRules(scene))
    }
    expect(found.flat()).toEqual([])
  })
})
