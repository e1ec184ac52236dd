/** Revoking at a real Pebble (RFC 8555 §7.6), which says what became of it. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { AccountObjects } from '../../src/accounts/account-object.ts'
import { type CaRevocationRequest, type RevocableCertificate, revokeAtCa } from '../../src/certificates/revoke-at-ca.ts'
import { err, ok } from '../../src/core/result.ts'
import { accountObjects } from '../../src/objects.ts'
import { REVOCATION_REASONS, type RevocationReason } from '../../src/pki/revocation-reason.ts'
import { type Runtime, runtimeOf } from '../../src/runtime.ts'
import { findCertificate } from '../../src/store/certificates.ts'
import { DEFAULT_TENANT_ID } from '../../src/store/store.ts'
import { accountOf, api, bindings, issue, prepare, untilFinished } from './support/product.ts'

const ACTOR = { tenantId: DEFAULT_TENANT_ID, tokenId: 'tok_test', requestId: null }

let runtime: Runtime
beforeAll(async () => {
  await prepare()
  runtime = await runtimeOf(bindings)
})

async function issued(domain: string, more: Readonly<Record<string, unknown>> = {}): Promise<RevocableCertificate> {
  const order = await untilFinished(await issue(domain, more), () => scheduler.wait(50))
  const row = await findCertificate(runtime.store, DEFAULT_TENANT_ID, order.certificate_id)
  if (row === null) throw new Error(`no certificate: ${JSON.stringify(order)}`)
  return row
}

const revoke = (
  certificate: RevocableCertificate,
  request: CaRevocationRequest,
  accounts: AccountObjects<'revokeCertificate'> = accountObjects(bindings),
) => revokeAtCa({ ...runtime, accounts }, ACTOR, certificate, request)

/** Nobody may be asked. */
const nobody: AccountObjects<'revokeCertificate'> = () => {
  throw new Error('the CA was asked')
}

async function atPebble({ serialNumber }: RevocableCertificate) {
  const serial = serialNumber.replace(/^0+/, '')
  const answer = await fetch(`${bindings.TEST_PEBBLE_MANAGEMENT_URL}/cert-status-by-serial/${serial}`, {
    headers: { 'user-agent': 'test' },
  })
  const { Status, Reason } = (await answer.json()) as { Status: string; Reason?: number }
  return { status: Status, reason: Reason }
}

describe('revoking at the CA', () => {
  it('ok: by the account, with the reason; again is done already', async () => {
    const certificate = await issued('revoked.acme.example')
    expect(await atPebble(certificate)).toMatchObject({ status: 'Valid' })
    const request = { reason: 'superseded', by: 'account' } as const
    expect(await revoke(certificate, request)).toEqual({ ok: true, value: { already: false } })
    expect(await atPebble(certificate)).toEqual({ status: 'Revoked', reason: 4 })
    expect(await revoke(certificate, request)).toEqual({ ok: true, value: { already: true } })
  })

  it.each([
    ['ec', 256],
    ['ec', 384],
    ['rsa', 2048],
  ])('ok: by the own key of the certificate, %s %d, even when the account is gone', async (key_type, key_size) => {
    const certificate = await issued(`own-${key_type}-${key_size}.acme.example`, { key_type, key_size })
    await bindings.DB.prepare("UPDATE acme_accounts SET status = 'deactivated' WHERE id = ?").bind(accountOf()).run()
    try {
      const byAccount = await revoke(certificate, { reason: 'unspecified', by: 'account' }, nobody)
      expect(byAccount).toMatchObject({ error: { code: 'conflict', message: expect.stringContaining('own key') } })
      const done = await revoke(certificate, { reason: 'key_compromise', by: 'certificate' })
      expect(done).toEqual({ ok: true, value: { already: false } })
      expect(await atPebble(certificate)).toEqual({ status: 'Revoked', reason: 1 })
    } finally {
      await bindings.DB.prepare("UPDATE acme_accounts SET status = 'active' WHERE id = ?").bind(accountOf()).run()
    }
  })

  it('ok: an earlier version', async () => {
    const first = await issued('renewed.acme.example')
    const { order_id } = await api('POST', `/v1/pki/certificates/${first.id}/renew`)
    await untilFinished(order_id, () => scheduler.wait(50))
    expect(await revoke(first, { reason: 'superseded', by: 'certificate' })).toMatchObject({ ok: true })
    expect(await atPebble(first)).toMatchObject({ status: 'Revoked' })
    const current = await findCertificate(runtime.store, DEFAULT_TENANT_ID, first.id)
    expect(current?.version).toBe(2)
    expect(await atPebble(current ?? first)).toMatchObject({ status: 'Valid' })
  })

  it('fail: reasons that are not for subscribers are refused before the CA is asked', async () => {
    const certificate = await issued('reasons.acme.example')
    const taken: RevocationReason[] = []
    for (const reason of Object.keys(REVOCATION_REASONS) as RevocationReason[]) {
      const asked = () => ({ revokeCertificate: async () => ok({ already: false }) })
      const answer = await revoke(certificate, { reason, by: 'account' }, asked)
      if (answer.ok) taken.push(reason)
      else expect(answer.error.details).toEqual([{ path: 'reason', message: expect.stringContaining(reason) }])
    }
    expect(taken).toEqual([
      'unspecified',
      'key_compromise',
      'affiliation_changed',
      'superseded',
      'cessation_of_operation',
    ])
    await bindings.DB.prepare("UPDATE acme_accounts SET provider = 'letsencrypt' WHERE id = ?").bind(accountOf()).run()
    const refused = await revoke(certificate, { reason: 'affiliation_changed', by: 'account' }, nobody)
    await bindings.DB.prepare("UPDATE acme_accounts SET provider = 'custom' WHERE id = ?").bind(accountOf()).run()
    expect(refused).toMatchObject({
      error: {
        code: 'invalid_request',
        message: expect.stringContaining('unspecified, key_compromise, superseded, cessation_of_operation'),
      },
    })
  })

  it('fail: what has expired, has no key here, or did not come by ACME', async () => {
    const certificate = await issued('unfit.acme.example')
    const request = { reason: 'unspecified', by: 'certificate' } as const
    for (const [changed, code] of [
      [{ notAfterMs: Date.now() - 1 }, 'conflict'],
      [{ sealedPrivateKey: null }, 'conflict'],
      [{ acmeAccountId: null }, 'invalid_request'],
    ] as const) {
      expect(await revoke({ ...certificate, ...changed }, request, nobody)).toMatchObject({ error: { code } })
    }
    const stranger = { ...ACTOR, tenantId: 'ten_00000000000000000000000001' }
    expect(await revokeAtCa({ ...runtime, accounts: nobody }, stranger, certificate, request)).toMatchObject({
      error: { code: 'invalid_request' },
    })
  })

  it("fail: the CA's refusal is told, and a reason that it does not take is the caller's", async () => {
    const certificate = await issued('refused.acme.example')
    const problem = {
      reason: 'problem',
      url: 'https://ca.example/revoke',
      status: 400,
      type: 'urn:ietf:params:acme:error:badRevocationReason',
      title: null,
      detail: 'not that one',
      instanceUrl: null,
      identifier: null,
      algorithms: [],
      subproblems: [],
      retryAfterMs: null,
      termsOfServiceUrl: null,
      helpUrl: null,
      accountUrl: null,
    } as const
    const request = { reason: 'superseded', by: 'account' } as const
    const badReason = await revoke(certificate, request, () => ({ revokeCertificate: async () => err(problem) }))
    expect(badReason).toMatchObject({
      error: { code: 'invalid_request', message: expect.stringContaining('not that one') },
    })
    const unauthorized = { ...problem, status: 403, type: 'urn:ietf:params:acme:error:unauthorized' }
    const refused = await revoke(certificate, request, () => ({ revokeCertificate: async () => err(unauthorized) }))
    expect(refused).toMatchObject({
      error: { code: 'backend_error', message: expect.stringContaining('not that one') },
    })
  })
})

describe('use_acme for what is revoked here already', () => {
  const post = (id: string, more: Readonly<Record<string, unknown>>) =>
    api('POST', '/v1/pki/revoke', { certificate_id: id, ...more })
  const told = async (id: string) =>
    (await api('GET', `/v1/audit?resource=pki/certificates/${id}&event=certificate.revoked_at_ca`)).data

  it('ok: the CA is asked, for the reason that it was revoked for, and the journal tells it', async () => {
    const certificate = await issued('later.acme.example')
    expect(await post(certificate.id, { reason: 'key_compromise' })).toMatchObject({ revoked_count: 1 })
    expect(await atPebble(certificate)).toMatchObject({ status: 'Valid' })
    const answer = await post(certificate.id, { use_acme: true })
    expect(answer).toMatchObject({ is_revoked: true, reason: 'key_compromise', revoked_count: 0 })
    expect(await atPebble(certificate)).toEqual({ status: 'Revoked', reason: 1 })
    const { id: certificate_id, acmeAccountId: account_id } = certificate
    const detail = { certificate_id, version: 1, reason: 'key_compromise', account_id, already_revoked: false }
    expect(await told(certificate.id)).toMatchObject([{ detail: { ...detail, signed_by: 'account' } }])
  })

  it('ok: a reason that is given is the one that the CA hears', async () => {
    const certificate = await issued('other-reason.acme.example')
    await post(certificate.id, { reason: 'aa_compromise' })
    const refused = await post(certificate.id, { use_acme: true })
    expect(refused.error).toMatchObject({ code: 'invalid_request', details: [{ path: 'reason' }] })
    const answer = await post(certificate.id, { use_acme: true, reason: 'superseded' })
    expect(answer).toMatchObject({ reason: 'aa_compromise', revoked_count: 0 })
    expect(await atPebble(certificate)).toEqual({ status: 'Revoked', reason: 4 })
  })

  it('ok: a CA that has revoked it already is no error, and is not asked again', async () => {
    const certificate = await issued('twice.acme.example')
    await revoke(certificate, { reason: 'superseded', by: 'account' })
    await post(certificate.id, {})
    expect(await post(certificate.id, { use_acme: true })).toMatchObject({ is_revoked: true, revoked_count: 0 })
    expect(await told(certificate.id)).toMatchObject([{ detail: { already_revoked: true } }])
    await bindings.DB.prepare("UPDATE acme_accounts SET status = 'deactivated' WHERE id = ?").bind(accountOf()).run()
    try {
      const again = await post(certificate.id, { use_acme: true, reason: 'aa_compromise' })
      expect(again).toMatchObject({ is_revoked: true, reason: 'unspecified', revoked_count: 0 })
    } finally {
      await bindings.DB.prepare("UPDATE acme_accounts SET status = 'active' WHERE id = ?").bind(accountOf()).run()
    }
    expect(await told(certificate.id)).toHaveLength(1)
  })

  it('ok: every version that has not expired', async () => {
    const first = await issued('versions.acme.example')
    const { order_id } = await api('POST', `/v1/pki/certificates/${first.id}/renew`)
    await untilFinished(order_id, () => scheduler.wait(50))
    const current = (await findCertificate(runtime.store, DEFAULT_TENANT_ID, first.id)) ?? first
    await post(first.id, { reason: 'superseded' })
    const expire = 'UPDATE certificates SET not_after_ms = 1 WHERE id = ?'
    await bindings.DB.prepare(expire).bind(first.id).run()
    expect(await post(first.id, { use_acme: true })).toMatchObject({ is_revoked: true, revoked_count: 0 })
    expect(await atPebble(first)).toMatchObject({ status: 'Revoked' })
    expect(await atPebble(current)).toMatchObject({ status: 'Valid' })
    expect(await told(first.id)).toMatchObject([{ detail: { version: 1 } }])
  })
})
