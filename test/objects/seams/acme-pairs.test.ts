/**
 * Where two operations meet in one certificate that came by ACME: each pair one after the other, and each while a renewal is
 * at every one of its steps. Afterwards the rules of the house hold.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { prepare } from '../support/product.ts'
import { brokenRules } from './acme-rules.ts'
import { type AcmeOperation, type Answer, newScene, OPERATIONS, RENEW, settle } from './acme-scene.ts'

beforeAll(prepare)

/** An operation is done, or refused with a reason: there is no third. */
const ANSWERS = [200, 201, 202, 204, 404, 409, 422]

/** A crash may cost an answer. What was asked for is done once or not at all, all the same. */
const statusesOutsideOf = (operations: readonly AcmeOperation[], answers: readonly Answer[]): string[] =>
  answers
    .filter(({ status }) => !ANSWERS.includes(status) && operations.every(({ name }) => name !== 'crash'))
    .map(({ status, json }) => `${status} ${JSON.stringify(json)}`)

describe('one after the other', () => {
  it.each(OPERATIONS.map((one) => [one.name, one] as const))('ok: %s, then each of the others', async (_name, one) => {
    const found = await Promise.all(
      OPERATIONS.map(async (other) => {
        const scene = await newScene()
        const answers = [await one.run(scene)]
        await settle(scene)
        answers.push(await other.run(scene))
        await settle(scene)
        const broken = [...statusesOutsideOf([one, other], answers), ...(await brokenRules(scene))]
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
        const broken = [...statusesOutsideOf([operation], answers), ...(await brokenRules(scene))]
        return broken.map((rule) => `${operation.name} after ${momentMs} ms: ${rule}`)
      }),
    )
    expect(found.flat()).toEqual([])
  })
})
