/**
 * How SQLite goes about every statement of the store: none reads a table that grows from end to end, nor all that a tenant has in it
 * where an index could serve. What does so all the same has its reason here.
 */

import { beforeAll, describe, expect, it } from 'vitest'
import { Ledger } from '../../../src/store/ledger.ts'
import { openDatabase } from '../../../src/store/store.ts'
import { TENANT_TABLES } from '../../../src/store/tenant-purge.ts'
import { bindings } from '../support/bindings.ts'
import { recordedDatabase, type SentStatement } from '../support/pki-rows.ts'
import { bodyOf, issued, newCa, newRole } from '../support/pki-world.ts'
import { fillTables, ROW, type StoreFunction, sqlOf } from '../support/store-calls.ts'
import { testApp } from '../support/worker-app.ts'

declare global {
  interface ImportMeta {
    readonly glob: <T>(
      pattern: string,
      options: { readonly eager: true; readonly query?: '?raw'; readonly import?: 'default' },
    ) => Readonly<Record<string, T>>
  }
}

const modules = import.meta.glob<Readonly<Record<string, unknown>>>('../../../src/store/*.ts', { eager: true })

/** What does not ask the database: it makes bytes, names and parts of queries. */
const NO_STATEMENT =
  /^(open|seal|hash|new|is)[A-Z]|^(partitionOf|lowerAscii|nameTerm|tagTerm|nameTermsOf|idsInIndex|idsWithTerm|hasTerm|nextSecretRow|privateKeyPlace|chainEntry|entryBy|allNames|displayNameOf|journalBefore|journalAfter|findBrokenLink|readDetail|statement|mustChange|precondition|inListOf|indexedBy|columnsOf|isOpen|allOpen|crlObjects|parseKeyRing|sealKeyId|StatementTemplate|Repeats|sureCommit|withCascades|storedJson|decodeJson|decoded[A-Z]\w*|withNulls|withAttempt|Undecodable|UndecodableRow|reasonBelow|laterThan|versionDetail|sourceDetail|caDetail)$/

const page = { before: null, limit: 10 }
const nothing = {
  issuerCaId: null,
  source: null,
  commonName: null,
  san: null,
  tag: null,
  revoked: 'with',
  ends: { afterMs: null, byMs: null },
}
const journalFilter = { event: null, actor: null, resources: null, failed: false, sinceMs: null, untilMs: null }

const LISTS_OF_CERTIFICATES: readonly (readonly unknown[])[] = [
  ['x', nothing, page],
  ['x', { ...nothing, commonName: 'x' }, page],
  ['x', { ...nothing, san: 'x', tag: 'x' }, page],
  ['x', { ...nothing, issuerCaId: 'x', revoked: 'without' }, page],
  ['x', { ...nothing, source: 'acme' }, page],
  ['x', { ...nothing, revoked: 'only' }, page],
  ['x', { ...nothing, ends: { afterMs: 1, byMs: 2 } }, page],
]

const STRETCH = { tenantId: 'x', after: { ms: 1, id: 'x' }, through: { ms: 2, id: 'x' } }
const NOTICE_RULES = [0, 7].map((thresholdDays) => [STRETCH, { thresholdDays, minLifetimeMs: 1 }, 10])

const KEY_TO_CERTIFY = { tenantId: 'x', spkiDer: new Uint8Array(1), certificateId: 'x' }

/** Calls beside the one that follows from the names of the parameters, or in its place, each with what follows the store. */
const CALLS: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  listAcmeOrders: [
    ['x', { status: null, accountId: null }, page],
    ['x', { status: 'pending', accountId: null }, page],
    ['x', { status: null, accountId: 'x' }, page],
    ['x', { status: 'pending', accountId: 'x' }, page],
  ],
  listCertificates: LISTS_OF_CERTIFICATES,
  listCertificatesBeside: LISTS_OF_CERTIFICATES.map((each) => [...each, []]),
  listCsrs: [
    ['x', null, page],
    ['x', 'pending', page],
  ],
  listJournal: [
    ['x', journalFilter, { limit: 10, beforeSeq: null }],
    [
      'x',
      { ...journalFilter, resources: ['x', 'y'], untilMs: 5, event: 'x*', failed: true },
      { limit: 10, beforeSeq: null },
    ],
    ['x', journalFilter, { limit: 10, beforeSeq: 5 }],
  ],
  firstAfter: [['x', 1]],
  rangeOf: [['x', { sinceMs: 1, untilMs: 2 }]],
  readRange: [['x', { fromSeq: 1, throughSeq: 2 }, 10]],
  storyOf: [['x', 'x']],
  listSecrets: [
    ['x', 'x', { after: null, limit: 10 }],
    ['x', '', { after: 'x', limit: 10 }],
  ],
  tenantsWithoutMarks: [[13, 10]],
  insertMarks: [[[ROW]]],
  boundedEnd: [[STRETCH, 10]],
  endingCertificates: NOTICE_RULES,
  endingCas: NOTICE_RULES,
  moveMark: [[ROW, STRETCH.through]],
  mustStillStand: [['x', [ROW]]],
  mustStillHaveCas: [['x', [ROW]]],
  mustBeOnlyOneOfSubject: [[{ tenantId: 'x', subjectHash: 'x', rows: [ROW] }]],
  mustBeUncompromised: [[KEY_TO_CERTIFY]],
  insertCompromisedKeys: [['x', [KEY_TO_CERTIFY.spkiDer], 1]],
  isCompromised: [[KEY_TO_CERTIFY]],
  deleteTenantRows: TENANT_TABLES.map((table) => [table, 'x', 1]),
  ownersOfObjects: [
    ['certificateAuthorities', 'x', 1, { after: 'x', limit: 1 }],
    ['acmeAccounts', 'x', 1, { after: 'x', limit: 1 }],
    ['acmeOrders', 'x', 1, { after: 'x', limit: 1 }],
  ],
  deleteOwners: [['acmeOrders', 'x', ['x']]],
  countPlanCertificates: [['x', 1, 5]],
  closeOrders: [['x', ['x'], 1]],
  mustHaveRoom: [
    ['x', { plan: 'x', maxCertificates: 5 }, 1],
    ['x', { plan: 'x', maxCertificates: null }, 1],
  ],
  mustHaveSigner: [[[ROW, ROW]]],
  mustHaveToken: [[ROW]],
  findEarlierVersion: [[ROW, 1]],
  findRevocation: [[ROW]],
  continueTally: [
    ['certificates', 1],
    ['orders', 1],
    ['tenants', 1],
    ['deliveries', 1],
    ['subscriptions', 1],
  ],
  deleteExpiredCertificates: [[{ tenantId: 'x', endedBeforeMs: 1 }, ['x']]],
  expiredCertificates: [[{ tenantId: 'x', endedBeforeMs: 1 }, 10]],
  deleteRevocation: [[ROW]],
  moveDetailsMark: [[{ tenantId: 'x', through: 'x', endedBeforeMs: 1 }, 'y']],
  ordersBehindMark: [[{ tenantId: 'x', through: 'x', endedBeforeMs: 1 }, 10]],
  replaceRevocation: [[ROW, ROW]],
  revocationPages: [
    ['x', 'x', null],
    ['x', 'x', 1],
  ],
  findDelivery: [[ROW, 'x']],
  redeliver: [[ROW, 'x', 1]],
  updateSubscription: [
    [ROW, 1, { name: 'x' }],
    [ROW, 1, { name: 'x', startAnew: true }],
  ],
  readSecretVersion: [
    ['x', 'x', null],
    ['x', 'x', 1],
  ],
  readSecretField: [['x', 'x', 'x', () => undefined]],
  reseal: [[null], [{ column: 'certificates.sealed_private_key', after: ['x', 'x'] }]],
  updateCa: [[ROW, { status: 'active' }, { status: 'active', serialNumber: 'x', crlNumber: 1, cascadeAfter: null }]],
  writeSecretVersion: [
    [ROW, {}, null],
    [ROW, {}, ROW],
  ],
}

/** What may walk: which functions, by which step of their plans, and why. */
const EXCEPTIONS: readonly { readonly names: readonly string[]; readonly step: RegExp; readonly reason: string }[] = [
  {
    names: ['tenantsToIndex'],
    step: /^SCAN tenants$/,
    reason: 'Reads a row of each tenant, and of each the first certificate behind its mark.',
  },
  {
    names: ['tenantsWithoutMarks'],
    step: /^SCAN tenants$|^SEARCH expiry_marks USING PRIMARY KEY \(tenant_id=\?\)$/,
    reason: 'Reads a row of each tenant, and counts its dozen marks.',
  },
  {
    names: ['dueMarks'],
    step: /^SCAN expiry_marks$/,
    reason: 'A dozen rows for each tenant, and of each the first certificate behind its mark.',
  },
  {
    names: ['tenantsWithExpired', 'tenantsWithOldDetails'],
    step: /^SCAN tenants$/,
    reason:
      'Once an hour, a row of each tenant, and of each with the setting the first certificate or order that may be meant.',
  },
  {
    names: [
      'headOf',
      'firstAfter',
      'rangeOf',
      'listJournal',
      'findRecentEntry',
      'Ledger',
      'insertSubscription',
      'updateSubscription',
      'subscriptionsToWake',
    ],
    step: /^SEARCH journal USING PRIMARY KEY \(tenant_id=\?\)$/,
    reason: 'From the newest entry back, or from the oldest on, with a limit: the key is the order.',
  },
  {
    names: ['listCertificatesBeside'],
    step: /^SEARCH certificates USING INDEX certificates_by_revocation \(tenant_id=\?\)$/,
    reason: 'A partial index, of revoked certificates alone, and counted with a limit before it is read.',
  },
  {
    names: ['providersReferringTo', 'mustBeUnreferenced'],
    step: /^(SEARCH dns_providers USING PRIMARY KEY \(tenant_id=\?\)|SCAN setting )/,
    reason: 'All providers of the tenant are asked, each for its few settings, where a secret is deleted.',
  },
  {
    names: ['deleteTenantRows'],
    step: /^(SEARCH|SCAN) /,
    reason:
      'All that a tenant has is what is asked for, with a limit; where no index has the tenant, the table is short.',
  },
  {
    names: ['tenantsWithPendingEntry'],
    step: /^SCAN tenants USING INDEX tenants_with_pending_entry$/,
    reason: 'A partial index, of the few tenants alone whose journal lacks an entry.',
  },
  {
    names: ['hasTokens', 'mustHaveNoToken'],
    step: /^SEARCH tokens USING PRIMARY KEY \(tenant_id=\?\)$/,
    reason: 'Ends at the first.',
  },
  {
    names: ['findOrderDefaults'],
    step: /^SEARCH acme_accounts USING PRIMARY KEY \(tenant_id=\?\)$/,
    reason: 'Ends at the second that is active: accounts that are not, and stand before, are few.',
  },
  {
    names: ['enabledSubscriptions'],
    step: /^SEARCH subscriptions USING PRIMARY KEY \(tenant_id=\?\)$/,
    reason: 'A tenant has a hundred at most, and all of them are what is asked for.',
  },
  {
    names: ['mustTakeAnotherSubscription'],
    step: /^SEARCH subscriptions USING COVERING INDEX subscriptions_by_name \(tenant_id=\?\)$/,
    reason: 'Counts what a tenant has a hundred of at most.',
  },
  {
    names: ['mustTakeAnotherIssuer'],
    step: /^SEARCH sign_in_issuers USING COVERING INDEX sign_in_issuers_by_(issuer|name) \(tenant_id=\?\)$/,
    reason: 'Counts what a tenant has fifty of at most.',
  },
  {
    names: ['subscriptionsToWake'],
    step: /^SCAN subscriptions$/,
    reason:
      'Once a minute, a row of each subscription there is and the newest journal entry of its tenant: an index would cost rows for each delivery.',
  },
  {
    names: ['allDnsProviders'],
    step: /^SEARCH dns_providers USING PRIMARY KEY \(tenant_id=\?\)$/,
    reason: 'All of them are what is asked for.',
  },
  {
    names: ['dnsProviderIds'],
    step: /^SEARCH dns_providers USING COVERING INDEX dns_providers_by_name \(tenant_id=\?\)$/,
    reason: 'All of them are what is asked for.',
  },
  {
    names: ['ordersCleaningUp'],
    step: /^SCAN acme_orders USING INDEX acme_orders_cleaning_up$/,
    reason:
      'A partial index, of the few orders alone that have records left after their verdict; asked as a provider is removed.',
  },
  {
    names: ['deleteExpiredHttpChallenges'],
    step: /^SCAN http_challenges$/,
    reason: 'Once an hour, over what running orders serve: an index would cost a row written for each challenge.',
  },
  {
    names: ['pendingDeliveries'],
    step: /^SCAN deliveries USING INDEX deliveries_pending$/,
    reason: 'A partial index, of those that wait alone, with a limit.',
  },
  {
    names: ['allCronRuns', 'readTallies'],
    step: /^SCAN (cron_runs|tallies)$/,
    reason: 'A row for each job, and for each table that is counted.',
  },
  {
    names: ['missingMigrations'],
    step: /^SCAN d1_migrations/,
    reason: 'A row for each migration there ever was.',
  },
  {
    names: ['hasCas'],
    step: /^SCAN certificate_authorities USING COVERING INDEX certificate_authorities_by_expiry$/,
    reason: 'The first of them, if there is one.',
  },
  {
    names: ['reseal', 'findUnopenable'],
    step: /^SCAN \w+$/,
    reason: 'A page of each table in the order of its key, with a limit.',
  },
]

interface Found {
  readonly name: string
  readonly sql: string
  readonly step: string
}

const found: Found[] = []
const silent: string[] = []
let statements = 0

/** A step that reads all rows, or all that a tenant has. */
const WALK = /^SCAN |^SEARCH .*\(tenant_id=\?\)$/
/** Lists that come with the statement (of virtual tables there is json_each alone), and what it has made itself. */
const OWN = /^SCAN (\S+ VIRTUAL TABLE.*|(\d+ )?CONSTANT ROWS?|above|below|stretch|term|\(subquery.*)$/

async function explain(name: string, sql: string): Promise<void> {
  statements += 1
  const holes = sql.replaceAll(/'[^']*'/g, '').split('?').length - 1
  const { results } = await bindings.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .bind(...Array.from({ length: holes }, () => null))
    .all<{ detail: string }>()
  for (const { detail } of results) if (WALK.test(detail) && !OWN.test(detail)) found.push({ name, sql, step: detail })
}

beforeAll(async () => {
  await fillTables()
  for (const [path, exports] of Object.entries(modules)) {
    if (/\/(schema|store|key-ring|transaction|ledger)\.ts$/.test(path)) continue
    for (const [name, call] of Object.entries(exports)) {
      if (typeof call !== 'function' || NO_STATEMENT.test(name)) continue
      const before = statements
      for (const given of CALLS[name] ?? [null]) {
        try {
          for (const sql of await sqlOf(call as StoreFunction, given)) await explain(name, sql)
        } catch (error) {
          silent.push(`${name}: ${String(error)}`)
        }
      }
      if (statements === before) silent.push(name)
    }
  }
  const prepared: string[] = []
  const db = {
    prepare: (sql: string) => {
      prepared.push(sql)
      return { bind: () => ({ first: async () => null, all: async () => ({ results: [] }) }) }
    },
    batch: async () => [],
  }
  await new Ledger(db as unknown as D1Database, () => 0).commit({
    tenantId: 'x',
    statements: [],
    entries: [{ event: 'x', actor: 'x', resource: 'x', detail: {}, requestId: null }],
  })
  for (const sql of prepared) await explain('Ledger', sql)
}, 120_000)

const isExcepted = ({ name, step }: Found): boolean =>
  EXCEPTIONS.some((each) => each.names.includes(name) && each.step.test(step))

describe('query plans of the store', () => {
  it('ok: every function of the store is asked', () => {
    expect(silent).toEqual([])
    expect(statements).toBeGreaterThan(120)
  })

  it('ok: no statement walks through a table, or through all that a tenant has in it', () => {
    const unexpected = found.filter((each) => !isExcepted(each))
    expect(unexpected.map(({ name, step, sql }) => `${name}: ${step}\n    ${sql}`)).toEqual([])
  })

  it('ok: no exception is stale', () => {
    const uses = EXCEPTIONS.flatMap(({ names, step }) => names.map((name) => ({ name, step })))
    const stale = uses.filter(({ name, step }) => !found.some((each) => each.name === name && step.test(each.step)))
    expect(stale).toEqual([])
  })
})

describe('a list of CAs', () => {
  it('ok: counts what each has issued, in one statement for all', async () => {
    const sent: SentStatement[] = []
    const app = await testApp({ wrapStore: (store) => ({ ...store, db: openDatabase(recordedDatabase(sent)) }) })
    const issuedBy = [3, 0, 1]
    const ids: string[] = []
    for (const count of issuedBy) {
      const id = await newCa(app)
      const role = await newRole(app, id)
      for (let index = 0; index < count; index += 1) await issued(app, role)
      ids.push(id)
    }
    sent.length = 0
    const list = bodyOf(await app.request('GET', '/v1/pki/ca?limit=500')).data as {
      id: string
      certificates_issued: number
    }[]
    expect(sent.filter(({ sql }) => /count\(\*\)/i.test(sql))).toHaveLength(1)
    expect(ids.map((id) => list.find((each) => each.id === id)?.certificates_issued)).toEqual(issuedBy)
    const read = await Promise.all(ids.map((id) => app.request('GET', `/v1/pki/ca/${id}`)))
    expect(read.map((answer) => bodyOf(answer).certificates_issued)).toEqual(issuedBy)
  })
})
