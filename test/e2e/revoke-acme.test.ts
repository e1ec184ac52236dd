import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { finishedOrder } from '../support/service.ts'

let setup: AcmeSetup
beforeAll(async () => {
  setup = await startAcmeSetup()
})
afterAll(() => setup?.stop())

interface Issued {
  readonly id: string
  readonly serialNumber: string
}

async function issued(domain: string): Promise<Issued> {
  const { certificate_id: id } = await finishedOrder(setup.service, await setup.issue([domain]))
  const { body: certificate } = await setup.service.api('GET', `/v1/pki/certificates/${id}`)
  return { id, serialNumber: certificate.serial_number }
}

/** Pebble's word on a certificate. */
async function statusAtCa({ serialNumber }: Issued): Promise<string | undefined> {
  // Pebble writes no leading zeros.
  return (await setup.pebble.certificateStatus(serialNumber.replaceAll(':', '').replace(/^0+/, '')))?.status
}

const revoke = (body: Readonly<Record<string, unknown>>) => setup.service.api('POST', '/v1/pki/revoke', body)

describe('POST /v1/pki/revoke of ACME certificates', () => {
  it('ok: with use_acme the CA revokes it, by the account’s key', async () => {
    const certificate = await issued('by-account.acme.example')
    expect(await statusAtCa(certificate)).toBe('Valid')
    const answer = await revoke({ serial_number: certificate.serialNumber, reason: 'superseded', use_acme: true })
    expect(answer).toMatchObject({ status: 200, body: { is_revoked: true, reason: 'superseded', revoked_count: 1 } })
    expect(await statusAtCa(certificate)).toBe('Revoked')
    const { body } = await setup.service.api('GET', `/v1/pki/certificates/${certificate.id}`)
    expect(body).toMatchObject({ status: 'revoked', next_renewal_at: null })
  })

  it('ok: by the certificate’s own key', async () => {
    const certificate = await issued('by-key.acme.example')
    const body = { certificate_id: certificate.id, reason: 'key_compromise', use_acme: true, acme_key: 'certificate' }
    expect(await revoke(body)).toMatchObject({ status: 200 })
    expect(await statusAtCa(certificate)).toBe('Revoked')
  })

  it('ok: without it, it is marked here alone', async () => {
    const certificate = await issued('here-alone.acme.example')
    expect(await revoke({ certificate_id: certificate.id })).toMatchObject({ status: 200 })
    expect(await statusAtCa(certificate)).toBe('Valid')
  })

  it('fail: a reason that the CA does not take, and nothing is marked', async () => {
    const certificate = await issued('refused.acme.example')
    const body = { certificate_id: certificate.id, reason: 'aa_compromise', use_acme: true }
    expect(await revoke(body)).toMatchObject({ status: 400, body: { error: { details: [{ path: 'reason' }] } } })
    expect(await statusAtCa(certificate)).toBe('Valid')
    const { body: shown } = await setup.service.api('GET', `/v1/pki/certificates/${certificate.id}`)
    expect(shown.is_revoked).toBe(false)
  })
})
