/** A PATCH that changes nothing writes nothing: no entry, which subscribers would get, and no row. */
import { expect, it } from 'vitest'
import { bodyOf, issued, newCa, newRole, rowsOf } from '../support/pki-world.ts'
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
