/** A key that was revoked for key_compromise is certified no more: not by a renewal that keeps it, not for another request. */
import { beforeAll, describe, expect, it } from 'vitest'
import { forgeCsr } from '../../support/csr-forge.ts'
import {
  bodyOf,
  codeOf,
  hexOf,
  issued,
  newCa,
  newRole,
  type Overtaken,
  racingApps,
  renew,
  revoke,
  rowsOf,
  storedCertificate,
} from '../support/pki-world.ts'
import { newTenant, newTestToken, type TestAnswer, type TestApp } from '../support/worker-app.ts'

let app: TestApp
let overtaken: Overtaken
let caId: string
let role: string

beforeAll(async () => {
  ;({ second: app, overtaken } = await racingApps())
  caId = await newCa(app)
  role = await newRole(app, caId, { require_cn: false })
})

const NAMES = { dns: ['www.example.com'] }
const underRole =
  (csr_pem: string) =>
  (by: TestApp): Promise<TestAnswer> =>
    by.request('POST', `/v1/pki/sign/${role}`, { body: { csr_pem, san: NAMES } })

async function approved(csr_pem: string): Promise<string> {
  const id = bodyOf(await app.request('POST', '/v1/pki/csr/import', { body: { csr_pem } }), 201).id as string
  bodyOf(await app.request('POST', `/v1/pki/csr/${id}/approve`))
  return id
}
const signApproved =
  (id: string) =>
  (by: TestApp): Promise<TestAnswer> =>
    by.request('POST', `/v1/pki/csr/${id}/sign`, { body: { ca_id: caId, san: NAMES } })

const WAYS: readonly [string, (csr: string) => Promise<TestAnswer>][] = [
  ['under a role', (csr) => underRole(csr)(app)],
  ['after approval', async (csr) => signApproved(await approved(csr))(app)],
]

const revokeSerial = (serial_number: string, reason: string, by = app): Promise<TestAnswer> =>
  by.request('POST', '/v1/pki/revoke', { body: { serial_number, ca_id: caId, reason } })

/** A certificate for the key of a request, renewed once; the serial number of its first version. */
async function renewedOnce(
  sign: (csr: string) => Promise<TestAnswer>,
): Promise<{ id: string; first: string; csr: string }> {
  const csr = await forgeCsr()
  const made = bodyOf(await sign(csr), 201)
  bodyOf(await renew(app, made.id), 201)
  return { id: made.id, first: hexOf(made.serial_number), csr }
}

const refusalOf = (answer: TestAnswer): unknown[] => [answer.status, codeOf(answer), answer.json.error?.message]
const COMPROMISED = [422, 'policy_violation', expect.stringContaining('was revoked for key_compromise')]

describe('a certificate that keeps its key', () => {
  it.each(WAYS)('fail: signed %s: an earlier version was revoked for key_compromise', async (_, sign) => {
    const { id, first } = await renewedOnce(sign)
    bodyOf(await revokeSerial(first, 'key_compromise'))
    expect(refusalOf(await renew(app, id))).toEqual(COMPROMISED)
    expect(await storedCertificate(id)).toMatchObject({ version: 2, revoked_at_ms: null })
  })

  it('fail: that version was on hold before', async () => {
    const { id, first } = await renewedOnce((csr) => underRole(csr)(app))
    bodyOf(await revokeSerial(first, 'certificate_hold'))
    bodyOf(await renew(app, id), 201)
    bodyOf(await revokeSerial(first, 'key_compromise'))
    expect(refusalOf(await renew(app, id))).toEqual(COMPROMISED)
  })

  it('fail: that version was revoked before compromised keys were kept', async () => {
    const { id, first } = await renewedOnce((csr) => underRole(csr)(app))
    bodyOf(await revokeSerial(first, 'key_compromise'))
    await rowsOf('DELETE FROM compromised_keys')
    expect(refusalOf(await renew(app, id))).toEqual(COMPROMISED)
  })

  it('fail: that version is revoked while the certificate is renewed', async () => {
    const { id, first } = await renewedOnce((csr) => underRole(csr)(app))
    const [slow, quick] = await overtaken(
      'certificate.renewed',
      (by) => renew(by, id),
      (by) => revokeSerial(first, 'key_compromise', by),
    )
    expect([refusalOf(slow), quick.status]).toEqual([COMPROMISED, 200])
    expect(await storedCertificate(id)).toMatchObject({ version: 2 })
  })

  it('ok: an earlier version was revoked for another reason', async () => {
    const { id, first } = await renewedOnce((csr) => underRole(csr)(app))
    bodyOf(await revokeSerial(first, 'superseded'))
    expect(bodyOf(await renew(app, id), 201).version).toBe(3)
  })

  it('ok: a renewal brings a new key', async () => {
    const { id, serial } = await issued(app, role)
    bodyOf(await renew(app, id), 201)
    bodyOf(await revokeSerial(serial, 'key_compromise'))
    expect(bodyOf(await renew(app, id), 201).version).toBe(3)
  })
})

describe('a request with a key that was revoked for key_compromise', () => {
  it.each(WAYS)('fail: is signed %s no more, by whichever certificate the key was revoked', async (_, sign) => {
    const csr = await forgeCsr()
    const { id } = bodyOf(await underRole(csr)(app), 201)
    bodyOf(await revoke(app, id, 'key_compromise'))
    expect(refusalOf(await sign(csr))).toEqual(COMPROMISED)
  })

  it('fail: is not signed under a role where the key is revoked meanwhile', async () => {
    const csr = await forgeCsr()
    const { id } = bodyOf(await underRole(csr)(app), 201)
    const before = await rowsOf('SELECT id FROM certificates')
    const [slow, quick] = await overtaken('certificate.issued', underRole(csr), (by) =>
      revoke(by, id, 'key_compromise'),
    )
    expect([refusalOf(slow), quick.status]).toEqual([COMPROMISED, 200])
    expect(await rowsOf('SELECT id FROM certificates')).toEqual(before)
  })

  it('fail: is not signed after approval where the key is revoked meanwhile, and stays approved', async () => {
    const csr = await forgeCsr()
    const { id } = bodyOf(await underRole(csr)(app), 201)
    const request = await approved(csr)
    const [slow, quick] = await overtaken('csr.signed', signApproved(request), (by) => revoke(by, id, 'key_compromise'))
    expect([refusalOf(slow), quick.status]).toEqual([COMPROMISED, 200])
    expect(bodyOf(await app.request('GET', `/v1/pki/csr/${request}`)).status).toBe('approved')
  })

  it('fail: the certificate was brought here, and its CA had revoked it before', async () => {
    const csr = await forgeCsr()
    const { id, certificate } = bodyOf(await underRole(csr)(app), 201)
    bodyOf(await revoke(app, id, 'key_compromise'))
    await rowsOf('DELETE FROM compromised_keys')
    await rowsOf('DELETE FROM certificates WHERE id = ?', id)
    bodyOf(await app.request('POST', '/v1/pki/certificates/import', { body: { certificate_pem: certificate } }), 201)
    expect(refusalOf(await underRole(csr)(app))).toEqual(COMPROMISED)
  })

  it('ok: is signed for another tenant, and after a revocation for another reason', async () => {
    const csr = await forgeCsr()
    const { id } = bodyOf(await underRole(csr)(app), 201)
    bodyOf(await revoke(app, id, 'superseded'))
    const again = bodyOf(await underRole(csr)(app), 201)
    bodyOf(await revoke(app, again.id, 'key_compromise'))
    const token = await newTestToken(app, ['pki:admin', 'pki:issue'], { tenantId: await newTenant() })
    const other = await newRole(app, await newCa(app, { token }), { require_cn: false }, token)
    const body = { csr_pem: csr, san: NAMES }
    bodyOf(await app.request('POST', `/v1/pki/sign/${other}`, { token, body }), 201)
  })

  it('ok: the key is kept once, however often it is revoked', async () => {
    const csr = await forgeCsr()
    const ids = [bodyOf(await underRole(csr)(app), 201).id, bodyOf(await underRole(csr)(app), 201).id]
    const before = await rowsOf('SELECT key_hash FROM compromised_keys')
    for (const id of ids) bodyOf(await revoke(app, id, 'key_compromise'))
    expect(await rowsOf('SELECT key_hash FROM compromised_keys')).toHaveLength(before.length + 1)
  })
})
