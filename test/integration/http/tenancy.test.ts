/**
 * Two tenants with the same names everywhere. One asks every route of the OpenAPI document with the other's ids, in path, query and body, and
 * hears what it would hear of things that nobody has; no answer to it holds a text or an id of the other. The requests: see
 * test/support/every-route/route-case.ts, which also says how a new route gets its ids.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { ID_PREFIXES } from '../../../src/core/ids.ts'
import type { Scope } from '../../../src/core/principal.ts'
import { gaps, WALK, type Walked } from '../../support/every-route/all-cases.ts'
import type { FilledTenant } from '../../support/every-route/filled-tenant.ts'
import { idFields, operationOf, type Place, placesOf, withPlace } from '../../support/every-route/places.ts'
import type { Asked } from '../../support/every-route/route-case.ts'
import { filledApp, newFilledTenant } from '../support/filled-app.ts'
import { changesSince, changesUntilNow, watchChanges } from '../support/stored-changes.ts'
import { storedRows } from '../support/stored-rows.ts'
import { newTenant, type TestAnswer, type TestApp } from '../support/worker-app.ts'

const MARK = 'mark-theirs'
const ID = new RegExp(`^(${Object.values(ID_PREFIXES).join('|')})[0-9a-z]{26}(_\\d+)?$`)
const ANY_ID = new RegExp(`\\b(${Object.values(ID_PREFIXES).join('|')})[0-9a-z]{26}`, 'g')

let app: TestApp
let theirs: FilledTenant
let own: FilledTenant
// biome-ignore lint/suspicious/noExplicitAny: a document of any shape.
let document: any

beforeAll(async () => {
  app = await filledApp()
  theirs = await newFilledTenant(app, await newTenant('the others'), MARK)
  own = await newFilledTenant(app, await newTenant('those who ask'), 'mark-own')
  document = (await app.request('GET', '/v1/openapi.json', { token: null })).json
  await watchChanges()
})

const byOf = ({ case: { may } }: Walked): Scope => (typeof may === 'string' ? 'pki:read' : (may[0] ?? 'pki:read'))

/** What belongs to a tenant; an operator's routes are of none, and refused to everybody in one (authorization-table.test.ts). */
const INSIDE = WALK.filter(({ case: { may } }) => may !== 'anyone' && `${may}` !== 'operator')

const send = ({ method }: Walked, asked: Asked, token: string, headers = {}): Promise<TestAnswer> =>
  app.request(method, asked.path, { token, headers, ...('body' in asked ? { body: asked.body } : {}) })

/** Places that hold another id for another tenant. */
function foreignPlaces(ofTheirs: Asked, ofOwn: Asked): Place[] {
  const known = placesOf(ofOwn)
  return placesOf(ofTheirs).filter(({ place, value }) => {
    const isTheirs = known.every((each) => each.place !== place || each.value !== value)
    return isTheirs && (ID.test(value) || place.endsWith('serial_number'))
  })
}

const ofNobody = (value: string): string =>
  ID.test(value) ? value.replace(/[0-9a-z]{26}/, 'z'.repeat(26)) : value.replace(/^..:..:..:../, '00:01:02:03')

/** What an answer says, without what was asked and what differs each time. */
function saidBy({ status, text }: TestAnswer, asked: readonly string[]): [number, string] {
  const plain = asked.reduce((rest, value) => rest.replaceAll(value, 'ASKED'), text)
  return [status, plain.replaceAll(/req_[0-9a-z]{26}/g, 'REQUEST').replaceAll(/"(retry_after|as_of)":[^,}]+/g, '')]
}

/** What of the other tenant is in an answer, beside what was asked for. */
async function leaks(answer: TestAnswer, asked: readonly string[]): Promise<string[]> {
  const headers = JSON.stringify([...answer.headers])
  const shown = asked.reduce((rest, value) => rest.replaceAll(value, ''), `${answer.text} ${headers}`)
  const ids = (shown.match(ANY_ID) ?? []).filter((id) => !id.startsWith(ID_PREFIXES.request))
  const rows = ids.length === 0 ? '' : Object.values(await storedRows(theirs.tenantId)).join('\n')
  return [...ids.filter((id) => rows.includes(id)), ...(shown.match(new RegExp(MARK, 'gi')) ?? [])]
}

describe('another tenant', () => {
  it('ok: every route of the OpenAPI document is walked, with an id in each place that takes one', () => {
    expect(gaps(document)).toEqual([])
    const named = (walked: Walked): Promise<Place[][]> =>
      Promise.all(walked.case.asks.map(async (ask) => placesOf(await ask(own, byOf(walked)))))
    const missing = INSIDE.map(async (walked) => {
      const names = (await named(walked)).flat().map(({ place }) => place)
      return idFields(document, walked.route)
        .filter((field) => !names.some((place) => place.replaceAll(/\.\d+/g, '') === field))
        .map((field) => `${walked.route}: no request names ${field}; add one to its case in test/support/every-route`)
    })
    return expect(Promise.all(missing).then((each) => each.flat())).resolves.toEqual([])
  })

  it.each(INSIDE)('fail: $route hears of their things what it hears of things of nobody', async (walked) => {
    const outcomes: Record<string, unknown> = {}
    const expected: Record<string, unknown> = {}
    for (const [index, ask] of walked.case.asks.entries()) {
      const [ofTheirs, ofOwn] = [await ask(theirs, byOf(walked)), await ask(own, byOf(walked))]
      const places = foreignPlaces(ofTheirs, ofOwn)
      const before = await changesUntilNow()
      for (const { place, value } of places) {
        const nobody = ofNobody(value)
        const answer = await send(walked, withPlace(ofOwn, place, value), own.token)
        const other = await send(walked, withPlace(ofOwn, place, nobody), own.token)
        outcomes[`${index} ${place}`] = [answer.status, await leaks(answer, [value]), saidBy(answer, [value])]
        const status = walked.case.foreign?.[place] ?? 404
        expected[`${index} ${place}`] = [status, [], saidBy(other, [nobody])]
      }
      const answer = await send(walked, ofOwn, own.token)
      outcomes[`${index} own`] = [answer.status < 300 ? 'answered' : answer.text, await leaks(answer, [])]
      expected[`${index} own`] = ['answered', []]
      const all = await send(walked, ofTheirs, own.token)
      const isTaken = places.length > 0 && all.status < 300 && walked.case.foreign === undefined
      const asked = placesOf(ofTheirs).map(({ value }) => value)
      outcomes[`${index} all`] = [isTaken, await leaks(all, asked)]
      expected[`${index} all`] = [false, []]
      expect(await changesSince(before, theirs.tenantId)).toEqual([])
    }
    expect(outcomes).toEqual(expected)
  })

  const LISTS = INSIDE.filter(({ method }) => method === 'GET')

  it.each(LISTS)('fail: $route takes no cursor of theirs for one that leads to their things', async (walked) => {
    const { parameters } = operationOf(document, walked.route)
    const takesCursor = parameters.some(({ name }) => name === 'cursor')
    const { path } = await walked.case.asks[0](theirs, byOf(walked))
    const page = async (token: string, cursor: string): Promise<TestAnswer> =>
      app.request('GET', `${path}${path.includes('?') ? '&' : '?'}limit=1${cursor}`, { token })
    const first = await page(theirs.token, '')
    const cursor = takesCursor && first.json?.has_more === true ? `&cursor=${first.json.cursor}` : ''
    const answer = await page(own.token, cursor)
    const sentences =
      takesCursor && cursor === '' && !UNPAGED.includes(walked.route)
        ? [`${walked.route} gave no cursor: fillTenant makes too few`]
        : []
    expect([sentences, await leaks(answer, path.match(ANY_ID) ?? [])]).toEqual([[], []])
  })

  it('fail: no list takes the cursor of another kind of list, by ids or by names', async () => {
    const page = async ({ case: { asks } }: Walked, more: string): Promise<TestAnswer> => {
      const { path } = await asks[0](theirs, 'pki:read')
      return app.request('GET', `${path}${path.includes('?') ? '&' : '?'}limit=1${more}`, { token: theirs.token })
    }
    const paged = LISTS.filter(({ route }) =>
      operationOf(document, route).parameters.some(({ name }) => name === 'cursor'),
    )
    const others = paged.filter(({ route }) => OF_NAMES_AND_IDS.includes(route))
    const outcomes: Record<string, unknown> = {}
    const expected: Record<string, unknown> = {}
    for (const other of others) {
      const { cursor } = (await page(other, '')).json
      for (const walked of paged) {
        const { status, json } = await page(walked, `&cursor=${cursor}`)
        const what = `${walked.route} with a cursor of ${other.route}`
        outcomes[what] = status === 200 ? 200 : json.error.details[0].path
        expected[what] = walked === other ? 200 : 'cursor'
      }
    }
    expect([others.length, outcomes]).toEqual([OF_NAMES_AND_IDS.length, expected])
  })

  const WRITES = INSIDE.filter(({ method }) => method === 'POST')

  it.each(WRITES)('fail: $route answers nothing that was kept for a key of theirs', async (walked) => {
    const asked = await walked.case.asks[0](theirs, byOf(walked))
    const headers = { 'idempotency-key': `of theirs ${walked.route}` }
    const first = await send(walked, asked, theirs.token, headers)
    const again = await send(walked, asked, own.token, headers)
    const ids = placesOf(asked).map(({ value }) => value)
    expect([
      first.status < 300,
      again.headers.get('idempotent-replayed'),
      again.json?.error?.code === 'conflict',
    ]).toEqual([true, null, false])
    expect(await leaks(again, ids)).toEqual([])
  })
})

/** Names look like ids, and ids like names. */
const OF_NAMES_AND_IDS: readonly string[] = ['GET /v1/tokens', 'GET /v1/pki/roles', 'GET /v1/secrets']

/** Lists by number, that go on from any place, and such as one page holds. */
const UNPAGED: readonly string[] = ['GET /v1/audit/verify', 'GET /v1/audit/export']
