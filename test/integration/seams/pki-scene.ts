/**
 * A small internal PKI for one pair of operations: a root, an intermediate, a role, and what an operation needs below them,
 * made when the first operation asks for it. What is done to it is held against `house-rules.ts` afterwards.
 */
import { bodyOf, freshName, issued, newCa, newCsr, newRole, rowsOf } from '../support/pki-world.ts'
import type { TestAnswer, TestApp } from '../support/worker-app.ts'

export interface PkiScene {
  /** The last entry of the journal before the scene was made. */
  readonly startSeq: number
  readonly rootId: string
  readonly caId: string
  readonly role: string
  /** Certificates that the scene made, and what approved requests became. */
  readonly leafId: string
  readonly heldId: string
  readonly pendingCsrId: string
  readonly approvedCsrId: string
  /** Signed from an approved request: its lifetime is `APPROVED_DAYS`. */
  readonly approvedLeafId: string
}

/** What is made for an operation before anything is raced: the name of a part of the scene. */
export type ScenePart = 'leafId' | 'heldId' | 'pendingCsrId' | 'approvedCsrId' | 'approvedLeafId'

export interface Operation {
  readonly name: string
  /** The journal's event with which it commits. */
  readonly event: string
  readonly needs: readonly ScenePart[]
  /** The rows that it reads or writes, beside those of `needs`. */
  readonly touches: readonly ('role' | 'lineage' | 'everything')[]
  /** True: refused with a conflict where nothing else has happened. */
  readonly isRefusedAlone: boolean
  run(app: TestApp, scene: PkiScene): Promise<TestAnswer>
}

/** The lifetime that the scene's signed request was approved with. */
export const APPROVED_DAYS = 30
/** What `change role` lowers the longest lifetime to. */
export const LOWERED_TTL_HOURS = 2
/** When the root that `reissue root` makes ends: before the intermediate that it issued. */
const NEARER_END_DAYS = 40

/** Days that the intermediate lives: longer than the root that `reissue root` makes. */
const CA_DAYS = 400

/** The scene with those parts; the others are empty. */
export async function newScene(app: TestApp, needs: readonly ScenePart[]): Promise<PkiScene> {
  const [head] = await rowsOf<{ seq: number }>('SELECT max(seq) AS seq FROM journal')
  const rootId = await newCa(app, { more: { validity_days: 800 } })
  const caId = await newCa(app, { parent: rootId, more: { validity_days: CA_DAYS } })
  const role = await newRole(app, caId, { max_ttl: '2000h', default_ttl: '1500h', store_private_keys: true })
  const make = async (part: ScenePart): Promise<string> => (needs.includes(part) ? MAKERS[part](app, role, caId) : '')
  return {
    startSeq: head?.seq ?? 0,
    rootId,
    caId,
    role,
    leafId: await make('leafId'),
    heldId: await make('heldId'),
    pendingCsrId: await make('pendingCsrId'),
    approvedCsrId: await make('approvedCsrId'),
    approvedLeafId: await make('approvedLeafId'),
  }
}

const MAKERS: Readonly<Record<ScenePart, (app: TestApp, role: string, caId: string) => Promise<string>>> = {
  leafId: async (app, role) => (await issued(app, role)).id,
  async heldId(app, role) {
    const { id } = await issued(app, role)
    const body = { certificate_id: id, reason: 'certificate_hold' }
    bodyOf(await app.request('POST', '/v1/pki/revoke', { body }))
    return id
  },
  pendingCsrId: (app) => newNamedCsr(app),
  async approvedCsrId(app) {
    const id = await newNamedCsr(app)
    bodyOf(await app.request('POST', `/v1/pki/csr/${id}/approve`))
    return id
  },
  async approvedLeafId(app, _role, caId) {
    const id = await newNamedCsr(app)
    bodyOf(await app.request('POST', `/v1/pki/csr/${id}/approve`))
    const body = { ca_id: caId, validity_days: APPROVED_DAYS }
    return bodyOf(await app.request('POST', `/v1/pki/csr/${id}/sign`, { body }), 201).id as string
  },
}

function newNamedCsr(app: TestApp): Promise<string> {
  const name = `${freshName('csr')}.example.com`
  return newCsr(app, name, name)
}

type PathOf = (scene: PkiScene) => string

const post =
  (path: PathOf, body: (scene: PkiScene) => unknown = () => ({})): Operation['run'] =>
  (app, scene) =>
    app.request('POST', path(scene), { body: body(scene) })

const operation = (
  name: string,
  event: string,
  [needs, touches = []]: readonly [readonly ScenePart[], Operation['touches']?],
  run: Operation['run'],
): Operation => ({
  name,
  event,
  needs,
  touches,
  isRefusedAlone: name === 'renew held',
  run,
})

const revocation = (part: ScenePart, reason: string): Operation['run'] =>
  post(
    () => '/v1/pki/revoke',
    (scene) => ({ certificate_id: scene[part], reason }),
  )

/** What can happen to certificates, requests, roles and CAs. */
export const OPERATIONS: readonly Operation[] = [
  operation('issue', 'certificate.issued', [[], ['role', 'lineage']], (app, { role }) =>
    app.request('POST', `/v1/pki/issue/${role}`, { body: { common_name: 'www.example.com' } }),
  ),
  operation(
    'renew',
    'certificate.renewed',
    [['leafId'], ['role', 'lineage']],
    post(({ leafId }) => `/v1/pki/certificates/${leafId}/renew`),
  ),
  operation('revoke', 'certificate.revoked', [['leafId']], revocation('leafId', 'superseded')),
  operation('hold', 'certificate.revoked', [['leafId']], revocation('leafId', 'certificate_hold')),
  operation('tag', 'certificate.updated', [['leafId']], (app, { leafId }) =>
    app.request('PATCH', `/v1/pki/certificates/${leafId}`, { body: { tags: ['seam'] } }),
  ),
  operation('unhold', 'certificate.unheld', [['heldId'], ['lineage']], (app, { heldId }) =>
    app.request('POST', `/v1/pki/certificates/${heldId}/unhold`),
  ),
  operation(
    'renew held',
    'certificate.renewed',
    [['heldId'], ['role', 'lineage']],
    post(({ heldId }) => `/v1/pki/certificates/${heldId}/renew`),
  ),
  operation('revoke held', 'certificate.revoked', [['heldId']], revocation('heldId', 'key_compromise')),
  operation('approve', 'csr.approved', [['pendingCsrId']], (app, { pendingCsrId }) =>
    app.request('POST', `/v1/pki/csr/${pendingCsrId}/approve`),
  ),
  operation(
    'reject',
    'csr.rejected',
    [['pendingCsrId']],
    post(({ pendingCsrId }) => `/v1/pki/csr/${pendingCsrId}/reject`),
  ),
  operation(
    'sign request',
    'csr.signed',
    [['approvedCsrId'], ['lineage']],
    post(
      ({ approvedCsrId }) => `/v1/pki/csr/${approvedCsrId}/sign`,
      ({ caId }) => ({ ca_id: caId, validity_days: APPROVED_DAYS }),
    ),
  ),
  operation('delete request', 'csr.deleted', [['approvedCsrId']], (app, { approvedCsrId }) =>
    app.request('DELETE', `/v1/pki/csr/${approvedCsrId}`),
  ),
  operation(
    'renew signed request',
    'certificate.renewed',
    [['approvedLeafId'], ['lineage']],
    post(({ approvedLeafId }) => `/v1/pki/certificates/${approvedLeafId}/renew`),
  ),
  operation('change role', 'role.updated', [[], ['role']], (app, { role }) =>
    app.request('PATCH', `/v1/pki/roles/${role}`, {
      body: { max_ttl: `${LOWERED_TTL_HOURS}h`, default_ttl: `${LOWERED_TTL_HOURS}h` },
    }),
  ),
  operation('delete role', 'role.deleted', [[], ['role']], (app, { role }) =>
    app.request('DELETE', `/v1/pki/roles/${role}`),
  ),
  operation(
    'reissue CA',
    'ca.reissued',
    [[], ['lineage']],
    post(
      ({ caId }) => `/v1/pki/ca/${caId}/reissue`,
      () => ({ validity_days: NEARER_END_DAYS }),
    ),
  ),
  operation(
    'reissue root',
    'ca.reissued',
    [[], ['lineage']],
    post(
      ({ rootId }) => `/v1/pki/ca/${rootId}/reissue`,
      () => ({ validity_days: NEARER_END_DAYS }),
    ),
  ),
  operation(
    'revoke CA',
    'ca.revoked',
    [[], ['lineage', 'everything']],
    post(
      ({ caId }) => `/v1/pki/ca/${caId}/revoke`,
      () => ({ reason: 'superseded' }),
    ),
  ),
  operation(
    'revoke root',
    'ca.revoked',
    [[], ['lineage', 'everything']],
    post(
      ({ rootId }) => `/v1/pki/ca/${rootId}/revoke`,
      () => ({ reason: 'key_compromise' }),
    ),
  ),
]

/** Pairs, in both orders, of operations that touch a row that both know. */
export const PAIRS: readonly (readonly [Operation, Operation])[] = OPERATIONS.flatMap((one) =>
  OPERATIONS.filter((other) => meet(one, other)).map((other) => [one, other] as const),
)

function meet(one: Operation, other: Operation): boolean {
  const rows: readonly string[] = [...one.needs, ...one.touches]
  return [...other.needs, ...other.touches].some(
    (row) => row === 'everything' || rows.includes(row) || rows.includes('everything'),
  )
}
