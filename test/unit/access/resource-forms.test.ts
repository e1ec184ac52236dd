import { describe, expect, it } from 'vitest'
import { canCoverResources, RESOURCE_FORMS } from '../../../src/access/resource-forms.ts'

describe('globs that can cover a resource', () => {
  it.each([
    ...RESOURCE_FORMS.map(({ example }) => example),
    '*',
    '*/*/*',
    'pki',
    'p*i/ca',
    'pki/*',
    'pki/acme',
    'pki/acme/*',
    'pki/certificates/cert_01m7wd7tg0mnntqmmknvgz13s7',
    'pki/certificates/*',
    'pki/certificates/c*7',
    'pki/roles/cert_x',
    'pki/dns-providers/dnsp_a*',
    'secrets',
    'secrets/a/b/c/d',
    'secrets/*/token',
    'tokens/*',
  ])('ok: %s', (glob) => {
    expect(canCoverResources(glob)).toBe(true)
  })

  it.each([
    'certificates/*',
    '/pki/certificates/cert_*',
    'v1/pki/certificates/*',
    'pki/certificate/cert_*',
    'pki/certificates/cert_a/pem',
    'pki/certificates/acme_*',
    'pki/certificates/cert_',
    'pki/orders/*',
    'pki/acme/*/*/*',
    'pki/roles/a/b',
    'pki/dns-providers/dns*p*/x',
    'secret/a',
    'audit/x',
    'pki/certificates/',
    'a//b',
    '..',
    '',
  ])('fail: %j', (glob) => {
    expect(canCoverResources(glob)).toBe(false)
  })
})
