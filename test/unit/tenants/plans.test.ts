import { describe, expect, it } from 'vitest'
import { parsePlans, planOf, SHIPPED_PLANS } from '../../../src/tenants/plans.ts'

describe('plans', () => {
  it('ok: those that are shipped', () => {
    expect([...SHIPPED_PLANS.values()]).toEqual([
      { name: 'free', maxCertificates: 0, wildcard: false, manualRenewal: false, autoRenew: false },
      { name: 'plus', maxCertificates: 5, wildcard: false, manualRenewal: true, autoRenew: false },
      { name: 'pro', maxCertificates: 25, wildcard: false, manualRenewal: true, autoRenew: true },
      { name: 'elite', maxCertificates: 100, wildcard: true, manualRenewal: true, autoRenew: true },
      { name: 'unlimited', maxCertificates: null, wildcard: true, manualRenewal: true, autoRenew: true },
    ])
  })

  it.each(['', ' \n'])('ok: without a setting they are all there is: %j', (setting) => {
    expect(parsePlans(setting)).toEqual({ ok: true, value: SHIPPED_PLANS })
  })

  it('ok: a setting changes what it names of a shipped plan, and adds plans', () => {
    const parsed = parsePlans(
      '{"plus": {"max_certificates": 7}, "team-2": {"max_certificates": null, "wildcard": true}}',
    )
    const plans = parsed.ok ? parsed.value : new Map()
    expect([plans.size, plans.get('plus'), plans.get('team-2'), plans.get('pro')]).toEqual([
      6,
      { name: 'plus', maxCertificates: 7, wildcard: false, manualRenewal: true, autoRenew: false },
      { name: 'team-2', maxCertificates: null, wildcard: true, manualRenewal: false, autoRenew: false },
      SHIPPED_PLANS.get('pro'),
    ])
  })

  it.each([
    ['{', /^PLANS is not JSON/],
    ['[]', /^PLANS: /],
    ['{"team": 5}', /^PLANS: /],
    ['{"Team!": {"max_certificates": 1}}', /^PLANS: the name of a plan has/],
    ['{"team": {"max_certificates": -1}}', /^PLANS\.max_certificates: /],
    ['{"team": {"max_certificates": 1.5}}', /^PLANS\.max_certificates: /],
    ['{"team": {"max_certificates": 1, "price": 3}}', /^PLANS: a plan has max_certificates, wildcard/],
    ['{"team": {"auto_renew": true}}', /a plan of a new name says its max_certificates/],
    ['{"pro": {"auto_renew": "yes"}}', /^PLANS\.auto_renew: /],
  ])('fail: %s says where the setting is wrong', (setting, message) => {
    expect(parsePlans(setting)).toEqual({ ok: false, error: expect.stringMatching(message) })
  })

  it('ok: a plan that the deployment no longer has allows nothing new, and manual renewals', () => {
    expect(planOf(SHIPPED_PLANS, 'gone')).toEqual({
      name: 'gone',
      maxCertificates: 0,
      wildcard: false,
      manualRenewal: true,
      autoRenew: false,
    })
  })
})
