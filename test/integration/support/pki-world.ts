/** CAs, roles and certificates for tests of the internal PKI, and commits that tests hold up, by the API alone. */
import { expect } from 'vitest'
import { toHex } from '../../../src/core/bytes.ts'
import { createLog } from '../../../src/core/log.ts'
import { maintainPki } from '../../../src/cron/maintain-pki.ts'
import { publishDueCrls } from '../../../src/cron/publish-crls.ts'
import { type Crl, crlEntries, parseCrl } from '../../../src/pki/crl.ts'
import type { Store } from '../../../src/store/store.ts'
import type { Transaction } from '../../../src/store/transaction.ts'
import { bindings } from './bindings.ts'
import { type TestAnswer, type TestApp, type TestAppOptions, testApp } from './worker-app.ts'

/** Another name each time: many tests share one database. */
let names = 0
export function freshName(base: string): string {
  names += 1
  return `${base}-${names}`
}

/** The body of an answer that has to be one with that status. */
export function bodyOf(answer: TestAnswer, status = 200): TestAnswer['json'] {
  expect([answer.status, answer.text]).toEqual([status, expect.any(String)])
  return answer.json
}

export interface CaOptions {
  readonly parent?: string
  readonly token?: string
  readonly more?: Readonly<Record<string, unknown>>
}

/** A CA with an EC key; returns its id. */
export async function newCa(app: TestApp, { parent, token, more }: CaOptions = {}): Promise<string> {
  const name = freshName('ca')
  const answer = await app.request('POST', '/v1/pki/ca', {
    ...(token === undefined ? {} : { token }),
    body: {
      name,
      common_name: name,
      ca_type: parent === undefined ? 'root' : 'intermediate',
      ...(parent === undefined ? {} : { parent_ca_id: parent }),
      key_type: 'ec',
      ...more,
    },
  })
  return bodyOf(answer, 201).id as string
}

/** A role that allows any name; returns its name. */
export async function newRole(
  app: TestApp,
  caId: string,
  more: Readonly<Record<string, unknown>> = {},
  token?: string,
): Promise<string> {
  const name = freshName('role')
  const answer = await app.request('POST', '/v1/pki/roles', {
    ...(token === undefined ? {} : { token }),
    body: { name, ca_id: caId, allow_any_name: true, ...more },
  })
  return bodyOf(answer, 201).name as string
}

/** A certificate request whose key is made by the app; returns its id. */
export async function newCsr(app: TestApp, commonName = 'www.example.com', ...dns: readonly string[]): Promise<string> {
  const body = { subject: { common_name: commonName }, san_dns: dns }
  return bodyOf(await app.request('POST', '/v1/pki/csr', { body }), 201).id as string
}

/** The same, approved. */
export async function approvedCsr(app: TestApp, commonName?: string, ...dns: readonly string[]): Promise<string> {
  const id = await newCsr(app, commonName, ...dns)
  bodyOf(await app.request('POST', `/v1/pki/csr/${id}/approve`))
  return id
}

export interface IssuedLeaf {
  readonly id: string
  /** Hex of the content octets, as it is stored. */
  readonly serial: string
}

export const issue = (
  app: TestApp,
  role: string,
  body: Readonly<Record<string, unknown>> = { common_name: 'www.example.com' },
): Promise<TestAnswer> => app.request('POST', `/v1/pki/issue/${role}`, { body })

export async function issued(
  app: TestApp,
  role: string,
  body?: Readonly<Record<string, unknown>>,
): Promise<IssuedLeaf> {
  const leaf = bodyOf(await issue(app, role, body), 201)
  return { id: leaf.id as string, serial: hexOf(leaf.serial_number as string) }
}

/** `1A:2B` as it is stored. */
export const hexOf = (shown: string): string => shown.replaceAll(':', '').toLowerCase()

export const renew = (app: TestApp, id: string): Promise<TestAnswer> =>
  app.request('POST', `/v1/pki/certificates/${id}/renew`, { body: {} })

export const revoke = (app: TestApp, id: string, reason = 'superseded'): Promise<TestAnswer> =>
  app.request('POST', '/v1/pki/revoke', { body: { certificate_id: id, reason } })

export const revokeCa = (app: TestApp, id: string, reason = 'superseded'): Promise<TestAnswer> =>
  app.request('POST', `/v1/pki/ca/${id}/revoke`, { body: { reason } })

/** The published CRL of a CA. */
export async function crlOf(app: TestApp, caId: string, part = ''): Promise<Crl> {
  const answer = await app.request('GET', `/v1/pki/ca/${caId}/crl${part}`, { token: null })
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/pkix-crl'])
  return parsedCrl(answer.bytes)
}

export function parsedCrl(der: Uint8Array): Crl {
  const crl = parseCrl(Uint8Array.from(der))
  if (!crl.ok) throw new Error(crl.error.message)
  return crl.value
}

export const numberOf = (crl: Crl): number => Number.parseInt(toHex(crl.crlNumber ?? new Uint8Array()), 16)

/** Serial numbers in a CRL with the code of their reason (RFC 5280 §5.3.1), sorted. */
export const linesOf = (crl: Crl): [string, number][] =>
  Array.from(crlEntries(crl), ({ serialNumber, reasonCode }): [string, number] => [
    toHex(serialNumber),
    reasonCode,
  ]).toSorted(([a], [b]) => (a < b ? -1 : 1))

export const serialsOf = (crl: Crl): string[] => linesOf(crl).map(([serial]) => serial)

/** Rows of a query, as they are stored. */
export async function rowsOf<Row = Record<string, unknown>>(sql: string, ...values: unknown[]): Promise<Row[]> {
  const { results } = await bindings.DB.prepare(sql)
    .bind(...values)
    .all<Row>()
  return results
}

/** How many entries of that event the journal has for a resource. */
export async function eventsOf(event: string, resource: string): Promise<number> {
  const [row] = await rowsOf<{ n: number }>(
    'SELECT count(*) AS n FROM journal WHERE event = ? AND resource = ?',
    event,
    resource,
  )
  return row?.n ?? 0
}

/** What a test does with the commits of an app. */
export interface Commits {
  /** Runs before each commit: may wait, and may throw in its place. */
  before: (work: Transaction) => Promise<void>
  /** Runs `action` before the first commit that `matches`, which then goes on. */
  once(matches: (work: Transaction) => boolean, action: () => Promise<unknown>): void
}

export interface WatchedApp {
  readonly app: TestApp
  readonly commits: Commits
}

/** An app whose commits a test can hold up or break. */
export async function watchedApp(options: Omit<TestAppOptions, 'wrapStore'> = {}): Promise<WatchedApp> {
  const commits: Commits = {
    before: async () => undefined,
    once(matches, action) {
      let isOpen = true
      commits.before = async (work) => {
        if (!isOpen || !matches(work)) return
        isOpen = false
        await action()
      }
    },
  }
  const wrapStore = (store: Store): Store => ({
    ...store,
    async commit(work) {
      await commits.before(work)
      return store.commit(work)
    },
  })
  return { app: await testApp({ ...options, wrapStore }), commits }
}

/** A commit with an entry of that event. */
export const ofEvent =
  (event: string) =>
  ({ entries }: Transaction): boolean =>
    entries.some((entry) => entry.event === event)

/** A certificate row as it is stored. */
export interface StoredCertificate {
  readonly id: string
  readonly version: number
  readonly serial_number: string
  readonly issuer_ca_id: string
  readonly revoked_at_ms: number | null
  readonly revocation_reason: string | null
  readonly tags: string
}

export const storedCertificate = async (id: string): Promise<StoredCertificate | undefined> =>
  (await rowsOf<StoredCertificate>('SELECT * FROM certificates WHERE id = ?', id))[0]

/** Certificates, current and earlier, that stand although their CA is revoked: there must be none. */
export const standingOfRevoked = (): Promise<Record<string, unknown>[]> =>
  rowsOf(`SELECT c.id AS id FROM certificates c JOIN certificate_authorities ca ON ca.id = c.issuer_ca_id
      WHERE ca.status = 'revoked' AND c.revoked_at_ms IS NULL
    UNION ALL SELECT v.certificate_id FROM certificate_versions v JOIN certificate_authorities ca ON ca.id = v.issuer_ca_id
      WHERE ca.status = 'revoked' AND v.revoked_at_ms IS NULL
    UNION ALL SELECT below.id FROM certificate_authorities below JOIN certificate_authorities ca ON ca.id = below.parent_ca_id
      WHERE ca.status = 'revoked' AND below.status = 'active'`)

/** What the cron does for the internal PKI: every few minutes, and every minute. Its log lines go to the app's. */
export async function maintain(app: TestApp): Promise<void> {
  const log = createLog((_level, line) => app.logLines.push(line))
  await maintainPki({ ...app.deps, log })
  await publishDueCrls({ ...app.deps, log })
}

/** A race of two requests: see `racer`. */
export type Overtaken = (
  event: string,
  slow: (app: TestApp) => Promise<TestAnswer>,
  quick: (app: TestApp) => Promise<TestAnswer>,
) => Promise<[TestAnswer, TestAnswer]>

/** `slow` comes to its commit with that event, then `quick` runs as a whole in another app, then `slow` goes on. */
export function racer({ app, commits }: WatchedApp, other: TestApp): Overtaken {
  return async (event, slow, quick) => {
    const quicks: TestAnswer[] = []
    commits.once(ofEvent(event), async () => {
      quicks.push(await quick(other))
    })
    const slowAnswer = await slow(app)
    const [quickAnswer] = quicks
    if (quickAnswer === undefined) throw new Error(`it came to no ${event}: ${slowAnswer.text}`)
    return [slowAnswer, quickAnswer]
  }
}

/** Two apps over one database, and a race between requests to the first and to the second. */
export async function racingApps(): Promise<{
  readonly first: WatchedApp
  readonly second: TestApp
  readonly overtaken: Overtaken
}> {
  const [first, second] = [await watchedApp(), await testApp()]
  return { first, second, overtaken: racer(first, second) }
}

export const codeOf = ({ json }: TestAnswer): string => json?.error?.code as string
