/** A certificate that one CA gave another is revoked by itself. */
import { beforeAll, describe, expect, it } from 'vitest'
import {
  bodyOf,
  codeOf,
  crlOf,
  eventsOf,
  hexOf,
  issue,
  issued,
  linesOf,
  newCa,
  newRole,
  type Overtaken,
  racingApps,
  revokeCa,
  serialsOf,
} from '../support/pki-world.ts'
import { newTestToken, type TestAnswer, type TestApp } from '../support/worker-app.ts'

let app: TestApp
let overtaken: Overtaken

beforeAll(async () => {
  ;({ second: app, overtaken } = await racingApps())
})

interface Crossed {
  readonly caId: string
  readonly issuer: string
  readonly serial: string
}

async function crossed(more: Readonly<Record<string, unknown>> = {}): Promise<Crossed> {
  const [caId, issuer] = [await newCa(app), await newCa(app, { more })]
  const body = { issuer_ca_id: issuer }
  const answer = bodyOf(await app.request('POST', `/v1/pki/ca/${caId}/cross-sign`, { body }), 201)
  return { caId, issuer, serial: answer.serial_number as string }
}

const revokeBySerial =
  (serial: string, caId?: string, reason = 'superseded') =>
  (each: TestApp): Promise<TestAnswer> =>
    each.request('POST', '/v1/pki/revoke', {
      body: { serial_number: serial, reason, ...(caId === undefined ? {} : { ca_id: caId }) },
    })

const certificatesOf = async (
  caId: string,
): Promise<{ kind: string; serial_number: string; revoked_at: string | null }[]> =>
  bodyOf(await app.request('GET', `/v1/pki/ca/${caId}/certificates`)).data

describe('a cross-certificate', () => {
  it.each([0, 4])("ok: is in its issuer's CRL alone, and the CA stays (parts: %i)", async (parts) => {
    const { caId, issuer, serial } = await crossed({ crl_partitions: parts })
    const role = await newRole(app, caId)
    await issued(app, role)
    const answer = bodyOf(await revokeBySerial(serial, issuer)(app))
    expect(answer).toMatchObject({ certificate_id: null, ca_id: caId, serial_number: serial, reason: 'superseded' })
    expect([answer.is_revoked, answer.revoked_count]).toEqual([true, 1])
    expect(linesOf(await crlOf(app, issuer))).toEqual([[hexOf(serial), 4]])
    expect((await crlOf(app, caId)).revokedCount).toBe(0)
    expect(bodyOf(await app.request('GET', `/v1/pki/ca/${caId}`))).toMatchObject({ status: 'active', is_active: true })
    const rows = await certificatesOf(caId)
    expect(rows.map(({ kind, revoked_at }) => [kind, revoked_at !== null])).toEqual(
      expect.arrayContaining([
        ['own', false],
        ['cross', true],
      ]),
    )
    bodyOf(await issue(app, role), 201)
    expect(await eventsOf('ca.cross_certificate_revoked', `pki/ca/${caId}`)).toBe(1)
  })

  it('ok: twice changes nothing', async () => {
    const { issuer, serial } = await crossed()
    const first = bodyOf(await revokeBySerial(serial, issuer)(app))
    app.nowMs += 60_000
    const again = bodyOf(await revokeBySerial(serial, undefined, 'key_compromise')(app))
    expect(again).toEqual({ ...first, revoked_count: 0 })
    expect(linesOf(await crlOf(app, issuer))).toEqual([[hexOf(serial), 4]])
  })

  it('ok: twice at once is revoked once, for the reason of the first', async () => {
    const { caId, issuer, serial } = await crossed()
    const [slow, quick] = await overtaken(
      'ca.cross_certificate_revoked',
      revokeBySerial(serial, issuer),
      revokeBySerial(serial, issuer, 'cessation_of_operation'),
    )
    expect([bodyOf(slow).reason, slow.json.revoked_count]).toEqual(['cessation_of_operation', 0])
    expect(quick.json.revoked_count).toBe(1)
    expect(await eventsOf('ca.cross_certificate_revoked', `pki/ca/${caId}`)).toBe(1)
  })

  it('ok: while its CA is revoked: one line in the CRL', async () => {
    const { caId, issuer, serial } = await crossed()
    await overtaken('ca.cross_certificate_revoked', revokeBySerial(serial, issuer), (each) => revokeCa(each, caId))
    expect(serialsOf(await crlOf(app, issuer))).toEqual([hexOf(serial)])
    await overtaken('ca.revoked', (each) => revokeCa(each, issuer), revokeBySerial(serial, issuer))
    expect(serialsOf(await crlOf(app, issuer))).toEqual([hexOf(serial)])
  })

  it('fail: the wrong issuer, the own certificate of a CA, and a hold', async () => {
    const { caId, issuer, serial } = await crossed()
    const own = (await certificatesOf(caId)).find(({ kind }) => kind === 'own')?.serial_number ?? ''
    const answers = [
      await revokeBySerial(serial, caId)(app),
      await revokeBySerial(own)(app),
      await revokeBySerial(serial, issuer, 'certificate_hold')(app),
    ]
    expect(answers.map((each) => codeOf(each))).toEqual(['not_found', 'invalid_request', 'invalid_request'])
    expect((await crlOf(app, issuer)).revokedCount).toBe(0)
  })

  it('fail: by a token that sees one of the two CAs alone', async () => {
    const { caId, issuer, serial } = await crossed()
    for (const path of [`pki/ca/${caId}`, `pki/ca/${issuer}`]) {
      const token = await newTestToken(app, ['pki:admin'], { paths: [path] })
      const body = { serial_number: serial, ca_id: issuer }
      expect((await app.request('POST', '/v1/pki/revoke', { token, body })).status).not.toBe(200)
    }
    expect((await crlOf(app, issuer)).revokedCount).toBe(0)
  })
})
