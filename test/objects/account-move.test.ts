/** Certificates that move from one account to another, at a real Pebble. */
import { beforeAll, describe, expect, it } from 'vitest'
import { accountOf, api, bindings, issue, prepare, untilFinished } from './support/product.ts'

let other = ''
beforeAll(async () => {
  await prepare()
  const body = { name: 'other', provider: 'custom', directory_url: bindings.TEST_DIRECTORY_URL, profile: 'default' }
  other = (await api('POST', '/v1/pki/acme/accounts', body)).id
})

const finished = (orderId: string) => untilFinished(orderId, () => scheduler.wait(50))
const issued = async (domain: string): Promise<string> => (await finished(await issue(domain))).certificate_id
const read = (id: string) => api('GET', `/v1/pki/certificates/${id}`)
const move = (id: string, accountId: string) => api('PATCH', `/v1/pki/certificates/${id}`, { account_id: accountId })
const renew = async (id: string) => finished((await api('POST', `/v1/pki/certificates/${id}/renew`)).order_id)

describe('moving a certificate to another account', () => {
  it('ok: it renews with that account from then on, replacing nothing there, and each version is revoked by its own', async () => {
    const id = await issued('moved.acme.example')
    const first = await read(id)
    expect(first).toMatchObject({ acme_account_id: accountOf(), issued_by_account_id: accountOf() })
    expect(await move(id, other)).toMatchObject({ acme_account_id: other, issued_by_account_id: accountOf() })
    const order = await renew(id)
    expect(order).toMatchObject({ status: 'valid', account_id: other })
    expect(JSON.stringify(order.log)).not.toContain('as the replacement')
    expect(await read(id)).toMatchObject({ version: 2, acme_account_id: other, issued_by_account_id: other })
    const again = await renew(id)
    expect(again).toMatchObject({ status: 'valid', account_id: other })
    expect(JSON.stringify(again.log)).toContain('as the replacement')
    // Pebble lets nobody revoke but who ordered.
    const revoked = await api('POST', '/v1/pki/revoke', { certificate_id: id, reason: 'superseded', use_acme: true })
    expect(revoked.error).toBeUndefined()
    expect(await read(id)).toMatchObject({ status: 'revoked' })
  })

  it('ok: an order under way goes on with its account, and the move is not undone', async () => {
    const id = await issued('meanwhile.acme.example')
    const { order_id: orderId } = await api('POST', `/v1/pki/certificates/${id}/renew`)
    expect(await move(id, other)).toMatchObject({ acme_account_id: other })
    expect(await finished(orderId)).toMatchObject({ status: 'valid', account_id: accountOf() })
    expect(await read(id)).toMatchObject({ version: 2, acme_account_id: other, issued_by_account_id: accountOf() })
  })

  it('ok: renewals that failed are due at once', async () => {
    const id = await issued('failed.acme.example')
    const inAWeek = Date.now() + 7 * 86_400_000
    await bindings.DB.prepare('UPDATE certificates SET renewal_failures = 3, next_renewal_at_ms = ? WHERE id = ?')
      .bind(inAWeek, id)
      .run()
    const moved = await move(id, other)
    expect(Date.parse(moved.next_renewal_at)).toBeLessThanOrEqual(Date.now())
  })

  it('ok: what the request had from its account is the other account’s to say', async () => {
    const id = await issued('profile.acme.example')
    await move(id, other)
    const row = await bindings.DB.prepare('SELECT renewal_request FROM certificates WHERE id = ?').bind(id).first()
    expect(JSON.parse(String(row?.renewal_request))).toMatchObject({ accountId: other, profile: 'default' })
  })

  it('fail: accounts that cannot be used, or are not there', async () => {
    const id = await issued('refused.acme.example')
    expect((await move(id, 'acme_00000000000000000000000000')).error.code).toBe('not_found')
    const body = { name: 'gone', provider: 'custom', directory_url: bindings.TEST_DIRECTORY_URL }
    const gone = await api('POST', '/v1/pki/acme/accounts', body)
    for (const status of ['deactivated', 'lost', 'registering']) {
      await bindings.DB.prepare('UPDATE acme_accounts SET status = ? WHERE id = ?').bind(status, gone.id).run()
      expect((await move(id, gone.id)).error.code).toBe('conflict')
    }
    expect(await read(id)).toMatchObject({ acme_account_id: accountOf() })
  })

  it('fail: a token moves nothing to an account outside of its paths', async () => {
    const id = await issued('paths.acme.example')
    const { token } = await api('POST', '/v1/tokens', {
      name: 'narrow',
      scopes: ['pki:issue'],
      paths: [`pki/certificates/${id}`, `pki/acme/accounts/${accountOf()}`],
    })
    const patch = (accountId: string) => api('PATCH', `/v1/pki/certificates/${id}`, { account_id: accountId }, token)
    expect((await patch(other)).error.code).toBe('not_found')
    expect(await patch(accountOf())).toMatchObject({ id, acme_account_id: accountOf() })
  })

  it('fail: a certificate of the own CA has no account', async () => {
    const ca = await api('POST', '/v1/pki/ca', { name: 'own', common_name: 'Own', ca_type: 'root', key_type: 'ec' })
    await api('POST', '/v1/pki/roles', { name: 'own', ca_id: ca.id, allow_any_name: true, key_type: 'ec' })
    const { id } = await api('POST', '/v1/pki/issue/own', { common_name: 'a.acme.example' })
    expect((await move(id, other)).error).toMatchObject({ code: 'invalid_request', details: [{ path: 'account_id' }] })
  })
})
