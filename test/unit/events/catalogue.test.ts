import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { EVENT_CATALOGUE, EVENT_NAMES, exampleBody } from '../../../src/events/catalogue.ts'
import { bodySchema, eventCatalogueDocument } from '../../../src/events/catalogue-document.ts'

/** The events that subscriptions can name from the first version of the API on. */
const PROMISED = [
  'certificate.issued',
  'certificate.renewed',
  'certificate.renewal_failed',
  'certificate.expiring',
  'certificate.expired',
  'certificate.revoked',
  'ca.expiring',
  'ca.revoked',
  'order.invalid',
]

describe('the catalogue of events', () => {
  it('ok: docs/event-catalogue.md is what it says (npm run docs:events)', async () => {
    expect(await readFile('docs/event-catalogue.md', 'utf8')).toBe(eventCatalogueDocument())
  })

  it('ok: has every event that the API promises, each once', () => {
    expect(EVENT_NAMES).toEqual(expect.arrayContaining(PROMISED))
    expect(EVENT_NAMES).toEqual([...new Set(EVENT_NAMES)])
  })

  it.each(EVENT_CATALOGUE)('ok: the example of $name is one, and shows every field', (kind) => {
    // Strict: a field that the schema does not name is not in the example either.
    expect(kind.data.strict().parse(kind.example)).toEqual(kind.example)
    const { properties } = bodySchema(kind) as { properties: { data: { properties: object } } }
    expect(Object.keys(kind.example).toSorted()).toEqual(Object.keys(properties.data.properties).toSorted())
    expect(exampleBody(kind)).toMatchObject({ type: kind.name, path: kind.path, data: kind.example })
  })
})
