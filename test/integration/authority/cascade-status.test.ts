/** What a revoked CA has issued is revoked at once, long before the mark has come to each row. */
import { beforeAll, describe, expect, it } from 'vitest'
import {
  bodyOf,
  codeOf,
  crlOf,
  hexOf,
  issue,
  issued,
  linesOf,
  maintain,
  newCa,
  newRole,
  ofEvent,
  renew,
  revoke,
  revokeCa,
  rowsOf,
  storedCertificate,
  watchedApp,
} from '../support/pki-world.ts'
import type { TestApp } from '../support/worker-app.ts'

interface Shown {
  readonly id: string
  readonly status: string
  readonly is_revoked: boolean
  readonly revoked_at: string | null
  readonly revocation_reason: string | null
}

describe('while the certificates of a revoked CA wait for their marks', () => {
  let app: TestApp
  let root: string
  let caId: string
  let below: string
  let other: string
  let ids: Record<'renewed' | 'plain' | 'held' | 'earlier' | 'short' | 'over' | 'moved' | 'deep' | 'elsewhere', string>
  let leafPem: string
  let serial: string
  let release: () => void
  let revokedAt: string

  beforeAll(async () => {
    const watched = await watchedApp()
    app = watched.app
    root = await newCa(app)
    caId = await newCa(app, { parent: root })
    below = await newCa(app, { parent: caId })
    other = await newCa(app)
    const role = await newRole(app, caId, { store_private_keys: true })
    const moving = await newRole(app, caId)
    const idOf = async (name: string, body: Record<string, unknown> = {}) =>
      (await issued(app, name, { common_name: 'www.example.com', ...body })).id
    const plain = bodyOf(await issue(app, role), 201)
    leafPem = plain.certificate
    serial = plain.serial_number
    ids = {
      plain: plain.id,
      renewed: await idOf(role),
      held: await idOf(role),
      earlier: await idOf(role),
      over: await idOf(role, { ttl: '1m' }),
      short: await idOf(role, { ttl: '1h' }),
      moved: await idOf(moving),
      deep: await idOf(await newRole(app, below)),
      elsewhere: await idOf(await newRole(app, other)),
    }
    bodyOf(await renew(app, ids.renewed), 201)
    bodyOf(await revoke(app, ids.held, 'certificate_hold'))
    bodyOf(await revoke(app, ids.earlier, 'affiliation_changed'))
    bodyOf(await app.request('PATCH', `/v1/pki/roles/${moving}`, { body: { ca_id: other } }))
    app.nowMs += 120_000
    // Every page fails: nothing but the CAs is marked.
    watched.commits.before = async (work) => {
      if (ofEvent('certificate.revoked')(work)) throw new Error('the database is gone')
    }
    release = () => {
      watched.commits.before = async () => undefined
    }
    expect((await revokeCa(app, caId, 'key_compromise')).status).toBe(500)
    revokedAt = bodyOf(await app.request('GET', `/v1/pki/ca/${caId}`)).revoked_at
    app.nowMs += 7_200_000
  })

  const read = async (id: string): Promise<Shown> => {
    const { status, is_revoked, revoked_at, revocation_reason } = bodyOf(
      await app.request('GET', `/v1/pki/certificates/${id}`),
    )
    return { id, status, is_revoked, revoked_at, revocation_reason }
  }
  const readAll = async (): Promise<Shown[]> => {
    const shown: Shown[] = []
    for (const id of Object.values(ids)) shown.push(await read(id))
    return shown
  }
  const listed = async (query: string): Promise<Shown[]> =>
    bodyOf(await app.request('GET', `/v1/pki/certificates?limit=500&${query}`)).data.map(
      ({ id, status, is_revoked, revoked_at, revocation_reason }: Shown) => ({
        id,
        status,
        is_revoked,
        revoked_at,
        revocation_reason,
      }),
    )
  const idsOf = (rows: readonly Shown[]): string[] => rows.map(({ id }) => id).toSorted()
  const versionsOf = async (id: string): Promise<[number, boolean][]> =>
    bodyOf(await app.request('GET', `/v1/pki/certificates/${id}/versions`)).data.map(
      ({ version, is_revoked }: { version: number; is_revoked: boolean }) => [version, is_revoked],
    )
  const validated = async (): Promise<unknown[]> => {
    const body = { certificate_pem: leafPem, check_revocation: true }
    const { valid, not_revoked } = bodyOf(await app.request('POST', '/v1/pki/certificates/validate', { body }))
    return [valid, not_revoked]
  }
  const views = async () => ({
    read: await readAll(),
    all: await listed('include_revoked=true'),
    revoked: idsOf(await listed('status=revoked')),
    active: idsOf(await listed('status=active')),
    standing: idsOf(await listed('')),
    ofCa: idsOf(await listed(`ca_id=${caId}&status=revoked`)),
    named: idsOf(await listed('common_name=www.example.com&status=revoked')),
    versions: await versionsOf(ids.renewed),
    valid: (await validated())[0],
  })

  it('ok: they are shown as revoked wherever they are, and stay so when the marks have come', async () => {
    const marked = { status: 'revoked', is_revoked: true, revoked_at: revokedAt, revocation_reason: 'ca_compromise' }
    const before = await views()
    const unmarked = await rowsOf('SELECT id FROM certificates WHERE revoked_at_ms IS NOT NULL')
    expect(unmarked.map(({ id }) => id).toSorted()).toEqual([ids.held, ids.earlier].toSorted())
    const of = Object.fromEntries(before.read.map(({ id, ...rest }) => [id, rest]))
    for (const id of [ids.plain, ids.renewed, ids.moved, ids.deep, ids.short]) expect(of[id]).toEqual(marked)
    expect(of[ids.held]).toMatchObject({ status: 'revoked', revocation_reason: 'certificate_hold' })
    expect(of[ids.earlier]).toMatchObject({ revocation_reason: 'affiliation_changed' })
    expect(of[ids.over]).toMatchObject({ status: 'expired', is_revoked: false })
    expect(of[ids.elsewhere]).toMatchObject({ status: 'active', is_revoked: false })
    expect(before.active).toEqual([ids.elsewhere])
    expect(before.standing).toEqual([ids.elsewhere, ids.over].toSorted())
    expect(before.revoked).toEqual(
      Object.values(ids)
        .filter((id) => id !== ids.over && id !== ids.elsewhere)
        .toSorted(),
    )
    expect(before.ofCa).toEqual(before.revoked.filter((id) => id !== ids.deep))
    expect(before.named).toEqual(before.revoked)
    expect(before.versions).toEqual([
      [2, true],
      [1, true],
    ])
    expect(await validated()).toEqual([false, false])

    // A renewal under another CA would be a version of a revoked certificate.
    const renewal = await renew(app, ids.moved)
    expect([renewal.status, codeOf(renewal)]).toEqual([409, 'conflict'])
    // What is not of a version may be changed all the same.
    const patch = await app.request('PATCH', `/v1/pki/certificates/${ids.plain}`, { body: { tags: ['old'] } })
    expect(bodyOf(patch)).toMatchObject({ tags: ['old'], status: 'revoked', revoked_at: revokedAt })
    // Revoked already, for another reason: nothing changes.
    const again = bodyOf(
      await app.request('POST', '/v1/pki/revoke', { body: { serial_number: serial, reason: 'superseded' } }),
    )
    expect([again.revoked_count, again.revoked_at, again.reason]).toEqual([0, revokedAt, 'ca_compromise'])
    expect((await app.request('POST', `/v1/pki/certificates/${ids.plain}/unhold`)).status).toBe(409)

    release()
    await maintain(app)
    expect(await rowsOf('SELECT id FROM certificate_authorities WHERE cascade_after IS NOT NULL')).toEqual([])
    expect(await views()).toEqual(before)
    expect(await storedCertificate(ids.moved)).toMatchObject({ version: 1, revocation_reason: 'ca_compromise' })
    expect(linesOf(await crlOf(app, caId)).map(([each]) => each)).toContain(hexOf(serial))
  })
})
