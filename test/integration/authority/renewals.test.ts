/** What a renewal may grant: what was granted before, within what is allowed today. */
import { beforeAll, describe, expect, it } from 'vitest'
import { parseStored, requireSigner } from '../../../src/authority/signer.ts'
import { buildLeaf } from '../../../src/pki/build-certificate.ts'
import { buildName } from '../../../src/pki/distinguished-name.ts'
import { EKU } from '../../../src/pki/oids.ts'
import { formatCertificatesPem } from '../../../src/pki/pem.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { bindings } from '../support/bindings.ts'
import { approvedCsr, bodyOf, codeOf, issued, newCa, newRole, renew, storedCertificate } from '../support/pki-world.ts'
import { newTestToken, type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

const DAY_SECONDS = 86_400

let app: TestApp
let caId: string

beforeAll(async () => {
  app = await testApp()
  caId = await newCa(app)
  // No certificate begins before its CA.
  app.nowMs += 86_400_000
})

const renewFor = (id: string, ttl: string, token?: string): Promise<TestAnswer> =>
  app.request('POST', `/v1/pki/certificates/${id}/renew`, {
    body: { ttl },
    ...(token === undefined ? {} : { token }),
  })

/** Seconds from now to the end of what was issued. */
const lifetimeOf = ({ not_after: end }: { readonly not_after: string }): number =>
  (Date.parse(end) - Math.floor(app.nowMs / 1000) * 1000) / 1000
const refused = (answer: TestAnswer): unknown[] => [answer.status, codeOf(answer)]

async function signedRequest(validityDays?: number): Promise<string> {
  const csr = await approvedCsr(app, 'billing.example.com', 'api.example.com')
  const signing = { ca_id: caId, ...(validityDays === undefined ? {} : { validity_days: validityDays }) }
  return bodyOf(await app.request('POST', `/v1/pki/csr/${csr}/sign`, { body: signing }), 201).id as string
}

const patch = async (role: string, body: Record<string, unknown>): Promise<void> => {
  bodyOf(await app.request('PATCH', `/v1/pki/roles/${role}`, { body }))
}

/** As a row that was written before terms were kept. */
const forgetTerms = (id: string) =>
  bindings.DB.prepare('UPDATE certificates SET issue_terms = NULL WHERE id = ?').bind(id).run()

describe('a certificate that was signed from an approved request', () => {
  it('fail: for longer than was approved', async () => {
    const token = await newTestToken(app, ['pki:issue'])
    const id = await signedRequest(30)
    const answer = await renewFor(id, '31d', token)
    expect(refused(answer)).toEqual([422, 'policy_violation'])
    expect(answer.json.error.message).toContain(`${30 * DAY_SECONDS}s`)
    expect(await storedCertificate(id)).toMatchObject({ version: 1 })
  })

  it('ok: as long as was approved, and for a shorter time', async () => {
    const id = await signedRequest(30)
    expect(lifetimeOf(bodyOf(await renew(app, id), 201))).toBe(30 * DAY_SECONDS)
    expect(lifetimeOf(bodyOf(await renewFor(id, '1d'), 201))).toBe(DAY_SECONDS)
    // As long as the version before; what was approved is still the bound.
    expect(lifetimeOf(bodyOf(await renew(app, id), 201))).toBe(DAY_SECONDS)
    expect(lifetimeOf(bodyOf(await renewFor(id, '30d'), 201))).toBe(30 * DAY_SECONDS)
    expect(refused(await renewFor(id, '31d'))).toEqual([422, 'policy_violation'])
  })

  it('ok: the default lifetime is what was approved where no other was', async () => {
    const id = await signedRequest()
    expect(refused(await renewFor(id, '91d'))).toEqual([422, 'policy_violation'])
    expect(lifetimeOf(bodyOf(await renewFor(id, '90d'), 201))).toBe(90 * DAY_SECONDS)
  })

  it('ok: names, subject and usages stay', async () => {
    const id = await signedRequest(30)
    const before = parseStored(((await storedCertificate(id)) as unknown as { leaf_pem: string }).leaf_pem)
    const after = parseStored(bodyOf(await renew(app, id), 201).certificate)
    expect(after.subject.der).toEqual(before.subject.der)
    expect(after.subjectAltNames).toEqual(before.subjectAltNames)
    expect([after.keyUsage, after.extKeyUsage]).toEqual([before.keyUsage, before.extKeyUsage])
  })

  it('fail: nothing was kept of the approval: the first version is the bound, whatever was made of it since', async () => {
    const id = await signedRequest(30)
    bodyOf(await renewFor(id, '20d'), 201)
    await forgetTerms(id)
    // As the policy of old allowed it.
    await bindings.DB.prepare('UPDATE certificates SET not_after_ms = not_after_ms + 1000 * 86400000 WHERE id = ?')
      .bind(id)
      .run()
    expect(refused(await renewFor(id, '31d'))).toEqual([422, 'policy_violation'])
    expect(lifetimeOf(bodyOf(await renew(app, id), 201))).toBe(30 * DAY_SECONDS)
  })

  it('ok: nothing was kept of the approval: usages are those of the first version', async () => {
    const id = await signedRequest(30)
    const row = (await storedCertificate(id)) as unknown as { leaf_pem: string; not_after_ms: number }
    const before = parseStored(row.leaf_pem)
    const signer = await requireSigner(app.store, DEFAULT_TENANT_ID, caId, true)
    const subject = buildName({ commonName: 'billing.example.com' })
    if (!subject.ok) throw new Error(subject.error.message)
    const { der } = await buildLeaf(
      {
        subjectDer: subject.value,
        altNames: [{ type: 'dns', value: 'billing.example.com' }],
        spkiDer: before.subjectPublicKeyInfo.der,
        notBeforeMs: before.notBeforeMs,
        notAfterMs: before.notAfterMs,
        extKeyUsage: [EKU.clientAuth],
        serialNumber: before.serialNumber,
        crlUris: [],
        caIssuerUris: [],
      },
      signer.issuer,
    )
    await bindings.DB.prepare('UPDATE certificates SET leaf_pem = ?, issue_terms = NULL WHERE id = ?')
      .bind(formatCertificatesPem([der]), id)
      .run()
    expect(parseStored(bodyOf(await renew(app, id), 201).certificate).extKeyUsage).toEqual([EKU.clientAuth])
  })
})

describe('a certificate under a role', () => {
  it('ok: begins with its CA where the role would have it begin earlier', async () => {
    const young = await newCa(app)
    const role = await newRole(app, young, { not_before_backdate: '1h' })
    const answer = bodyOf(
      await app.request('POST', `/v1/pki/issue/${role}`, { body: { common_name: 'a.example.com' } }),
      201,
    )
    const { valid_from } = bodyOf(await app.request('GET', `/v1/pki/ca/${young}`))
    expect(answer.not_before).toBe(valid_from)
    expect(parseStored(answer.certificate).notBeforeMs).toBe(Date.parse(valid_from))
  })

  it('ok: the role starts its certificates earlier now: the lifetime stays', async () => {
    const role = await newRole(app, caId, { not_before_backdate: '30s' })
    const { id } = await issued(app, role, { common_name: 'www.example.com', ttl: '1h' })
    await patch(role, { not_before_backdate: '2h' })
    app.nowMs += 60_000
    expect(lifetimeOf(bodyOf(await renew(app, id), 201))).toBe(3_600)
    await patch(role, { not_before_backdate: '1s' })
    expect(lifetimeOf(bodyOf(await renew(app, id), 201))).toBe(3_600)
  })

  it('ok: nothing was kept of its lifetime: it is that of its validity', async () => {
    const role = await newRole(app, caId, { not_before_backdate: '30s' })
    const { id } = await issued(app, role, { common_name: 'www.example.com', ttl: '1h' })
    await forgetTerms(id)
    await patch(role, { not_before_backdate: '2h' })
    expect(lifetimeOf(bodyOf(await renew(app, id), 201))).toBe(3_630)
  })

  it('ok: the role allows less by now: as long as it allows', async () => {
    const role = await newRole(app, caId, { max_ttl: '20d' })
    const { id } = await issued(app, role)
    await patch(role, { max_ttl: '10d', default_ttl: '10d' })
    expect(lifetimeOf(bodyOf(await renew(app, id), 201))).toBe(10 * DAY_SECONDS)
    await patch(role, { max_ttl: '20d' })
    expect(lifetimeOf(bodyOf(await renewFor(id, '20d'), 201))).toBe(20 * DAY_SECONDS)
  })

  it('ok: the CA ends earlier than the version before was asked for: as long as the CA', async () => {
    const short = await newCa(app, { more: { validity_days: 5 } })
    const role = await newRole(app, short, { max_ttl: '20d', default_ttl: '20d' })
    const { id } = await issued(app, role)
    expect(lifetimeOf(bodyOf(await renew(app, id), 201))).toBe(5 * DAY_SECONDS)
    expect(refused(await renewFor(id, '6d'))).toEqual([422, 'policy_violation'])
  })

  it('fail: the role is deleted by now: told so, and not as a certificate that is not there', async () => {
    const role = await newRole(app, caId)
    const { id } = await issued(app, role)
    expect((await app.request('DELETE', `/v1/pki/roles/${role}`)).status).toBe(204)
    const answer = await renew(app, id)
    expect(refused(answer)).toEqual([409, 'conflict'])
    expect(answer.json.error.message).toContain(`Its role ${role} is deleted`)
  })

  it('fail: the role wants a common name by now, and there is none', async () => {
    const role = await newRole(app, caId, { require_cn: false })
    const { id } = await issued(app, role, { alt_names: ['www.example.com'] })
    await patch(role, { require_cn: true })
    const answer = await renew(app, id)
    expect(refused(answer)).toEqual([422, 'policy_violation'])
    expect(answer.json.error.message).toContain('require_cn')
  })

  it.each([true, false])(
    'ok: a common name that is too long for a subject was asked for (terms kept: %s)',
    async (kept) => {
      const role = await newRole(app, caId)
      const long = `${'a'.repeat(60)}.${'b'.repeat(20)}.example.com`
      const { id } = await issued(app, role, { common_name: long })
      if (!kept) await forgetTerms(id)
      expect(bodyOf(await renew(app, id), 201).version).toBe(2)
    },
  )
})
