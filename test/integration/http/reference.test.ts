import { describe, expect, it } from 'vitest'
import { canCoverResources } from '../../../src/access/resource-forms.ts'
import { describeSettings } from '../../../src/dns/settings-reference.ts'
import { EVENT_NAMES } from '../../../src/events/catalogue.ts'
import { renderDocs } from '../../../src/http/docs-page.ts'
import { openApiDocument } from '../../../src/http/openapi.ts'
import { ROUTES } from '../../../src/http/routes.ts'

describe('the reference', () => {
  it('ok: has the settings of every type of DNS provider', () => {
    const document = JSON.stringify(openApiDocument(ROUTES, 'https://certwright.example'))
    expect(document).toContain(JSON.stringify(describeSettings()).slice(1, -1))
  })

  it('ok: has every event, with an example, as a webhook and on the page', async () => {
    const document = openApiDocument(ROUTES, 'https://certwright.example')
    expect(Object.keys(document.webhooks ?? {})).toEqual(EVENT_NAMES)
    const { html } = await renderDocs(document)
    expect(EVENT_NAMES.filter((name) => !html.includes(`<article id="event-${name}">`))).toEqual([])
    expect(html).toContain('&quot;type&quot;: &quot;certificate.expiring&quot;')
  })

  it('ok: every resource that a route names has a form that paths of tokens may have', () => {
    const named = ROUTES.flatMap(({ access }) =>
      'resource' in access && typeof access.resource === 'string' ? [access.resource] : [],
    )
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((resource) => !canCoverResources(resource))).toEqual([])
  })
})
