/** Roles that allow names by the claims of who signed in: what a pod gets by what it is. */

import { beforeAll, describe, expect, it } from 'vitest'
import { forgeCsr, subjectOf } from '../../support/csr-forge.ts'
import { bodyOf, freshName, newCa, rowsOf } from '../support/pki-world.ts'
import { ISSUER, newKey, publish, sign, type TestKey } from '../support/token-issuer.ts'
import { type TestApp, testApp } from '../support/worker-app.ts'

let app: TestApp
let key: TestKey
let issuerId: string
let role: string

const POLICY = {
  allowed_domains: ['{claims.kubernetes.io.serviceaccount.name}.{claims.kubernetes.io.namespace}.svc.example.org'],
  allowed_uri_sans: [
    'spiffe://example.org/ns/{claims.kubernetes.namespace}/sa/{claims.kubernetes.serviceaccount.name}',
  ],
  allowed_email_domains: ['{claims.kubernetes.namespace}.example.org'],
  require_cn: false,
}

beforeAll(async () => {
  key = await newKey('k1')
  app = await testApp({ objects: { http: publish([key]).http } })
  const caId = await newCa(app)
  role = freshName('pods')
  const made = bodyOf(await app.request('POST', '/v1/pki/roles', { body: { name: role, ca_id: caId, ...POLICY } }), 201)
  expect(made).toMatchObject(POLICY)
  const mappings = [
    {
      match: { sub: 'system:serviceaccount:*' },
      scopes: ['pki:issue'],
      paths: ['pki/roles/pods-*', 'pki/certificates/cert_*'],
    },
  ]
  const body = { name: 'cluster', issuer: ISSUER, mappings }
  issuerId = bodyOf(await app.request('POST', '/v1/sign-in/issuers', { body }), 201).id
})

const tokenOf = (
  namespace: string,
  name: string,
  more: Readonly<Record<string, unknown>> = {},
  within: Readonly<Record<string, unknown>> = {},
): Promise<string> =>
  sign(key, {
    claims: {
      aud: ['https://certwright.example/ten_00000000000000000000000000'],
      sub: `system:serviceaccount:${namespace}:${name}`,
      'kubernetes.io': { namespace, serviceaccount: { name, uid: 'x' }, ...within },
      ...more,
    },
  })

const issue = async (token: string | undefined, body: Readonly<Record<string, unknown>>, headers = {}) =>
  app.request('POST', `/v1/pki/issue/${role}`, { ...(token === undefined ? {} : { token }), body, headers })

const CART = { alt_names: ['cart.shop.svc.example.org'], uri_sans: ['spiffe://example.org/ns/shop/sa/cart'] }

describe('a role with claims in its names', () => {
  it('ok: gives a pod its own names, and the journal says who asked', async () => {
    const { id } = bodyOf(await issue(await tokenOf('shop', 'cart'), CART), 201)
    const [entry] = await rowsOf<{ actor: string; detail: string }>(
      "SELECT actor, detail FROM journal WHERE event = 'certificate.issued' AND resource = ?",
      `pki/certificates/${id}`,
    )
    expect(entry?.actor).toBe(`oidc:${issuerId}:system:serviceaccount:shop:cart`)
    expect(JSON.parse(entry?.detail ?? '').identity).toEqual({
      issuer: ISSUER,
      subject: 'system:serviceaccount:shop:cart',
    })
  })

  it('fail: the names of another pod, and any to a token without claims', async () => {
    const other = await tokenOf('shop', 'billing')
    const answers = await Promise.all([
      issue(other, CART),
      issue(undefined, CART),
      issue(await tokenOf('*', '*'), CART),
    ])
    expect(answers.map(({ status, json }) => [status, json.error.code])).toEqual(
      Array(3).fill([422, 'policy_violation']),
    )
  })

  it('ok: a CSR is held to the same', async () => {
    const csr = { csr_pem: await forgeCsr({ subjectDer: subjectOf('cart.shop.svc.example.org') }) }
    const signed = async (name: string) =>
      app.request('POST', `/v1/pki/sign/${role}`, { token: await tokenOf('shop', name), body: csr })
    expect([(await signed('cart')).status, (await signed('billing')).status]).toEqual([201, 422])
  })

  it('ok: a renewal asks for the claims again', async () => {
    const { id } = bodyOf(await issue(await tokenOf('shop', 'cart'), CART), 201)
    const renew = (token?: string) =>
      app.request('POST', `/v1/pki/certificates/${id}/renew`, { ...(token === undefined ? {} : { token }), body: {} })
    expect((await renew(await tokenOf('shop', 'billing'))).status).toBe(422)
    expect((await renew()).status).toBe(422)
    const again = bodyOf(await renew(await tokenOf('shop', 'cart')), 201)
    expect(again.id).toBe(id)
  })

  it('ok: what one has asked for under an idempotency key is for the same subject alone, with whatever token', async () => {
    const key = { 'idempotency-key': 'cart-1' }
    const first = bodyOf(await issue(await tokenOf('shop', 'cart', { jti: 'a' }), CART, key), 201)
    const [now, warnafter] = [Math.floor(app.nowMs / 1_000), 1_900_000_000]
    const fresh = await tokenOf('shop', 'cart', { jti: 'b', iat: now, nbf: now, exp: now + 200 }, { warnafter })
    const again = bodyOf(await issue(fresh, CART, key), 201)
    expect(again.private_key).toBe(first.private_key)
    expect((await issue(await tokenOf('shop', 'billing'), CART, key)).status).toBe(422)
  })

  it('fail: an answer under an idempotency key is not given to a token of the same subject that may not do it', async () => {
    const key = { 'idempotency-key': 'cart-2' }
    bodyOf(await issue(await tokenOf('shop', 'cart'), CART, key), 201)
    const sub = 'system:serviceaccount:shop:cart'
    expect((await issue(await tokenOf('other', 'cart', { sub }), CART, key)).status).toBe(422)
  })

  it('fail: an answer under an idempotency key is not given again once the issuer was changed', async () => {
    const key = { 'idempotency-key': 'cart-3' }
    const first = bodyOf(await issue(await tokenOf('shop', 'cart'), CART, key), 201)
    const { mappings } = bodyOf(await app.request('GET', `/v1/sign-in/issuers/${issuerId}`))
    const change = async (each: object) =>
      bodyOf(await app.request('PATCH', `/v1/sign-in/issuers/${issuerId}`, { body: { mappings: [each] } }))
    await change({ ...mappings[0], paths: [...mappings[0].paths, 'pki/ca/ca_*'] })
    const later = bodyOf(await issue(await tokenOf('shop', 'cart'), CART, key), 201)
    await change(mappings[0])
    expect(later.private_key).not.toBe(first.private_key)
  })

  it('fail: an issuer that is changed between reading it and storing: nothing is stored', async () => {
    const token = await tokenOf('shop', 'cart')
    const count = async () => (await rowsOf('SELECT id FROM certificates')).length
    const before = await count()
    let isOpen = true
    const racing = await testApp({
      objects: { http: publish([key]).http },
      wrapStore: (store) => ({
        ...store,
        async commit(work) {
          if (isOpen && work.entries.some(({ event }) => event === 'certificate.issued')) {
            isOpen = false
            await app.request('PATCH', `/v1/sign-in/issuers/${issuerId}`, { body: { name: 'renamed' } })
          }
          return store.commit(work)
        },
      }),
    })
    const answer = await racing.request('POST', `/v1/pki/issue/${role}`, { token, body: CART })
    expect([answer.status, await count()]).toEqual([409, before])
  })

  it.each([
    { allowed_domains: ['{claims.sub}'] },
    { allowed_domains: ['{claims.a}-{claims.b}.example.org'] },
    { allowed_uri_sans: ['spiffe://{claims.sub}/x'] },
    { allowed_email_domains: ['example.{claims.sub}'] },
  ])('fail: a role may not be %j', async (policy) => {
    const answer = await app.request('PATCH', `/v1/pki/roles/${role}`, { body: policy })
    expect([answer.status, answer.json.error.code]).toEqual([400, 'invalid_request'])
  })
})

describe('a request that its own author approves', () => {
  it('fail: with another token of the same subject, where the tenant does not allow it', async () => {
    const mappings = [{ match: { sub: 'system:serviceaccount:*' }, scopes: ['pki:issue', 'pki:admin'] }]
    bodyOf(await app.request('PATCH', `/v1/sign-in/issuers/${issuerId}`, { body: { mappings } }))
    await rowsOf('UPDATE tenants SET allows_self_approval = 0')
    const token = await tokenOf('shop', 'cart')
    const body = { subject: { common_name: 'cart.example.org' } }
    const { id } = bodyOf(await app.request('POST', '/v1/pki/csr', { token, body }), 201)
    const approve = (by: string) => app.request('POST', `/v1/pki/csr/${id}/approve`, { token: by })
    app.nowMs += 1_000
    expect((await approve(await tokenOf('shop', 'cart'))).status).toBe(403)
    expect((await approve(await tokenOf('shop', 'billing'))).status).toBe(200)
  })
})
