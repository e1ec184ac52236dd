/** CRLs that are made at once, and many requests of all kinds at once: every number is given once, and the published CRL knows everything. */
import { beforeAll, describe, expect, it } from 'vitest'
import { parsePemOf } from '../../../src/pki/pem.ts'
import {
  bodyOf,
  crlOf,
  issue,
  issued,
  linesOf,
  maintain,
  newCa,
  newRole,
  numberOf,
  type Overtaken,
  parsedCrl,
  racer,
  renew,
  revoke,
  rowsOf,
  serialsOf,
  watchedApp,
} from '../support/pki-world.ts'
import { type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

let app: TestApp
let overtaken: Overtaken

beforeAll(async () => {
  app = await testApp()
  overtaken = racer(await watchedApp(), app)
})

const regenerate = (caId: string) => (each: TestApp) => each.request('POST', `/v1/pki/ca/${caId}/crl`)

describe('two CRLs at once', () => {
  it('ok: both are made, under numbers of their own, and the higher one is published', async () => {
    const caId = await newCa(app)
    const before = numberOf(await crlOf(app, caId))
    const [slow, quick] = await overtaken('ca.crl_published', regenerate(caId), regenerate(caId))
    expect([bodyOf(slow).crl_number, bodyOf(quick).crl_number]).toEqual([before + 1, before + 2])
    for (const answer of [slow, quick]) {
      const ders = parsePemOf('X509 CRL', answer.json.crl_pem)
      expect(ders.ok && ders.value.map((der) => numberOf(parsedCrl(der)))).toEqual([answer.json.crl_number])
    }
    expect(numberOf(await crlOf(app, caId))).toBe(before + 2)
    expect(bodyOf(await regenerate(caId)(app)).crl_number).toBe(before + 3)
  })

  it('ok: what is revoked while a CRL is on its way is in the one that stands', async () => {
    const caId = await newCa(app)
    const { id, serial } = await issued(app, await newRole(app, caId))
    const [slow] = await overtaken('ca.crl_published', regenerate(caId), (each) => revoke(each, id))
    expect(bodyOf(slow).revoked_count).toBe(0)
    const crl = await crlOf(app, caId)
    expect([serialsOf(crl), numberOf(crl)]).toEqual([[serial], slow.json.crl_number + 1])
    const due = await rowsOf<{ due: number }>(
      'SELECT crl_due_at_ms AS due FROM certificate_authorities WHERE id = ?',
      caId,
    )
    expect(due).toEqual([{ due: app.nowMs + 3_600_000 }])
  })

  it('ok: what was revoked after a CRL was read keeps the next one due', async () => {
    const caId = await newCa(app)
    const { id, serial } = await issued(app, await newRole(app, caId))
    const broken = await testApp()
    Object.assign(broken.deps, {
      crls: { ...broken.deps.crls, put: () => Promise.reject(new Error('the store is gone')) },
    })
    const [slow] = await overtaken('ca.crl_published', regenerate(caId), () => revoke(broken, id))
    expect(bodyOf(slow).revoked_count).toBe(0)
    expect(serialsOf(await crlOf(app, caId))).toEqual([])
    await maintain(app)
    expect(serialsOf(await crlOf(app, caId))).toEqual([serial])
  })

  it('ok: eight at once, beside eight revocations', async () => {
    const caId = await newCa(app)
    const role = await newRole(app, caId)
    const leaves = await Promise.all(Array.from({ length: 8 }, () => issued(app, role)))
    const answers = await Promise.all(leaves.flatMap(({ id }) => [regenerate(caId)(app), revoke(app, id)]))
    const made = answers.filter((_, i) => i % 2 === 0)
    const revocations = answers.filter((_, i) => i % 2 === 1)
    expect(revocations.map(({ status }) => status)).toEqual(leaves.map(() => 200))
    // One whose successors have cleared it away already says so.
    expect(made.filter(({ status }) => status !== 200 && status !== 409)).toEqual([])
    const numbers = made.filter(({ status }) => status === 200).map(({ json }) => json.crl_number as number)
    expect(new Set(numbers).size).toBe(numbers.length)
    const published = await rowsOf<{ number: number }>(
      `SELECT json_extract(detail, '$.crl_number') AS number FROM journal WHERE event = 'ca.crl_published' AND resource = ? ORDER BY seq`,
      `pki/ca/${caId}`,
    )
    const inOrder = published.map(({ number }) => number)
    expect(inOrder).toEqual([...new Set(inOrder)].toSorted((a, b) => a - b))
    await maintain(app)
    const crl = await crlOf(app, caId)
    expect(serialsOf(crl)).toEqual(leaves.map(({ serial }) => serial).toSorted())
    expect(numberOf(crl)).toBeGreaterThanOrEqual(Math.max(...numbers))
  })
})

/** The same numbers from the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

describe('many requests of all kinds at once', () => {
  it.each([1, 2, 3])('ok: no answer lies, and every CRL has what is revoked (seed %i)', async (seed) => {
    const next = random(seed)
    const apps = await Promise.all([testApp(), testApp(), testApp()])
    const one = (): TestApp => apps[Math.floor(next() * apps.length)] ?? app
    const root = await newCa(app)
    const cas = [root, await newCa(app, { parent: root, more: { crl_partitions: 3 } }), await newCa(app)]
    const roles = await Promise.all(cas.map((caId) => newRole(app, caId)))
    const leaves = await Promise.all(Array.from({ length: 12 }, (_, i) => issued(app, roles[i % roles.length] ?? '')))
    const leaf = () => leaves[Math.floor(next() * leaves.length)]?.id ?? ''
    const ca = () => cas[Math.floor(next() * cas.length)] ?? ''
    const role = () => roles[Math.floor(next() * roles.length)] ?? ''
    const steps: readonly (() => Promise<TestAnswer>)[] = [
      () => issue(one(), role()),
      () => renew(one(), leaf()),
      () => revoke(one(), leaf(), 'superseded'),
      () => revoke(one(), leaf(), 'certificate_hold'),
      () => one().request('POST', `/v1/pki/certificates/${leaf()}/unhold`),
      () =>
        one().request('PATCH', `/v1/pki/certificates/${leaf()}`, { body: { tags: [`t${Math.floor(next() * 4)}`] } }),
      () => regenerate(ca())(one()),
      () => one().request('PATCH', `/v1/pki/roles/${role()}`, { body: { ca_id: cas[2] } }),
      () => one().request('POST', `/v1/pki/ca/${ca()}/reissue`, { body: {} }),
    ]
    const answers: Promise<TestAnswer>[] = []
    for (let i = 0; i < 90; i += 1) {
      const step = steps[Math.floor(next() * steps.length)] ?? (() => renew(one(), leaf()))
      answers.push(step())
      if (i === 60) answers.push(one().request('POST', `/v1/pki/ca/${root}/revoke`, { body: { reason: 'superseded' } }))
      if (i % 15 === 0) await scheduler.wait(1)
    }
    const statuses = (await Promise.all(answers)).map(({ status }) => status)
    expect(statuses.filter((status) => ![200, 201, 409, 422].includes(status))).toEqual([])
    for (let runs = 0; runs < 3; runs += 1) await maintain(app)
    await expectConsistent(cas)
    expect(await versionGaps()).toEqual([])
  })

  /** CRL, lines and marks say the same of every version. */
  async function expectConsistent(cas: readonly string[]): Promise<void> {
    for (const caId of cas) {
      const marked = await rowsOf<{ serial: string; reason: string }>(
        `SELECT serial_number AS serial, revocation_reason AS reason FROM certificates WHERE issuer_ca_id = ?1 AND revoked_at_ms IS NOT NULL
        UNION ALL SELECT serial_number, revocation_reason FROM certificate_versions WHERE issuer_ca_id = ?1 AND revoked_at_ms IS NOT NULL
        UNION ALL SELECT serial_number, revocation_reason FROM ca_certificates
          WHERE issuer_ca_id = ?1 AND ca_id <> ?1 AND revoked_at_ms IS NOT NULL`,
        caId,
      )
      const codes: Record<string, number> = { superseded: 4, certificate_hold: 6 }
      const wanted = marked
        .map(({ serial, reason }): [string, number] => [serial, codes[reason] ?? -1])
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
      expect(linesOf(await crlOf(app, caId))).toEqual(wanted)
    }
    const standing = await rowsOf(
      `SELECT c.id FROM certificates c JOIN certificate_authorities ca ON ca.id = c.issuer_ca_id
      WHERE ca.status = 'revoked' AND c.revoked_at_ms IS NULL`,
    )
    expect(standing).toEqual([])
    // Tags and their index say the same.
    const strays = await rowsOf(
      `SELECT term, certificate_id FROM certificate_terms WHERE term LIKE 'tag:%' AND substr(term, 5) NOT IN
        (SELECT value FROM certificates c, json_each(c.tags) WHERE c.id = certificate_id)
      UNION ALL SELECT tag.value, c.id FROM certificates c, json_each(c.tags) AS tag WHERE NOT EXISTS
        (SELECT 1 FROM certificate_terms WHERE certificate_id = c.id AND term = 'tag:' || tag.value)`,
    )
    expect(strays).toEqual([])
  }

  /** Certificates whose earlier versions are not 1, 2, 3 up to the current one. */
  const versionGaps = (): Promise<Record<string, unknown>[]> =>
    rowsOf(`SELECT c.id, c.version FROM certificates c WHERE c.version - 1 <>
      (SELECT count(*) FROM certificate_versions v WHERE v.certificate_id = c.id AND v.version < c.version)`)
})
