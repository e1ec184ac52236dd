import { describe, expect, it } from 'vitest'
import { buildCrl } from '../../../../src/pki/build-crl.ts'
import { parseCertificate } from '../../../../src/pki/certificate.ts'
import type { Crl } from '../../../../src/pki/crl.ts'
import type { DistinguishedName } from '../../../../src/pki/general-name.ts'
import { CrlIndex } from '../../../../src/pki/path/crl-index.ts'
import { newSerial } from '../../../../src/pki/serial.ts'
import { CASE_TIME_MS, DAY_MS, type Entity, forgeCrl, forgeRoot, newEntity } from '../../../conformance/limbo/forge.ts'

async function subjectOf(entity: Entity): Promise<DistinguishedName> {
  const certificate = parseCertificate(await forgeRoot(entity))
  if (!certificate.ok) throw certificate.error
  return certificate.value.subject
}

function only<T>(values: readonly T[]): T {
  const [value] = values
  if (value === undefined || values.length !== 1) throw new TypeError(`${values.length} values`)
  return value
}

describe('CrlIndex', () => {
  it('ok: finds lists by their issuer, and tells which are malformed', async () => {
    const [one, other] = [await newEntity('One'), await newEntity('Other')]
    const der = await forgeCrl(one)
    const index = new CrlIndex([new Uint8Array([1, 2]), der, await forgeCrl(other), der.subarray(1)], [])
    expect(index.malformed).toEqual([0, 3])
    expect(index.ofIssuer(await subjectOf(one)).map((crl) => crl.der)).toEqual([der])
    expect(index.ofIssuer(await subjectOf(await newEntity('Third')))).toEqual([])
  })

  it('ok: finds one entry among 100,000, and goes through the list once', async () => {
    const issuer = await newEntity('Large')
    const { subjectDer, keyIdentifier, keyPair } = issuer
    const wanted = [newSerial(), newSerial(), newSerial()] as const
    const revoked = Array.from({ length: 100_000 }, (_, i) => ({
      serialNumber: i === 7 ? wanted[0] : i === 99_999 ? wanted[1] : newSerial(),
      revokedAtMs: CASE_TIME_MS - DAY_MS,
      reason: 'superseded' as const,
    }))
    const { der } = await buildCrl({
      issuer: { subjectDer, keyIdentifier, privateKey: keyPair.privateKey },
      crlNumber: 1,
      thisUpdateMs: CASE_TIME_MS,
      nextUpdateMs: CASE_TIME_MS + DAY_MS,
      pages: [revoked],
    })
    const index = new CrlIndex([der], wanted)
    const crl: Crl = only(index.ofIssuer(await subjectOf(issuer)))
    const found = { revokedAtMs: CASE_TIME_MS - DAY_MS, reasonCode: 4 }
    expect(index.find(crl, wanted[0])).toMatchObject(found)
    // A second reading would now throw.
    crl.revokedDer?.fill(0xff)
    expect(index.find(crl, wanted[1])).toMatchObject({ revokedAtMs: found.revokedAtMs })
    expect(index.find(crl, wanted[2])).toBeNull()
  })

  it('ok: of two entries for one number the first counts', async () => {
    const [issuer, serialNumber] = [await newEntity('Twice'), newSerial()]
    const revoked = [6, 1].map((reasonCode) => ({ serialNumber, reasonCode }))
    const index = new CrlIndex([await forgeCrl(issuer, { revoked })], [serialNumber])
    const crl = only(index.ofIssuer(await subjectOf(issuer)))
    expect(index.find(crl, serialNumber)).toMatchObject({ reasonCode: 6 })
  })

  it('fail: nobody asks for a serial number that was not announced', async () => {
    const issuer = await newEntity('Small')
    const index = new CrlIndex([await forgeCrl(issuer)], [])
    const crl = only(index.ofIssuer(await subjectOf(issuer)))
    expect(() => index.find(crl, newSerial())).toThrow(TypeError)
  })
})
