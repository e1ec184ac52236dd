/** What a token with paths is told of things outside of them: the same as of things that are not there. */
import { beforeAll, describe, expect, it } from 'vitest'
import { bodyOf, eventsOf, issued, newCa, newRole, rowsOf } from '../support/pki-world.ts'
import { newTestToken, type TestApp, testApp } from '../support/worker-app.ts'

const ABSENT_SERIAL = '7F:00:00:00:00:00:00:00:00:00:00:00:00:00:00:01'

let app: TestApp
let caId: string
let role: string

beforeAll(async () => {
  app = await testApp()
  caId = await newCa(app)
  role = await newRole(app, caId)
})

/** A token that sees one certificate, which is issued for it. */
async function narrowToken(more: readonly string[] = []) {
  const own = await issued(app, role)
  const token = await newTestToken(app, ['pki:admin'], { paths: [`pki/certificates/${own.id}`, ...more] })
  return { own, token }
}

async function revoked(token: string, body: Record<string, unknown>) {
  const answer = await app.request('POST', '/v1/pki/revoke', { token, body })
  const { code, message, details } = answer.json.error ?? {}
  return { status: answer.status, code, message, details }
}

const standing = async (id: string) =>
  (await rowsOf<{ revoked_at_ms: number | null }>('SELECT revoked_at_ms FROM certificates WHERE id = ?', id))[0]
    ?.revoked_at_ms

describe('revoking outside of the paths', () => {
  it('fail: by serial number: as one that is not there, a certificate or a CA', async () => {
    const { token } = await narrowToken()
    const other = await issued(app, role)
    const { serial_number: caSerial } = bodyOf(await app.request('GET', `/v1/pki/ca/${caId}`))
    const absent = await revoked(token, { serial_number: ABSENT_SERIAL })
    expect(absent).toMatchObject({ status: 404, code: 'not_found' })
    expect(await revoked(token, { serial_number: other.serial })).toEqual(absent)
    expect(await revoked(token, { serial_number: other.serial, ca_id: caId })).toEqual(absent)
    expect(await revoked(token, { serial_number: caSerial })).toEqual(absent)
    expect(await standing(other.id)).toBeNull()
  })

  it('fail: by id: as one that is not there, but for the id that was given', async () => {
    const { own, token } = await narrowToken()
    const other = await issued(app, role)
    const absentId = `${own.id.slice(0, -4)}zzzz`
    const wide = await newTestToken(app, ['pki:admin'])
    const words = async (by: string, id: string) => {
      const answer = await revoked(by, { certificate_id: id })
      return { ...answer, message: answer.message.replace(id, '…') }
    }
    const absent = await words(wide, absentId)
    expect(absent).toMatchObject({ status: 404, code: 'not_found' })
    expect([await words(token, absentId), await words(token, other.id)]).toEqual([absent, absent])
    expect(await standing(other.id)).toBeNull()
  })

  it('ok: both are journaled for such a token, and in the same way', async () => {
    const { own, token } = await narrowToken()
    const other = await issued(app, role)
    const before = await eventsOf('authorization.failed', 'pki/certificates/cert_*')
    await revoked(token, { serial_number: ABSENT_SERIAL })
    const after = await eventsOf('authorization.failed', 'pki/certificates/cert_*')
    await revoked(token, { serial_number: other.serial })
    expect([after - before, (await eventsOf('authorization.failed', 'pki/certificates/cert_*')) - before]).toEqual([
      1, 1,
    ])
    expect(await eventsOf('authorization.failed', `pki/certificates/${own.id}`)).toBe(0)
  })

  it('ok: what it sees it revokes, and of a CA that it sees it is told where to go', async () => {
    const { own, token } = await narrowToken([`pki/ca/${caId}`])
    const { serial_number: caSerial } = bodyOf(await app.request('GET', `/v1/pki/ca/${caId}`))
    expect((await revoked(token, { serial_number: caSerial })).message).toContain(`/v1/pki/ca/${caId}/revoke`)
    expect((await revoked(token, { serial_number: own.serial })).status).toBe(200)
    expect(await standing(own.id)).not.toBeNull()
  })
})
