import { describe, expect, it } from 'vitest'
import { matchesSubscription } from '../../../src/events/matching.ts'

const ISSUED = { event: 'certificate.issued', resource: 'pki/certificates/cert_1' }
const matches = (paths: string[], events: string[], entry = ISSUED): boolean =>
  matchesSubscription({ paths, events }, entry)

describe('what a subscription gets', () => {
  it.each([
    [['pki/certificates/cert_*'], ['certificate.issued']],
    [
      ['pki/ca/ca_*', 'pki/certificates/cert_1'],
      ['ca.revoked', 'certificate.issued'],
    ],
    [['pki/*'], ['*']],
  ])('ok: %j with %j matches', (paths, events) => {
    expect(matches(paths, events)).toBe(true)
  })

  it.each([
    [['pki/certificates/cert_2'], ['*']],
    [['pki/ca/ca_*'], ['*']],
    [['pki/certificates/cert_*'], ['certificate.renewed']],
    [['pki/certificates/cert_*'], []],
    [[], ['*']],
  ])('fail: %j with %j does not', (paths, events) => {
    expect(matches(paths, events)).toBe(false)
  })

  it.each(['subscription.tested', 'certificate.private_key_read', 'dns_record_create', 'token.created'])(
    'fail: %s is of the audit alone, whatever is subscribed to',
    (event) => {
      expect(matches(['pki/certificates/cert_*'], ['*', event], { ...ISSUED, event })).toBe(false)
    },
  )
})
