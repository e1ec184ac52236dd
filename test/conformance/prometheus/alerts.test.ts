/** The rules that docs/operations.md gives to copy. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseRules } from '../../support/prometheus.ts'

const page = readFileSync(resolve(import.meta.dirname, '../../../docs/operations.md'), 'utf8')
const rules = [...page.matchAll(/```yaml\n(groups:[\s\S]*?)```/g)].map(([, yaml]) => yaml ?? '')

describe('alerts to copy', () => {
  it('ok: are YAML with expressions of PromQL, each with a severity and a summary', async () => {
    expect(rules).toHaveLength(1)
    const alerts = await parseRules(rules[0] ?? '')
    expect(alerts.length).toBeGreaterThan(10)
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length)
    for (const { labels, annotations } of alerts) {
      expect(['page', 'ticket']).toContain(labels.severity)
      expect(annotations.summary).toMatch(/\S/)
    }
  })

  it('fail: an expression that is no PromQL is refused by that parser', async () => {
    const broken = (rules[0] ?? '').replace('certwright_key_ring_ok == 0', 'certwright_key_ring_ok ==')
    await expect(parseRules(broken)).rejects.toThrow(/./)
  })
})
