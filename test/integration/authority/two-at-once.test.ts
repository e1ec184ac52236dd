/** Each step of the internal PKI, taken twice at once: one wins, and nothing is half done. */
import { beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../../../src/core/bytes.ts'
import { importPrivateKeyPem } from '../../../src/pki/keys.ts'
import {
  approvedCsr,
  bodyOf,
  codeOf,
  crlOf,
  eventsOf,
  issue,
  issued,
  linesOf,
  newCa,
  newCsr,
  newRole,
  type Overtaken,
  racingApps,
  renew,
  revoke,
  rowsOf,
  serialsOf,
  storedCertificate,
  type WatchedApp,
} from '../support/pki-world.ts'
import type { TestApp } from '../support/worker-app.ts'

let first: WatchedApp
let second: TestApp
let overtaken: Overtaken
let caId: string
let role: string

beforeAll(async () => {
  ;({ first, second, overtaken } = await racingApps())
  caId = await newCa(second)
  role = await newRole(second, caId, { store_private_keys: true })
})

const sign = (id: string) => (app: TestApp) => app.request('POST', `/v1/pki/csr/${id}/sign`, { body: { ca_id: caId } })
const decide = (id: string, step: 'approve' | 'reject') => (app: TestApp) =>
  app.request('POST', `/v1/pki/csr/${id}/${step}`, step === 'reject' ? { body: {} } : {})

/** SubjectPublicKeyInfo of a private key in PEM, hex. */
async function publicKeyOf(pem: string): Promise<string> {
  const pair = await importPrivateKeyPem(pem, { extractable: true })
  if (!pair.ok) throw new Error(pair.error.message)
  return toHex(pair.value.spkiDer)
}

describe('a request', () => {
  it('fail: signed twice gives one certificate', async () => {
    const id = await approvedCsr(second, 'www.example.com', 'www.example.com')
    const [slow, quick] = await overtaken('csr.signed', sign(id), sign(id))
    expect([slow.status, codeOf(slow), quick.status]).toEqual([409, 'conflict', 201])
    const csr = bodyOf(await second.request('GET', `/v1/pki/csr/${id}`))
    expect(csr).toMatchObject({ status: 'signed', certificate_id: quick.json.id })
    const { n } = (
      await rowsOf<{ n: number }>(
        "SELECT count(*) AS n FROM journal WHERE event = 'certificate.issued' AND detail LIKE ?",
        `%${quick.json.id}%`,
      )
    )[0] ?? { n: 0 }
    expect([n, await eventsOf('csr.signed', `pki/csr/${id}`)]).toEqual([1, 1])
    // The key that was made here went along, and is there once.
    const key = await second.request('POST', `/v1/pki/certificates/${quick.json.id}/private-key`)
    expect(bodyOf(key).private_key_pem).toContain('BEGIN PRIVATE KEY')
    expect(await rowsOf('SELECT sealed_key FROM csrs WHERE id = ?', id)).toEqual([{ sealed_key: null }])
  })

  it.each([
    ['approve', 'approve', 'approved'],
    ['approve', 'reject', 'rejected'],
    ['reject', 'approve', 'approved'],
    ['reject', 'reject', 'rejected'],
  ] as const)('fail: %s overtaken by %s is a conflict', async (slowStep, quickStep, status) => {
    const id = await newCsr(second, 'www.example.com', 'www.example.com')
    const event = slowStep === 'approve' ? 'csr.approved' : 'csr.rejected'
    const [slow, quick] = await overtaken(event, decide(id, slowStep), decide(id, quickStep))
    expect([slow.status, codeOf(slow), quick.status]).toEqual([409, 'conflict', 200])
    expect(bodyOf(await second.request('GET', `/v1/pki/csr/${id}`)).status).toBe(status)
    const events = await rowsOf<{ event: string }>(
      "SELECT event FROM journal WHERE resource = ? AND event IN ('csr.approved', 'csr.rejected')",
      `pki/csr/${id}`,
    )
    expect(events).toEqual([{ event: `csr.${status}` }])
  })

  it('fail: deleted while it is signed leaves no certificate', async () => {
    const id = await approvedCsr(second, 'www.example.com', 'www.example.com')
    const before = (await rowsOf('SELECT id FROM certificates')).length
    const [slow, quick] = await overtaken('csr.signed', sign(id), (app) => app.request('DELETE', `/v1/pki/csr/${id}`))
    expect([slow.status, quick.status]).toEqual([409, 204])
    expect((await rowsOf('SELECT id FROM certificates')).length).toBe(before)
  })
})

describe('a certificate', () => {
  it('fail: renewed twice has one new version, whose key is the one that was answered', async () => {
    const { id } = await issued(second, role)
    const [slow, quick] = await overtaken(
      'certificate.renewed',
      (app) => renew(app, id),
      (app) => renew(app, id),
    )
    expect([slow.status, codeOf(slow), quick.status]).toEqual([409, 'conflict', 201])
    expect(await storedCertificate(id)).toMatchObject({ version: 2 })
    expect(await rowsOf('SELECT version FROM certificate_versions WHERE certificate_id = ?', id)).toEqual([
      { version: 1 },
    ])
    const stored = bodyOf(await second.request('POST', `/v1/pki/certificates/${id}/private-key`))
    expect(await publicKeyOf(stored.private_key_pem)).toBe(await publicKeyOf(quick.json.private_key))
  })

  it('fail: revoked while it is renewed gets no new version', async () => {
    const { id, serial } = await issued(second, role)
    const [slow, quick] = await overtaken(
      'certificate.renewed',
      (app) => renew(app, id),
      (app) => revoke(app, id, 'key_compromise'),
    )
    expect([slow.status, codeOf(slow), quick.status]).toEqual([409, 'conflict', 200])
    expect(await storedCertificate(id)).toMatchObject({ version: 1, revocation_reason: 'key_compromise' })
    expect(await rowsOf('SELECT version FROM certificate_versions WHERE certificate_id = ?', id)).toEqual([])
    expect(serialsOf(await crlOf(second, caId))).toContain(serial)
  })

  it('ok: renewed while it is revoked has every version revoked', async () => {
    const { id, serial } = await issued(second, role)
    const [slow, quick] = await overtaken(
      'certificate.revoked',
      (app) => revoke(app, id),
      (app) => renew(app, id),
    )
    // Whoever revokes a certificate means all of it: a renewal in between is no reason to leave it standing.
    expect([slow.status, quick.status]).toEqual([200, 201])
    const renewed = await storedCertificate(id)
    expect(renewed).toMatchObject({ version: 2, revocation_reason: 'superseded' })
    const serials = serialsOf(await crlOf(second, caId))
    expect(serials).toEqual(expect.arrayContaining([serial, renewed?.serial_number]))
  })

  it('ok: revoked twice is revoked once, and both are told so', async () => {
    const { id, serial } = await issued(second, role)
    const [slow, quick] = await overtaken(
      'certificate.revoked',
      (app) => revoke(app, id, 'superseded'),
      (app) => revoke(app, id, 'key_compromise'),
    )
    expect([slow.status, quick.status]).toEqual([200, 200])
    expect([slow.json.reason, slow.json.revoked_count]).toEqual(['key_compromise', 0])
    expect(await eventsOf('certificate.revoked', `pki/certificates/${id}`)).toBe(1)
    expect(linesOf(await crlOf(second, caId)).filter(([each]) => each === serial)).toEqual([[serial, 1]])
  })

  it('ok: put on hold while it is revoked stays revoked', async () => {
    const { id, serial } = await issued(second, role)
    const [hold, revoked] = await overtaken(
      'certificate.revoked',
      (app) => revoke(app, id, 'certificate_hold'),
      (app) => revoke(app, id, 'key_compromise'),
    )
    expect([hold.status, hold.json.reason, revoked.status]).toEqual([200, 'key_compromise', 200])
    expect(linesOf(await crlOf(second, caId)).filter(([each]) => each === serial)).toEqual([[serial, 1]])
  })

  it('ok: revoked while it is put on hold is revoked for good', async () => {
    const { id, serial } = await issued(second, role)
    const [revoked, hold] = await overtaken(
      'certificate.revoked',
      (app) => revoke(app, id, 'key_compromise'),
      (app) => revoke(app, id, 'certificate_hold'),
    )
    expect([revoked.status, hold.status]).toEqual([200, 200])
    expect(await storedCertificate(id)).toMatchObject({ revocation_reason: 'key_compromise' })
    expect(linesOf(await crlOf(second, caId)).filter(([each]) => each === serial)).toEqual([[serial, 1]])
    expect(codeOf(await second.request('POST', `/v1/pki/certificates/${id}/unhold`))).toBe('conflict')
  })

  it('fail: a hold that is lifted while it becomes final is not lifted', async () => {
    const { id, serial } = await issued(second, role)
    bodyOf(await revoke(second, id, 'certificate_hold'))
    const [slow, quick] = await overtaken(
      'certificate.unheld',
      (app) => app.request('POST', `/v1/pki/certificates/${id}/unhold`),
      (app) => revoke(app, id, 'key_compromise'),
    )
    expect([slow.status, codeOf(slow), quick.status]).toEqual([409, 'conflict', 200])
    expect(linesOf(await crlOf(second, caId)).filter(([each]) => each === serial)).toEqual([[serial, 1]])
  })

  it('fail: tags are not written over a renewal, nor is a renewal over tags', async () => {
    const { id } = await issued(second, role)
    const tag = (tags: string[]) => (app: TestApp) =>
      app.request('PATCH', `/v1/pki/certificates/${id}`, { body: { tags } })
    const [patch] = await overtaken('certificate.updated', tag(['late']), (app) => renew(app, id))
    expect([patch.status, codeOf(patch)]).toEqual([409, 'conflict'])
    expect(await storedCertificate(id)).toMatchObject({ version: 2, tags: '[]' })
    const [renewal] = await overtaken('certificate.renewed', (app) => renew(app, id), tag(['early']))
    expect(renewal.status).toBe(201)
    expect(await storedCertificate(id)).toMatchObject({ version: 3, tags: '["early"]' })
    const found = bodyOf(await second.request('GET', '/v1/pki/certificates?tag=early'))
    expect(found.data.map(({ id: each }: { id: string }) => each)).toEqual([id])
  })

  it('ok: two changes of tags at once leave the index as the certificate is', async () => {
    const { id } = await issued(second, role)
    const tag = (tags: string[]) => (app: TestApp) =>
      app.request('PATCH', `/v1/pki/certificates/${id}`, { body: { tags } })
    bodyOf(await tag(['kept', 'old'])(second))
    await overtaken('certificate.updated', tag(['kept', 'slow']), tag(['quick']))
    const { tags } = (await storedCertificate(id)) ?? { tags: '[]' }
    const terms = await rowsOf<{ term: string }>(
      "SELECT term FROM certificate_terms WHERE certificate_id = ? AND term LIKE 'tag:%' ORDER BY term",
      id,
    )
    const wanted = (JSON.parse(tags) as string[]).toSorted().map((each) => ({ term: `tag:${each}` }))
    expect(terms).toEqual(wanted)
  })
})

describe('a role', () => {
  const change = (body: Record<string, unknown>, name: string) => (app: TestApp) =>
    app.request('PATCH', `/v1/pki/roles/${name}`, { body })

  it('fail: narrowed while a certificate is issued under it: the certificate is checked again', async () => {
    const name = await newRole(second, caId)
    bodyOf(await issue(first.app, name), 201)
    const narrow = { allow_any_name: false, allowed_domains: ['other.example'] }
    const [slow] = await overtaken('certificate.issued', (app) => issue(app, name), change(narrow, name))
    expect([slow.status, codeOf(slow)]).toEqual([422, 'policy_violation'])
    expect((await rowsOf('SELECT id FROM certificates WHERE role_name = ?', name)).length).toBe(1)
  })

  it('ok: changed while a certificate is issued: the certificate is as the new role wants it', async () => {
    const name = await newRole(second, caId)
    bodyOf(await issue(first.app, name), 201)
    const [slow] = await overtaken(
      'certificate.issued',
      (app) => issue(app, name),
      change({ key_type: 'ed25519' }, name),
    )
    expect(bodyOf(slow, 201).private_key_type).toBe('ed25519')
  })

  it('fail: deleted while a certificate is issued under it: there is none', async () => {
    const name = await newRole(second, caId)
    const [slow] = await overtaken(
      'certificate.issued',
      (app) => issue(app, name),
      (app) => app.request('DELETE', `/v1/pki/roles/${name}`),
    )
    expect([slow.status, codeOf(slow)]).toEqual([404, 'not_found'])
    expect(await rowsOf('SELECT id FROM certificates WHERE role_name = ?', name)).toEqual([])
  })

  it('fail: deleted and made anew, narrower: what an isolate remembers of the old one does not count', async () => {
    const name = await newRole(second, caId)
    bodyOf(await issue(first.app, name), 201)
    bodyOf(await second.request('DELETE', `/v1/pki/roles/${name}`), 204)
    const body = { name, ca_id: caId, allowed_domains: ['other.example'] }
    bodyOf(await second.request('POST', '/v1/pki/roles', { body }), 201)
    const answer = await issue(first.app, name)
    expect([answer.status, codeOf(answer)]).toEqual([422, 'policy_violation'])
  })

  it('fail: changed twice at once is changed once', async () => {
    const name = await newRole(second, caId)
    const [slow, quick] = await overtaken(
      'role.updated',
      change({ default_ttl: '1d' }, name),
      change({ default_ttl: '2d' }, name),
    )
    expect([slow.status, codeOf(slow), quick.status]).toEqual([409, 'conflict', 200])
    expect(bodyOf(await second.request('GET', `/v1/pki/roles/${name}`)).default_ttl).toBe(172_800)
  })
})
