/** Revoking CAs with much below them: in pages that can stop anywhere, until everything is revoked once. */
import { beforeAll, describe, expect, it } from 'vitest'
import { bindings } from '../support/bindings.ts'
import {
  bodyOf,
  crlOf,
  eventsOf,
  hexOf,
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
  serialsOf,
  standingOfRevoked,
  storedCertificate,
  type WatchedApp,
  watchedApp,
} from '../support/pki-world.ts'

const CERTIFICATES = 1_000

/** Copies of a certificate with other ids and serial numbers, so many. */
async function copies(id: string, caId: string, count: number, prefix: string): Promise<void> {
  const columns = (await rowsOf<{ name: string }>("SELECT name FROM pragma_table_info('certificates')")).map(
    ({ name }) => name,
  )
  const changed = new Map([
    ['id', `'cert_01m0000000${prefix}' || substr('00000000000000' || n, -14)`],
    ['serial_number', `'${prefix}' || substr('000000' || n, -6)`],
    ['issuer_ca_id', `'${caId}'`],
  ])
  const values = columns.map((name) => changed.get(name) ?? `c.${name}`)
  await bindings.DB.prepare(
    `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
    INSERT INTO certificates (${columns.join(', ')}) SELECT ${values.join(', ')} FROM numbers, certificates c WHERE c.id = ?`,
  )
    .bind(count, id)
    .run()
}

const countOf = async (sql: string, ...values: unknown[]): Promise<number> =>
  (await rowsOf<{ n: number }>(sql, ...values))[0]?.n ?? -1

describe('a root with three levels below it', () => {
  let watched: WatchedApp
  let root: string
  let levels: string[]
  let early: string
  let held: string
  let renewed: string
  let versions: string[]
  let ended: string

  beforeAll(async () => {
    watched = await watchedApp()
    const { app } = watched
    root = await newCa(app)
    const upper = await newCa(app, { parent: root })
    const middle = await newCa(app, { parent: upper, more: { crl_partitions: 4 } })
    const lower = await newCa(app, { parent: middle })
    levels = [upper, middle, lower]
    const roles = await Promise.all(levels.map((caId) => newRole(app, caId)))
    const [, role = ''] = roles
    const leaves = await Promise.all(roles.map((each) => issued(app, each)))
    await copies(leaves[1]?.id ?? '', middle, CERTIFICATES, '1a')
    await copies(leaves[0]?.id ?? '', upper, 300, '1b')
    early = (await issued(app, role)).id
    bodyOf(await revoke(app, early, 'affiliation_changed'))
    held = (await issued(app, role)).id
    bodyOf(await revoke(app, held, 'certificate_hold'))
    const leaf = await issued(app, role)
    renewed = leaf.id
    versions = [leaf.serial]
    for (let i = 0; i < 2; i += 1) versions.push(hexOf(bodyOf(await renew(app, renewed), 201).serial_number))
    ended = (await issued(app, role, { common_name: 'short.example.com', ttl: '1m' })).id
    app.nowMs += 120_000
  })

  it('ok: goes on after each batch that fails, until everything is revoked once', async () => {
    const { app, commits } = watched
    let breaks = 0
    // Every second commit of a page is lost.
    let pages = 0
    commits.before = async (work) => {
      if (!ofEvent('certificate.revoked')(work)) return
      pages += 1
      if (pages % 2 === 0) return
      breaks += 1
      throw new Error('the database is gone')
    }
    expect((await revokeCa(app, root, 'key_compromise')).status).toBe(500)
    const marked = await rowsOf(
      'SELECT DISTINCT status FROM certificate_authorities WHERE id IN (?, ?, ?, ?)',
      root,
      ...levels,
    )
    expect(marked).toEqual([{ status: 'revoked' }])
    const open = () => countOf('SELECT count(*) AS n FROM certificate_authorities WHERE cascade_after IS NOT NULL')
    for (let runs = 0; runs < 30 && (await open()) > 0; runs += 1) {
      await maintain(app).catch(() => undefined)
    }
    expect(breaks).toBeGreaterThan(3)
    expect(await open()).toBe(0)
    commits.before = async () => undefined
    expect(await standingOfRevoked()).toEqual([expect.objectContaining({ id: ended })])
    const twice = await rowsOf(
      `SELECT resource FROM journal WHERE event IN ('certificate.revoked', 'ca.revoked')
      GROUP BY event, resource, json_extract(detail, '$.version'), json_extract(detail, '$.reason') HAVING count(*) > 1`,
    )
    expect(twice).toEqual([])
    const all = await countOf("SELECT count(*) AS n FROM journal WHERE event = 'certificate.revoked'")
    // The copies, one leaf a level, three versions of one, and the two that were revoked before.
    expect(all).toBe(CERTIFICATES + 300 + 3 + 3 + 2)
    for (const caId of [root, ...levels]) expect(await eventsOf('ca.revoked', `pki/ca/${caId}`)).toBe(1)
  })

  it('ok: what was revoked before keeps its reason, and what had ended is left alone', async () => {
    expect(await storedCertificate(early)).toMatchObject({ revocation_reason: 'affiliation_changed' })
    expect(await storedCertificate(held)).toMatchObject({ revocation_reason: 'certificate_hold' })
    expect(await storedCertificate(ended)).toMatchObject({ revoked_at_ms: null })
    const reasons = await rowsOf(
      "SELECT DISTINCT revocation_reason AS reason FROM certificates WHERE id LIKE 'cert_01m0000000%'",
    )
    expect(reasons).toEqual([{ reason: 'ca_compromise' }])
  })

  it('ok: earlier versions are revoked too', async () => {
    const rows = await rowsOf(
      'SELECT version, revocation_reason AS reason FROM certificate_versions WHERE certificate_id = ? ORDER BY version',
      renewed,
    )
    expect(rows).toEqual([
      { version: 1, reason: 'ca_compromise' },
      { version: 2, reason: 'ca_compromise' },
    ])
    expect(await storedCertificate(renewed)).toMatchObject({ version: 3, revocation_reason: 'ca_compromise' })
  })

  it('ok: the CRLs of all levels list what they should', async () => {
    const { app } = watched
    const [upper = '', middle = '', lower = ''] = levels
    await maintain(app)
    const ofCa = async (caId: string): Promise<string[]> =>
      bodyOf(await app.request('GET', `/v1/pki/ca/${caId}/certificates`)).data.map(
        ({ serial_number }: { serial_number: string }) => hexOf(serial_number),
      )
    expect(linesOf(await crlOf(app, root))).toEqual((await ofCa(upper)).map((serial) => [serial, 2]))
    const lines = { upper: linesOf(await crlOf(app, upper)), middle: linesOf(await crlOf(app, middle)) }
    expect(lines.upper.length).toBe(300 + 1 + 1)
    expect(lines.upper.map(([serial]) => serial)).toEqual(expect.arrayContaining(await ofCa(middle)))
    expect(lines.middle.length).toBe(CERTIFICATES + 1 + 3 + 2 + 1)
    expect(lines.middle.map(([serial]) => serial)).toEqual(
      expect.arrayContaining([...versions, ...(await ofCa(lower))]),
    )
    const reasons = Map.groupBy(lines.middle, ([, reason]) => reason)
    expect([...reasons].map(([reason, of]) => [reason, of.length]).toSorted()).toEqual([
      [2, CERTIFICATES + 1 + 3 + 1],
      [3, 1],
      [6, 1],
    ])
    expect(linesOf(await crlOf(app, lower)).length).toBe(1)
    // The parts are what the whole is.
    const parts = await Promise.all([1, 2, 3, 4].map(async (part) => serialsOf(await crlOf(app, middle, `/${part}`))))
    expect(parts.flat().toSorted()).toEqual(serialsOf(await crlOf(app, middle)))
    expect(parts.every((part) => part.length > 100)).toBe(true)
  })

  it('fail: nothing below signs any more', async () => {
    const { app } = watched
    const [, middle = ''] = levels
    const name = 'late'
    const answers = await Promise.all([
      renew(app, renewed),
      app.request('POST', '/v1/pki/ca', {
        body: { name, common_name: name, ca_type: 'intermediate', parent_ca_id: middle, key_type: 'ec' },
      }),
      app.request('POST', `/v1/pki/ca/${middle}/reissue`, { body: {} }),
      app.request('POST', '/v1/pki/roles', { body: { name, ca_id: middle } }),
      app.request('POST', `/v1/pki/certificates/${held}/unhold`),
    ])
    expect(answers.map(({ status }) => status)).toEqual([409, 422, 409, 400, 409])
  })
})

describe('more than one request revokes', () => {
  it('ok: the rest is revoked by the cron, and the CA says that it is under way', async () => {
    const { app } = await watchedApp()
    const caId = await newCa(app)
    const leaf = await issued(app, await newRole(app, caId))
    await copies(leaf.id, caId, 2_200, '1c')
    const revoked = bodyOf(await revokeCa(app, caId))
    expect(revoked).toMatchObject({ status: 'revoked', revocation_in_progress: true })
    const standing = () =>
      countOf('SELECT count(*) AS n FROM certificates WHERE issuer_ca_id = ? AND revoked_at_ms IS NULL', caId)
    expect(await standing()).toBe(201)
    await maintain(app)
    expect(await standing()).toBe(0)
    expect(bodyOf(await app.request('GET', `/v1/pki/ca/${caId}`)).revocation_in_progress).toBe(false)
    expect((await crlOf(app, caId)).revokedCount).toBe(2_201)
  })

  it('ok: one certificate with more versions than a batch has room for', async () => {
    const { app } = await watchedApp()
    const caId = await newCa(app)
    const { id } = await issued(app, await newRole(app, caId))
    bodyOf(await renew(app, id), 201)
    const columns = (await rowsOf<{ name: string }>("SELECT name FROM pragma_table_info('certificate_versions')")).map(
      ({ name }) => name,
    )
    const values = columns.map((name) =>
      name === 'version' ? 'n' : name === 'serial_number' ? "'1d' || substr('000000' || n, -6)" : `v.${name}`,
    )
    await bindings.DB.prepare(
      `WITH RECURSIVE numbers(n) AS (SELECT 3 UNION ALL SELECT n + 1 FROM numbers WHERE n < 452)
      INSERT INTO certificate_versions (${columns.join(', ')})
      SELECT ${values.join(', ')} FROM numbers, certificate_versions v WHERE v.certificate_id = ?`,
    )
      .bind(id)
      .run()
    expect(bodyOf(await revokeCa(app, caId)).revocation_in_progress).toBe(false)
    expect((await crlOf(app, caId)).revokedCount).toBe(452)
  })
})

describe('a cascade that cannot go on', () => {
  it("ok: keeps no other CA's, and no CRL, from going on", async () => {
    const { app, commits } = await watchedApp()
    const [stuck, other, idle] = [await newCa(app), await newCa(app), await newCa(app)]
    for (const caId of [stuck, other]) await issued(app, await newRole(app, caId))
    const breaks = (caIds: string[]) => {
      commits.before = async ({ entries, statements }) => {
        const isPage = entries.some(({ event }) => event === 'certificate.revoked')
        const text = JSON.stringify(statements)
        if (isPage && caIds.some((caId) => text.includes(caId))) throw new Error('the database is gone')
      }
    }
    breaks([stuck, other])
    expect((await revokeCa(app, stuck)).status).toBe(500)
    expect((await revokeCa(app, other)).status).toBe(500)
    breaks([stuck])
    const before = bodyOf(await app.request('GET', `/v1/pki/ca/${idle}`)).crl_number as number
    app.nowMs += 3_600_000
    await maintain(app).catch(() => undefined)
    const rows = await rowsOf('SELECT id FROM certificate_authorities WHERE cascade_after IS NOT NULL')
    expect(rows).toEqual([{ id: stuck }])
    expect(bodyOf(await app.request('GET', `/v1/pki/ca/${idle}`)).crl_number).toBe(before + 1)
    expect(app.logLines.filter((line) => line.includes('cascade_failed') && line.includes(stuck))).toHaveLength(1)
  })
})
