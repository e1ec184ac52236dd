/** Many revocations in one CA at once: its list is made by one writer, each list for all that wait, and none gives up. */
import { beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/bytes.ts'
import { crlEntries, parseCrl } from '../../src/pki/crl.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { idOfRow, insertCertificateRows } from '../integration/support/pki-rows.ts'
import { api, bindings, fetchBytes, prepareDatabase } from './support/product.ts'

const REVOCATIONS = 1_000
const CONNECTIONS = 128

beforeAll(prepareDatabase)

interface CrlState {
  readonly claimed: number
  readonly published: number
  readonly revision: number
  readonly known: number
  readonly due: number
}

const stateOf = async (caId: string): Promise<CrlState | null> =>
  bindings.DB.prepare(
    `SELECT crl_number AS claimed, crl_published_number AS published, crl_revision AS revision,
      crl_published_revision AS known, crl_due_at_ms AS due FROM certificate_authorities WHERE id = ?`,
  )
    .bind(caId)
    .first<CrlState>()

async function newCa(name: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const ca = await api('POST', '/v1/pki/ca', { name, common_name: name, ca_type: 'root', key_type: 'ec', ...more })
  return ca.id as string
}

/** Revokes all of them, so many at a time; returns how many answers were not the wanted one. */
async function revokeAll(ids: readonly string[]): Promise<number> {
  const queue = [...ids]
  let refused = 0
  const connection = async (): Promise<void> => {
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      const answer = await api('POST', '/v1/pki/revoke', { certificate_id: id, reason: 'superseded' })
      if (answer.is_revoked !== true) refused += 1
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  return refused
}

describe('1,000 revocations over 128 connections', () => {
  it('ok: every one is on the list when all are answered, and no number was claimed in vain', async () => {
    const caId = await newCa('burst')
    await insertCertificateRows(DEFAULT_TENANT_ID, { from: 1, to: REVOCATIONS }, { issuer_ca_id: `'${caId}'` })
    const before = await stateOf(caId)
    const ids = Array.from({ length: REVOCATIONS }, (_, index) => idOfRow(index + 1))
    expect(await revokeAll(ids)).toBe(0)

    const der = await fetchBytes(`/v1/pki/ca/${caId}/crl`)
    const crl = parseCrl(Uint8Array.from(der))
    if (!crl.ok) throw new Error(crl.error.message)
    const listed = Array.from(crlEntries(crl.value), ({ serialNumber }) => toHex(serialNumber)).toSorted()
    const { results } = await bindings.DB.prepare('SELECT serial_number AS serial FROM revocations WHERE ca_id = ?')
      .bind(caId)
      .all<{ serial: string }>()
    expect(listed).toEqual(results.map(({ serial }) => serial).toSorted())
    expect(listed).toHaveLength(REVOCATIONS)

    const after = await stateOf(caId)
    expect(after).toMatchObject({ claimed: after?.published, revision: after?.known })
    // Each list is for all that wait: a revocation waits for two of them at the most, the one that is being made and the next.
    expect((after?.published ?? 0) - (before?.published ?? 0)).toBeLessThanOrEqual(REVOCATIONS / 10)
    const numbers = await bindings.DB.prepare(
      `SELECT json_extract(detail, '$.crl_number') AS number FROM journal
        WHERE event = 'ca.crl_published' AND resource = ? ORDER BY seq`,
    )
      .bind(`pki/ca/${caId}`)
      .all<{ number: number }>()
    const inOrder = numbers.results.map(({ number }) => number)
    expect(inOrder).toEqual(inOrder.map((_, index) => (inOrder[0] ?? 0) + index))
  }, 300_000)
})

describe('a list that could not be made', () => {
  it('ok: stays due, and comes by itself within seconds', async () => {
    const caId = await newCa('broken')
    const before = await stateOf(caId)
    // A line that no list can hold.
    await bindings.DB.prepare(
      `INSERT INTO revocations (tenant_id, ca_id, partition, serial_number, revoked_at_ms, reason)
        VALUES (?, ?, 0, 'no hex', 0, 'superseded')`,
    )
      .bind(DEFAULT_TENANT_ID, caId)
      .run()
    await insertCertificateRows(DEFAULT_TENANT_ID, { from: 5_001, to: 5_001 }, { issuer_ca_id: `'${caId}'` })
    const answer = await api('POST', '/v1/pki/revoke', { certificate_id: idOfRow(5_001), reason: 'superseded' })
    expect(answer).toMatchObject({ is_revoked: true })
    const failed = await stateOf(caId)
    expect(failed).toMatchObject({ published: before?.published, known: before?.known })
    expect(failed?.due).toBeLessThanOrEqual(Date.now())

    await bindings.DB.prepare("DELETE FROM revocations WHERE ca_id = ? AND serial_number = 'no hex'").bind(caId).run()
    let after = await stateOf(caId)
    for (let look = 0; look < 100 && after?.published === before?.published; look += 1) {
      await scheduler.wait(100)
      after = await stateOf(caId)
    }
    expect(after).toMatchObject({ claimed: after?.published, known: failed?.revision })
    expect(after?.published).toBeGreaterThan(before?.published ?? 0)
    expect(after?.due).toBeGreaterThan(Date.now())
  })
})
