/** A CA is revoked while something is done with it: nothing that it signed is left standing, and its issuer's CRL has all of it. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { exportPkcs8 } from '../../../src/pki/keys.ts'
import { formatPem } from '../../../src/pki/pem.ts'
import { findCa, openCaKey } from '../../../src/store/authorities.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { type Entity, forgeRoot, newEntity } from '../../conformance/limbo/forge.ts'
import { bindings } from '../support/bindings.ts'
import {
  approvedCsr,
  bodyOf,
  codeOf,
  crlOf,
  eventsOf,
  freshName,
  hexOf,
  issue,
  issued,
  linesOf,
  maintain,
  newCa,
  newRole,
  type Overtaken,
  racingApps,
  renew,
  revoke,
  revokeCa,
  rowsOf,
  serialsOf,
  standingOfRevoked,
  storedCertificate,
} from '../support/pki-world.ts'
import type { TestAnswer, TestApp } from '../support/worker-app.ts'

let app: TestApp
let overtaken: Overtaken

beforeAll(async () => {
  ;({ second: app, overtaken } = await racingApps())
})

// Whatever a test did: once the cron has run, nothing stands below a revoked CA.
afterEach(async () => {
  await maintain(app)
  expect(await standingOfRevoked()).toEqual([])
  expect(await rowsOf('SELECT id FROM certificate_authorities WHERE cascade_after IS NOT NULL')).toEqual([])
})

const statusOf = async (caId: string): Promise<string> =>
  bodyOf(await app.request('GET', `/v1/pki/ca/${caId}`)).status as string

/** Serial numbers of every certificate of a CA. */
const certificatesOf = async (caId: string): Promise<string[]> =>
  bodyOf(await app.request('GET', `/v1/pki/ca/${caId}/certificates`)).data.map(
    ({ serial_number }: { serial_number: string }) => hexOf(serial_number),
  )

const refused = (answer: TestAnswer): unknown[] => [answer.status, codeOf(answer)]

describe('issuing', () => {
  it('fail: its CA is revoked first: refused, and nothing is stored', async () => {
    const caId = await newCa(app)
    const role = await newRole(app, caId)
    const [slow] = await overtaken(
      'certificate.issued',
      (each) => issue(each, role),
      (each) => revokeCa(each, caId),
    )
    expect(refused(slow)).toEqual([422, 'policy_violation'])
    expect(await rowsOf('SELECT id FROM certificates WHERE issuer_ca_id = ?', caId)).toEqual([])
  })

  it('fail: the root above its CA is revoked first: refused', async () => {
    const root = await newCa(app)
    const caId = await newCa(app, { parent: await newCa(app, { parent: root }) })
    const role = await newRole(app, caId)
    const [slow] = await overtaken(
      'certificate.issued',
      (each) => issue(each, role),
      (each) => revokeCa(each, root),
    )
    expect(refused(slow)).toEqual([422, 'policy_violation'])
  })

  it('ok: stored just before its CA is revoked: revoked with it', async () => {
    const caId = await newCa(app)
    const role = await newRole(app, caId)
    const [revoked, certificate] = await overtaken(
      'ca.revoked',
      (each) => revokeCa(each, caId, 'key_compromise'),
      (each) => issue(each, role),
    )
    expect([revoked.status, revoked.json.revocation_in_progress, certificate.status]).toEqual([200, false, 201])
    expect(linesOf(await crlOf(app, caId))).toEqual([[hexOf(certificate.json.serial_number), 2]])
  })

  it('fail: a renewal whose CA is revoked first is refused, and the version before is revoked', async () => {
    const caId = await newCa(app)
    const { id, serial } = await issued(app, await newRole(app, caId))
    const [slow] = await overtaken(
      'certificate.renewed',
      (each) => renew(each, id),
      (each) => revokeCa(each, caId),
    )
    expect(refused(slow)).toEqual([409, 'conflict'])
    expect(await storedCertificate(id)).toMatchObject({ version: 1, revocation_reason: 'superseded' })
    expect(serialsOf(await crlOf(app, caId))).toEqual([serial])
  })

  it('fail: renewed while a page of its CA is being revoked, under another CA: it is revoked already', async () => {
    const caId = await newCa(app)
    const role = await newRole(app, caId)
    const other = await newCa(app)
    const { id, serial } = await issued(app, role)
    bodyOf(await app.request('PATCH', `/v1/pki/roles/${role}`, { body: { ca_id: other } }))
    const [revoked, renewal] = await overtaken(
      'certificate.revoked',
      (each) => revokeCa(each, caId),
      (each) => renew(each, id),
    )
    expect([revoked.status, refused(renewal)]).toEqual([200, [409, 'conflict']])
    expect(serialsOf(await crlOf(app, caId))).toEqual([serial])
    expect(await storedCertificate(id)).toMatchObject({ version: 1, revocation_reason: 'superseded' })
  })

  it('fail: renewed under another CA as its own is revoked: the batch finds it revoked', async () => {
    const caId = await newCa(app)
    const role = await newRole(app, caId)
    const { id } = await issued(app, role)
    bodyOf(await app.request('PATCH', `/v1/pki/roles/${role}`, { body: { ca_id: await newCa(app) } }))
    const [slow] = await overtaken(
      'certificate.renewed',
      (each) => renew(each, id),
      (each) => revokeCa(each, caId),
    )
    expect(refused(slow)).toEqual([409, 'conflict'])
    expect(await storedCertificate(id)).toMatchObject({ version: 1, revocation_reason: 'superseded' })
  })

  it('fail: an approved request whose CA is revoked first stays approved', async () => {
    const caId = await newCa(app)
    const csr = await approvedCsr(app)
    const [slow] = await overtaken(
      'csr.signed',
      (each) => each.request('POST', `/v1/pki/csr/${csr}/sign`, { body: { ca_id: caId } }),
      (each) => revokeCa(each, caId),
    )
    expect(slow.status).toBe(409)
    expect(bodyOf(await app.request('GET', `/v1/pki/csr/${csr}`))).toMatchObject({
      status: 'approved',
      certificate_id: null,
    })
  })
})

describe('an intermediate', () => {
  const intermediateBelow = (parent: string, name: string) => (each: TestApp) =>
    each.request('POST', '/v1/pki/ca', {
      body: { name, common_name: name, ca_type: 'intermediate', parent_ca_id: parent, key_type: 'ec' },
    })

  it('fail: made while its parent is revoked: there is none', async () => {
    const parent = await newCa(app)
    const name = freshName('late')
    const [slow] = await overtaken('ca.created', intermediateBelow(parent, name), (each) => revokeCa(each, parent))
    expect(refused(slow)).toEqual([409, 'conflict'])
    expect(await rowsOf('SELECT id FROM certificate_authorities WHERE name = ?', name)).toEqual([])
  })

  it('ok: made just before its parent is revoked: revoked with it, and with what it issued meanwhile', async () => {
    const root = await newCa(app)
    const parent = await newCa(app, { parent: root })
    let leaf: Awaited<ReturnType<typeof issued>> | undefined
    const [revoked, made] = await overtaken(
      'ca.revoked',
      (each) => revokeCa(each, root),
      async (each) => {
        const answer = await intermediateBelow(parent, freshName('late'))(each)
        leaf = await issued(each, await newRole(each, answer.json.id))
        return answer
      },
    )
    expect([revoked.status, made.status]).toEqual([200, 201])
    expect(await statusOf(made.json.id)).toBe('revoked')
    expect(serialsOf(await crlOf(app, parent))).toEqual(await certificatesOf(made.json.id))
    await maintain(app)
    expect(serialsOf(await crlOf(app, made.json.id))).toEqual([leaf?.serial])
    expect(await eventsOf('ca.revoked', `pki/ca/${made.json.id}`)).toBe(1)
  })

  it('fail: with a name that another one takes at the same time', async () => {
    const parent = await newCa(app)
    const name = freshName('same')
    const make = intermediateBelow(parent, name)
    const [slow, quick] = await overtaken('ca.created', make, make)
    expect([refused(slow), quick.status]).toEqual([[409, 'already_exists'], 201])
  })

  const importOf = async (caId: string): Promise<Record<string, unknown>> => {
    const row = await findCa(app.store, DEFAULT_TENANT_ID, caId)
    if (row === null) throw new Error('no such CA')
    const key = await openCaKey(app.store, row)
    await bindings.DB.batch([
      bindings.DB.prepare('DELETE FROM ca_certificates WHERE ca_id = ?').bind(caId),
      bindings.DB.prepare('DELETE FROM certificate_authorities WHERE id = ?').bind(caId),
    ])
    return {
      name: freshName('imported'),
      certificate_pem: row.certificatePem,
      private_key_pem: formatPem('PRIVATE KEY', key),
    }
  }

  it('fail: taken over below a parent that is revoked', async () => {
    const parent = await newCa(app)
    const body = await importOf(await newCa(app, { parent }))
    bodyOf(await revokeCa(app, parent))
    const answer = await app.request('POST', '/v1/pki/ca/import', { body })
    expect(refused(answer)).toEqual([422, 'policy_violation'])
  })

  it('fail: taken over while its parent is revoked', async () => {
    const parent = await newCa(app)
    const body = await importOf(await newCa(app, { parent }))
    const [slow] = await overtaken(
      'ca.imported',
      (each) => each.request('POST', '/v1/pki/ca/import', { body }),
      (each) => revokeCa(each, parent),
    )
    expect(refused(slow)).toEqual([409, 'conflict'])
  })
})

describe('a CA', () => {
  const reissue = (caId: string) => (each: TestApp) => each.request('POST', `/v1/pki/ca/${caId}/reissue`, { body: {} })
  const crossSign = (caId: string, issuer: string) => (each: TestApp) =>
    each.request('POST', `/v1/pki/ca/${caId}/cross-sign`, { body: { issuer_ca_id: issuer } })

  it('fail: issued anew twice at once has one new certificate', async () => {
    const caId = await newCa(app)
    const [slow, quick] = await overtaken('ca.reissued', reissue(caId), reissue(caId))
    expect([refused(slow), quick.status]).toEqual([[409, 'conflict'], 200])
    expect(await certificatesOf(caId)).toHaveLength(2)
  })

  it('fail: issued anew while it is revoked', async () => {
    const root = await newCa(app)
    const caId = await newCa(app, { parent: root })
    const [slow] = await overtaken('ca.reissued', reissue(caId), (each) => revokeCa(each, caId))
    expect(refused(slow)).toEqual([409, 'conflict'])
    expect(await certificatesOf(caId)).toHaveLength(1)
  })

  it("ok: issued anew just before it is revoked: its issuer's CRL has both certificates", async () => {
    const root = await newCa(app)
    const caId = await newCa(app, { parent: root })
    const [revoked, anew] = await overtaken('ca.revoked', (each) => revokeCa(each, caId), reissue(caId))
    expect([revoked.status, anew.status]).toEqual([200, 200])
    const certificates = await certificatesOf(caId)
    expect(certificates).toHaveLength(2)
    expect(serialsOf(await crlOf(app, root))).toEqual(certificates.toSorted())
  })

  it("ok: issued anew just before its root is revoked: the root's CRL has both certificates", async () => {
    const root = await newCa(app)
    const caId = await newCa(app, { parent: root })
    await overtaken('ca.revoked', (each) => revokeCa(each, root), reissue(caId))
    expect(serialsOf(await crlOf(app, root))).toEqual((await certificatesOf(caId)).toSorted())
  })

  it('ok: certified by another CA just before that is revoked: the cross-certificate is in its CRL', async () => {
    const [caId, issuer] = [await newCa(app), await newCa(app)]
    const [, cross] = await overtaken('ca.revoked', (each) => revokeCa(each, issuer), crossSign(caId, issuer))
    expect(cross.status).toBe(201)
    expect(serialsOf(await crlOf(app, issuer))).toEqual([hexOf(cross.json.serial_number)])
    expect(await statusOf(caId)).toBe('active')
  })

  it('fail: certified by another CA that is revoked meanwhile', async () => {
    const [caId, issuer] = [await newCa(app), await newCa(app)]
    const [slow] = await overtaken('ca.cross_signed', crossSign(caId, issuer), (each) => revokeCa(each, issuer))
    expect(refused(slow)).toEqual([409, 'conflict'])
    expect(await certificatesOf(caId)).toHaveLength(1)
  })

  it('ok: revoked twice at once is revoked once, for the reason of the first', async () => {
    const caId = await newCa(app)
    const { serial } = await issued(app, await newRole(app, caId))
    const [slow, quick] = await overtaken(
      'ca.revoked',
      (each) => revokeCa(each, caId, 'key_compromise'),
      (each) => revokeCa(each, caId, 'cessation_of_operation'),
    )
    expect([slow.status, slow.json.revocation_reason, quick.status]).toEqual([200, 'cessation_of_operation', 200])
    expect(await eventsOf('ca.revoked', `pki/ca/${caId}`)).toBe(1)
    expect(linesOf(await crlOf(app, caId))).toEqual([[serial, 5]])
  })
})

describe('a CA that others have certified', () => {
  it('ok: each of them has it in its CRL as soon as it is revoked', async () => {
    const [root, other, third] = [await newCa(app), await newCa(app), await newCa(app)]
    const caId = await newCa(app, { parent: root })
    const below = await newCa(app, { parent: caId })
    const crossOf = async (subject: string, issuer: string): Promise<string> =>
      hexOf(
        bodyOf(await app.request('POST', `/v1/pki/ca/${subject}/cross-sign`, { body: { issuer_ca_id: issuer } }), 201)
          .serial_number,
      )
    const crosses = [await crossOf(caId, other), await crossOf(below, third)]
    bodyOf(await revokeCa(app, caId))
    const crls = await Promise.all([other, third].map((each) => crlOf(app, each)))
    expect(crls.map(serialsOf)).toEqual(crosses.map((serial) => [serial]))
  })

  async function taken(): Promise<{ caId: string; body: Record<string, unknown> }> {
    const caId = await newCa(app)
    const row = await findCa(app.store, DEFAULT_TENANT_ID, caId)
    if (row === null) throw new Error('no such CA')
    const key = formatPem('PRIVATE KEY', await openCaKey(app.store, row))
    return { caId, body: { certificate_pem: row.certificatePem, private_key_pem: key } }
  }

  const takeOver = (each: TestApp, body: Record<string, unknown>) =>
    each.request('POST', '/v1/pki/ca/import', { body: { name: freshName('again'), ...body } })

  it('fail: taken over though it is here: its key would have two CRLs, and a revoked one would be back', async () => {
    const { caId, body } = await taken()
    expect(refused(await takeOver(app, body))).toEqual([409, 'already_exists'])
    bodyOf(await revokeCa(app, caId))
    expect(refused(await takeOver(app, body))).toEqual([409, 'already_exists'])
  })

  it('fail: taken over twice at once', async () => {
    const { caId, body } = await taken()
    await bindings.DB.batch([
      bindings.DB.prepare('DELETE FROM ca_certificates WHERE ca_id = ?').bind(caId),
      bindings.DB.prepare('DELETE FROM certificate_authorities WHERE id = ?').bind(caId),
    ])
    const [slow, quick] = await overtaken(
      'ca.imported',
      (each) => takeOver(each, body),
      (each) => takeOver(each, body),
    )
    expect([slow.status, quick.status]).toEqual([409, 201])
  })

  it('fail: taken over twice at once, by two certificates of its key', async () => {
    const ca = await newEntity(freshName('Twice'))
    const private_key_pem = formatPem('PRIVATE KEY', await exportPkcs8(ca.keyPair.privateKey))
    const bodyWith = async (serial: number): Promise<Record<string, unknown>> => {
      const root = await forgeRoot(ca, { serialNumber: new Uint8Array([serial]) })
      return { certificate_pem: formatPem('CERTIFICATE', root), private_key_pem }
    }
    const [one, other] = [await bodyWith(1), await bodyWith(2)]
    const [slow, quick] = await overtaken(
      'ca.imported',
      (each) => takeOver(each, one),
      (each) => takeOver(each, other),
    )
    expect([refused(slow), quick.status]).toEqual([[409, 'already_exists'], 201])
  })

  it('fail: taken over behind many others of its name', async () => {
    const [first, ...others] = await Promise.all(Array.from({ length: 23 }, () => newEntity('Same Name')))
    if (first === undefined) throw new Error('none')
    const of = async (ca: Entity, serial: number): Promise<Record<string, unknown>> => ({
      certificate_pem: formatPem('CERTIFICATE', await forgeRoot(ca, { serialNumber: new Uint8Array([serial]) })),
      private_key_pem: formatPem('PRIVATE KEY', await exportPkcs8(ca.keyPair.privateKey)),
    })
    for (const ca of others) bodyOf(await takeOver(app, await of(ca, 1)), 201)
    // Its id is the last.
    app.nowMs += 1
    bodyOf(await takeOver(app, await of(first, 1)), 201)
    expect(refused(await takeOver(app, await of(first, 2)))).toEqual([409, 'already_exists'])
  })
})

describe('a hold', () => {
  it('fail: lifted while the CA is revoked stays', async () => {
    const caId = await newCa(app)
    const { id, serial } = await issued(app, await newRole(app, caId))
    bodyOf(await revoke(app, id, 'certificate_hold'))
    const [slow] = await overtaken(
      'certificate.unheld',
      (each) => each.request('POST', `/v1/pki/certificates/${id}/unhold`),
      (each) => revokeCa(each, caId),
    )
    expect(refused(slow)).toEqual([409, 'conflict'])
    expect(linesOf(await crlOf(app, caId))).toEqual([[serial, 6]])
  })

  it('ok: lifted just before the CA is revoked: revoked with it', async () => {
    const caId = await newCa(app)
    const { id, serial } = await issued(app, await newRole(app, caId))
    bodyOf(await revoke(app, id, 'certificate_hold'))
    await overtaken(
      'ca.revoked',
      (each) => revokeCa(each, caId),
      (each) => each.request('POST', `/v1/pki/certificates/${id}/unhold`),
    )
    expect(linesOf(await crlOf(app, caId))).toEqual([[serial, 4]])
  })
})

describe('a certificate that is brought here', () => {
  async function broughtLeaf(caId: string): Promise<Record<string, unknown>> {
    const leaf = bodyOf(await issue(app, await newRole(app, caId)), 201)
    await bindings.DB.prepare('DELETE FROM certificates WHERE id = ?').bind(leaf.id).run()
    return { certificate_pem: leaf.certificate }
  }

  it('fail: its CA is revoked', async () => {
    const caId = await newCa(app)
    const body = await broughtLeaf(caId)
    bodyOf(await revokeCa(app, caId))
    const answer = await app.request('POST', '/v1/pki/certificates/import', { body })
    expect(refused(answer)).toEqual([422, 'policy_violation'])
  })

  it('fail: its CA is revoked meanwhile', async () => {
    const caId = await newCa(app)
    const body = await broughtLeaf(caId)
    const [slow] = await overtaken(
      'certificate.imported',
      (each) => each.request('POST', '/v1/pki/certificates/import', { body }),
      (each) => revokeCa(each, caId),
    )
    expect(refused(slow)).toEqual([409, 'conflict'])
  })

  it('ok: one that its CA has revoked is brought as revoked, and its hold can be lifted', async () => {
    const caId = await newCa(app)
    const role = await newRole(app, caId)
    const brought: unknown[] = []
    for (const reason of ['key_compromise', 'certificate_hold']) {
      const leaf = bodyOf(await issue(app, role), 201)
      bodyOf(await revoke(app, leaf.id, reason))
      await bindings.DB.prepare('DELETE FROM certificates WHERE id = ?').bind(leaf.id).run()
      const body = { certificate_pem: leaf.certificate }
      const { id, status, revocation_reason } = bodyOf(
        await app.request('POST', '/v1/pki/certificates/import', { body }),
        201,
      )
      const { status: unheld } = await app.request('POST', `/v1/pki/certificates/${id}/unhold`)
      brought.push([status, revocation_reason, unheld])
    }
    expect(brought).toEqual([
      ['revoked', 'key_compromise', 409],
      ['revoked', 'certificate_hold', 200],
    ])
    expect((await crlOf(app, caId)).revokedCount).toBe(1)
  })

  it('fail: brought twice at once is here once', async () => {
    const body = await broughtLeaf(await newCa(app))
    const bring = (each: TestApp) => each.request('POST', '/v1/pki/certificates/import', { body })
    const [slow, quick] = await overtaken('certificate.imported', bring, bring)
    expect([refused(slow), quick.status]).toEqual([[409, 'already_exists'], 201])
  })
})
