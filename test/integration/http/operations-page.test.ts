/** docs/operations.md names what is there: metrics, cron jobs, routes, and a paragraph for each alert. Its rules parse: test/conformance/prometheus. */
import { describe, expect, it } from 'vitest'
import { SCHEDULE } from '../../../src/cron/schedule.ts'
import { ROUTES } from '../../../src/http/routes.ts'
import { testApp } from '../support/worker-app.ts'

const pages = import.meta.glob<string>('../../../docs/operations.md', { query: '?raw', import: 'default', eager: true })
const page = Object.values(pages)[0] ?? ''

const found = (pattern: RegExp, text = page): string[] => [
  ...new Set([...text.matchAll(pattern)].map(([, name]) => name ?? '')),
]

describe('docs/operations.md', () => {
  it('ok: every metric that it names is exposed', async () => {
    const { text } = await (await testApp()).request('GET', '/v1/metrics')
    const exposed = new Set(found(/^# TYPE (\S+) gauge$/gm, text))
    const named = found(/\b(certwright_[a-z_]*[a-z])\b/g)
    expect(named.length).toBeGreaterThan(15)
    expect(named.filter((name) => !exposed.has(name))).toEqual([])
  })

  it('ok: every cron job that an alert names is on the schedule', () => {
    const jobs: readonly string[] = Object.values(SCHEDULE).flat()
    const named = found(/\bjob=~?"([a-z|-]+)"/g).flatMap((each) => each.split('|'))
    expect(named).toContain('publish-crls')
    expect(named.filter((job) => job !== 'certwright' && !jobs.includes(job))).toEqual([])
  })

  it('ok: every alert has a paragraph that says what to do, and every such paragraph an alert', () => {
    const alerts = found(/- alert: (\w+)/g)
    const explained = found(/^### (.*)$/gm).flatMap((title) => title.split(', '))
    expect(explained.toSorted()).toEqual(alerts.toSorted())
  })

  it('ok: every command asks for a route that is there', () => {
    const calls = [...page.matchAll(/curl -\w+( -X (\w+))? "\$URL([^"?]+)/g)].map(
      ([, , method = 'GET', path = '']) => ({ method, path }),
    )
    const isServed = ({ method, path }: (typeof calls)[number]): boolean =>
      ROUTES.some(
        (route) =>
          route.method.toUpperCase() === method &&
          new RegExp(`^${route.path.replaceAll(/\{\w+\}/g, '\\$[A-Z]+')}$`).test(path),
      )
    expect(calls.length).toBeGreaterThan(15)
    expect(calls.filter((call) => !isServed(call))).toEqual([])
  })
})
