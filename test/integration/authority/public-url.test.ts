/** Certificates carry PUBLIC_URL for good: while nobody else can reach it, none are signed. */
import { beforeAll, describe, expect, it } from 'vitest'
import {
  bodyOf,
  codeOf,
  crlOf,
  freshName,
  issue,
  issued,
  newCa,
  newRole,
  renew,
  revoke,
  rowsOf,
  serialsOf,
} from '../support/pki-world.ts'
import { type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

describe.each([
  ['on loopback', 'http://127.0.0.1:8787'],
  ['in a private network', 'https://pki.internal'],
  ['not set', ''],
])('PUBLIC_URL %s', (_where, publicUrl) => {
  let app: TestApp
  let caId: string
  let role: string
  let leaf: string
  let csr: string

  const counts = () =>
    rowsOf(`SELECT (SELECT count(*) FROM certificates) AS certificates, (SELECT count(*) FROM ca_certificates) AS cas,
      (SELECT count(*) FROM certificate_versions) AS versions`)

  beforeAll(async () => {
    const good = await testApp()
    caId = await newCa(good)
    role = await newRole(good, caId)
    leaf = (await issued(good, role)).id
    const body = { subject: { common_name: 'www.example.com' } }
    csr = bodyOf(await good.request('POST', '/v1/pki/csr', { body }), 201).id as string
    bodyOf(await good.request('POST', `/v1/pki/csr/${csr}/approve`))
    app = await testApp({ settings: { publicUrl, allowPrivateTargets: false } })
  })

  const create = (more: Record<string, unknown>): Promise<TestAnswer> => {
    const name = freshName('unreachable')
    return app.request('POST', '/v1/pki/ca', { body: { name, common_name: name, key_type: 'ec', ...more } })
  }

  it('fail: nothing is issued, renewed, signed or made', async () => {
    const before = await counts()
    const other = await newCa(await testApp())
    const answers = [
      await issue(app, role),
      await renew(app, leaf),
      await app.request('POST', `/v1/pki/csr/${csr}/sign`, { body: { ca_id: caId } }),
      await create({ ca_type: 'root' }),
      await create({ ca_type: 'intermediate', parent_ca_id: caId }),
      await app.request('POST', `/v1/pki/ca/${caId}/reissue`, { body: {} }),
      await app.request('POST', `/v1/pki/ca/${other}/cross-sign`, { body: { issuer_ca_id: caId } }),
    ]
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 422))
    expect(answers.map((answer) => codeOf(answer))).toEqual(answers.map(() => 'policy_violation'))
    for (const { json } of answers) expect(json.error.message).toContain('PUBLIC_URL')
    const [after] = await counts()
    expect(after).toEqual({ ...before[0], cas: (before[0]?.cas as number) + 1 })
  })

  it('fail: /readyz says so: the service cannot do what there are CAs for', async () => {
    const answer = await app.request('GET', '/readyz', { token: null })
    expect([answer.status, answer.json.status, answer.json.checks.public_url]).toEqual([503, 'not_ready', 'failed'])
  })

  it('ok: where private targets are allowed, only an address that is not set is refused', async () => {
    const allowing = await testApp({ settings: { publicUrl, allowPrivateTargets: true } })
    expect((await issue(allowing, role)).status).toBe(publicUrl === '' ? 422 : 201)
  })

  it('ok: what was issued is revoked all the same', async () => {
    bodyOf(await revoke(app, leaf))
    expect(serialsOf(await crlOf(app, caId))).toHaveLength(1)
  })
})
