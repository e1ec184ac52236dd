/** Name constraints of CAs that are made here: mailboxes, URIs and addresses (RFC 5280 §4.2.1.10). */
import { beforeAll, describe, expect, it } from 'vitest'
import { bodyOf, freshName, issue, newCa, newRole } from '../support/pki-world.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'

const CONSTRAINTS = {
  permitted_dns_domains: ['example.com'],
  permitted_email_domains: ['example.com', '.mail.example.com'],
  permitted_uri_domains: ['.example.com'],
  excluded_uri_domains: ['secret.example.com'],
  permitted_ip_ranges: ['10.0.0.0/8', '2001:db8::/32'],
  excluded_ip_ranges: ['10.9.0.0/16'],
}
let app: TestApp
let ca: string
let role: string
beforeAll(async () => {
  app = await testApp()
  ca = await newCa(app, { more: CONSTRAINTS })
  role = await newRole(app, ca, {
    require_cn: false,
    allow_ip_sans: true,
    allowed_email_domains: ['example.com', 'a.mail.example.com', 'mail.example.com', 'other.test'],
    allowed_uri_sans: ['https://a.example.com/*', 'https://example.com/*', 'https://secret.example.com/*'],
  })
})

describe('name constraints', () => {
  it('ok: are shown as they were given, and stay when the CA is issued anew', async () => {
    const shown = { ...CONSTRAINTS, excluded_dns_domains: [], excluded_email_domains: [] }
    expect(bodyOf(await app.request('GET', `/v1/pki/ca/${ca}`))).toMatchObject(shown)
    expect(bodyOf(await app.request('POST', `/v1/pki/ca/${ca}/reissue`))).toMatchObject(shown)
  })
  it.each<[string, object]>([
    ['a mailbox of the host', { email_sans: ['a@example.com'] }],
    ['a mailbox below the domain', { email_sans: ['a@a.mail.example.com'] }],
    ['a URI below the domain', { uri_sans: ['https://a.example.com/x'] }],
    ['addresses', { ip_sans: ['10.1.2.3', '2001:db8::1'] }],
  ])('ok: %s is certified, and validates', async (_, names) => {
    const leaf = bodyOf(await issue(app, role, names as Record<string, unknown>), 201)
    const body = { certificate_pem: leaf.certificate }
    expect(bodyOf(await app.request('POST', '/v1/pki/certificates/validate', { body })).valid).toBe(true)
  })
  it.each<[string, object]>([
    ['a mailbox elsewhere', { email_sans: ['a@other.test'] }],
    ['a mailbox of the domain itself', { email_sans: ['a@mail.example.com'] }],
    ['a URI of the domain itself', { uri_sans: ['https://example.com/x'] }],
    ['an excluded URI', { uri_sans: ['https://secret.example.com/x'] }],
    ['an address elsewhere', { ip_sans: ['192.0.2.1'] }],
    ['an excluded address', { ip_sans: ['10.9.0.1'] }],
  ])('fail: %s', async (_, names) => {
    expect((await issue(app, role, names as Record<string, unknown>)).status).toBe(422)
  })
  it.each<[string, object, string]>([
    ['a mailbox', { permitted_email_domains: ['a@example.com'] }, 'permitted_email_domains[0]'],
    ['a star', { excluded_email_domains: ['*.example.com'] }, 'excluded_email_domains[0]'],
    ['a URI', { permitted_uri_domains: ['a.test', 'https://example.com'] }, 'permitted_uri_domains[1]'],
    ['two dots', { excluded_uri_domains: ['..example.com'] }, 'excluded_uri_domains[0]'],
    ['an address without prefix', { permitted_ip_ranges: ['10.0.0.1'] }, 'permitted_ip_ranges[0]'],
    ['host bits', { excluded_ip_ranges: ['10.0.0.1/8'] }, 'excluded_ip_ranges[0]'],
  ])('fail: %s for a constraint', async (_, fields, path) => {
    const name = freshName('ca')
    const body = { name, common_name: name, ca_type: 'root', key_type: 'ec', ...fields }
    const answer = await app.request('POST', '/v1/pki/ca', { body })
    expect([answer.status, answer.json.error.details[0].path]).toEqual([400, path])
  })
})
