/** What can still happen to an internal PKI whose certificates have ended: the rules of the house hold then too. */
import { beforeAll, describe, expect, it } from 'vitest'
import { maintain } from '../support/pki-world.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'
import { brokenRules } from './house-rules.ts'
import { newScene, OPERATIONS, type PkiScene, type ScenePart } from './pki-scene.ts'

const DAY_MS = 86_400_000
/** Longer than the leaves of a scene live, and shorter than its CAs do. */
const LATER_MS = 90 * DAY_MS

let app: TestApp
const scenes = new Map<string, PkiScene>()

beforeAll(async () => {
  app = await testApp()
  for (const { name, needs } of OPERATIONS) scenes.set(name, await newScene(app, needs as readonly ScenePart[]))
  await maintain(app)
  app.nowMs += LATER_MS
})

describe('after their end', () => {
  it.each(OPERATIONS.map((operation) => [operation.name, operation] as const))('ok: %s', async (name, operation) => {
    const scene = scenes.get(name) as PkiScene
    const { status } = await operation.run(app, scene)
    await maintain(app)
    expect([status === 409, status < 500]).toEqual([operation.isRefusedAlone, true])
    expect(await brokenRules(app, scene)).toEqual([])
  })
})
