/** A PATCH that changes nothing writes nothing: no entry, which subscribers would get, and no row. */
import { expect, it } from 'vitest'
import { bodyOf, freshName, issued, newCa, newRole, rowsOf } from '../support/pki-world.ts'
import { testApp } from '../support/worker-app.ts'

it('ok: an empty PATCH of a certificate, a role and a DNS provider answers what is there, and writes no entry', async () => {
  const app = await testApp()
  const role = await newRole(app, await newCa(app))
  const { id } = await issued(app, role)
  const body = { name: 'empty', type: 'cloudflare', credentials: { api_token: 'x'.repeat(40) } }
  const provider = bodyOf(await app.request('POST', '/v1/pki/dns-providers', { body }), 201)
  const entries = async () => (await rowsOf('SELECT seq FROM journal')).length
  const before = await entries()
  for (const path of [`certificates/${id}`, `roles/${role}`, `dns-providers/${provider.id}`]) {
    const read = bodyOf(await app.request('GET', `/v1/pki/${path}`))
    app.nowMs += 60_000
    expect([path, bodyOf(await app.request('PATCH', `/v1/pki/${path}`, { body: {} }))]).toEqual([path, read])
    expect([path, await entries()]).toEqual([path, before])
  }
})

it('ok: a PATCH of a trusted issuer that is empty, or says the same, writes no entry and no new version', async () => {
  const app = await testApp()
  const body = {
    name: freshName('same'),
    issuer: `https://${freshName('same')}.example.com`,
    audiences: ['sts.example'],
    max_token_age: '10m',
    expires_at: '2027-01-01T00:00:00Z',
    mappings: [{ match: { sub: 'a', aud: ['b'] }, scopes: ['tokens:admin', 'pki:read'], paths: ['pki/roles/web'] }],
  }
  const made = bodyOf(await app.request('POST', '/v1/sign-in/issuers', { body }), 201)
  const stored = () => rowsOf('SELECT * FROM sign_in_issuers WHERE id = ?', made.id)
  const entries = async () => (await rowsOf('SELECT seq FROM journal')).length
  const before = [await stored(), await entries()]
  app.nowMs += 60_000
  for (const same of [{}, body, { name: body.name }, { mappings: body.mappings }]) {
    expect(bodyOf(await app.request('PATCH', `/v1/sign-in/issuers/${made.id}`, { body: same }))).toEqual(made)
  }
  expect([await stored(), await entries()]).toEqual(before)
})

it('ok: an empty PATCH of a subscription, and one that says what is there, write no entry and keep its revision', async () => {
  const app = await testApp()
  const secret = `whsec_${btoa('x'.repeat(32))}`
  const delivery = { type: 'webhook', url: 'https://ops.acme.example/events', secret }
  const same = { name: freshName('subscription'), paths: ['pki/certificates/*'], events: ['*'], delivery }
  const { id } = bodyOf(await app.request('POST', '/v1/subscriptions', { body: same }), 201)
  const path = `/v1/subscriptions/${id}`
  const stored = async () => [
    await rowsOf('SELECT seq FROM journal'),
    await rowsOf('SELECT * FROM subscriptions WHERE id = ?', id),
  ]
  const before = await stored()
  const read = bodyOf(await app.request('GET', path))
  app.nowMs += 60_000
  for (const body of [{}, same, { enabled: true }]) {
    expect([body, bodyOf(await app.request('PATCH', path, { body }))]).toEqual([body, read])
    expect([body, await stored()]).toEqual([body, before])
  }
})
