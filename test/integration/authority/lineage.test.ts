/** A CA above is issued anew: what is signed below carries its new certificate, and ends with it. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  approvedCsr,
  bodyOf,
  codeOf,
  freshName,
  issue,
  issued,
  newCa,
  newRole,
  type Overtaken,
  racingApps,
  renew,
  revokeCa,
  rowsOf,
  storedCertificate,
  type WatchedApp,
} from '../support/pki-world.ts'
import type { TestAnswer, TestApp } from '../support/worker-app.ts'

let first: WatchedApp
let second: TestApp
let overtaken: Overtaken

let root: string
let middle: string
let caId: string
let role: string

beforeAll(async () => {
  ;({ first, second, overtaken } = await racingApps())
})

beforeEach(async () => {
  for (const app of [first.app, second]) app.nowMs += 1_000
  root = await newCa(second)
  middle = await newCa(second, { parent: root })
  caId = await newCa(second, { parent: middle })
  role = await newRole(second, caId)
})

const post = (path: string, body: Record<string, unknown>) => (app: TestApp) => app.request('POST', path, { body })
const reissue = (id: string, validityDays: number) => post(`/v1/pki/ca/${id}/reissue`, { validity_days: validityDays })
const intermediateBelow = (parent: string) =>
  post('/v1/pki/ca', {
    name: freshName('late'),
    common_name: 'Late CA',
    ca_type: 'intermediate',
    parent_ca_id: parent,
    key_type: 'ec',
  })
const refused = (answer: TestAnswer): unknown[] => [answer.status, codeOf(answer)]
const certificateOf = async (id: string): Promise<string> =>
  bodyOf(await second.request('GET', `/v1/pki/ca/${id}/certificate`, { token: null })).certificate_pem as string
const endOf = async (id: string): Promise<string> =>
  bodyOf(await second.request('GET', `/v1/pki/ca/${id}`)).valid_until as string

describe('issued anew with a nearer end, while an isolate remembers the old certificate', () => {
  it.each(['root', 'middle'] as const)('ok: of the %s: a leaf ends with it and carries it', async (which) => {
    bodyOf(await issue(first.app, role), 201)
    const above = which === 'root' ? root : middle
    bodyOf(await reissue(above, 10)(second))
    const leaf = bodyOf(await issue(first.app, role), 201)
    expect(leaf.not_after).toBe(await endOf(above))
    const chain = [await certificateOf(caId), await certificateOf(middle), await certificateOf(root)]
    expect(leaf.ca_chain).toEqual(chain)
    const stored = await rowsOf<{ chain_pem: string }>('SELECT chain_pem FROM certificates WHERE id = ?', leaf.id)
    expect(stored).toEqual([{ chain_pem: chain.join('') }])
  })

  it('fail: a leaf that is asked for longer is refused', async () => {
    bodyOf(await issue(first.app, role), 201)
    bodyOf(await reissue(root, 10)(second))
    const answer = await issue(first.app, role, { common_name: 'www.example.com', ttl: '11d' })
    expect(refused(answer)).toEqual([422, 'policy_violation'])
    expect(answer.json.error.message).toContain(await endOf(root))
  })

  it('ok: with a later end: a leaf may last until then', async () => {
    const short = await newCa(second, { more: { validity_days: 5 } })
    const shortRole = await newRole(second, short)
    bodyOf(await issue(first.app, shortRole), 201)
    bodyOf(await reissue(short, 3_650)(second))
    const leaf = bodyOf(await issue(first.app, shortRole, { common_name: 'www.example.com', ttl: '30d' }), 201)
    expect(leaf.ca_chain).toEqual([await certificateOf(short)])
  })
})

describe('issued anew at the same time', () => {
  it('ok: as a leaf is issued: the leaf is made again', async () => {
    const [leaf] = await overtaken('certificate.issued', (app) => issue(app, role), reissue(root, 10))
    expect(bodyOf(leaf, 201).not_after).toBe(await endOf(root))
    expect(leaf.json.ca_chain.at(-1)).toBe(await certificateOf(root))
  })

  it('fail: as a leaf is renewed: conflict, and there is no new version', async () => {
    const { id } = await issued(second, role)
    const [slow] = await overtaken('certificate.renewed', (app) => renew(app, id), reissue(root, 10))
    expect(refused(slow)).toEqual([409, 'conflict'])
    expect(await storedCertificate(id)).toMatchObject({ version: 1 })
    expect(bodyOf(await renew(first.app, id), 201).not_after).toBe(await endOf(root))
  })

  it('fail: as an approved request is signed: conflict, and it stays approved', async () => {
    const csr = await approvedCsr(second)
    const [slow] = await overtaken('csr.signed', post(`/v1/pki/csr/${csr}/sign`, { ca_id: caId }), reissue(root, 10))
    expect(refused(slow)).toEqual([409, 'conflict'])
    expect(bodyOf(await second.request('GET', `/v1/pki/csr/${csr}`)).status).toBe('approved')
  })

  it('fail: as an intermediate is made below', async () => {
    const [slow] = await overtaken('ca.created', intermediateBelow(caId), reissue(root, 10))
    expect(refused(slow)).toEqual([409, 'conflict'])
    const [made] = [bodyOf(await intermediateBelow(caId)(first.app), 201)]
    expect(made.valid_until).toBe(await endOf(root))
  })

  it('fail: as a CA below is issued anew', async () => {
    const before = await certificateOf(caId)
    const [slow] = await overtaken('ca.reissued', reissue(caId, 1_000), reissue(root, 10))
    expect(refused(slow)).toEqual([409, 'conflict'])
    expect(await certificateOf(caId)).toBe(before)
  })

  it('fail: as a CA below certifies another one', async () => {
    const other = await newCa(second)
    const crossSign = post(`/v1/pki/ca/${other}/cross-sign`, { issuer_ca_id: caId })
    const [slow] = await overtaken('ca.cross_signed', crossSign, reissue(root, 10))
    expect(refused(slow)).toEqual([409, 'conflict'])
    expect(bodyOf(await crossSign(first.app), 201).valid_until).toBe(await endOf(root))
  })
})

describe('a CA that is not there', () => {
  it('fail: is named by its field, wherever one is named', async () => {
    const absent = `${root.slice(0, -4)}zzzz`
    const body = { name: 'x', common_name: 'x', ca_type: 'intermediate', parent_ca_id: absent, key_type: 'ec' }
    const asked: readonly (readonly [string, Record<string, unknown>, string])[] = [
      ['/v1/pki/ca', body, 'parent_ca_id'],
      [`/v1/pki/ca/${root}/cross-sign`, { issuer_ca_id: absent }, 'issuer_ca_id'],
      ['/v1/pki/roles', { name: 'x', ca_id: absent }, 'ca_id'],
    ]
    for (const [path, sent, field] of asked) {
      const answer = await post(path, sent)(second)
      expect([refused(answer), answer.json.error.message]).toEqual([
        [400, 'invalid_request'],
        `${field}: there is no such CA`,
      ])
    }
  })
})

describe('certified by another CA', () => {
  it.each(['middle', 'caId'] as const)('fail: by one that stands below it (%s)', async (which) => {
    const below = which === 'middle' ? middle : caId
    const answer = await post(`/v1/pki/ca/${root}/cross-sign`, { issuer_ca_id: below })(second)
    expect(refused(answer)).toEqual([422, 'policy_violation'])
    expect(bodyOf(await second.request('GET', `/v1/pki/ca/${root}/certificates`)).data).toHaveLength(1)
  })

  it('fail: an intermediate by one that stands below it', async () => {
    const answer = await post(`/v1/pki/ca/${middle}/cross-sign`, { issuer_ca_id: caId })(second)
    expect(refused(answer)).toEqual([422, 'policy_violation'])
  })

  it('ok: an intermediate by a root above its own issuer, and two roots by each other', async () => {
    const other = await newCa(second)
    for (const [subject, issuer] of [
      [caId, root],
      [root, other],
      [other, root],
    ]) {
      bodyOf(await post(`/v1/pki/ca/${subject}/cross-sign`, { issuer_ca_id: issuer })(second), 201)
    }
    bodyOf(await revokeCa(second, root))
    expect(bodyOf(await second.request('GET', `/v1/pki/ca/${other}`)).status).toBe('active')
  })
})
