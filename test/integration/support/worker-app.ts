/** The application over the real database, with a clock that tests turn and a log that they can read. */
import { CrlWriter, type MakeCrl } from '../../../src/authority/crl/crl-writer.ts'
import { makeCrl } from '../../../src/authority/crl/make-crl.ts'
import { toBase64Url, utf8 } from '../../../src/core/bytes.ts'
import type { Clock } from '../../../src/core/clock.ts'
import { createLog } from '../../../src/core/log.ts'
import type { Settings } from '../../../src/env.ts'
import { createApp } from '../../../src/http/app.ts'
import type { Route } from '../../../src/http/define-route.ts'
import type { AppDependencies } from '../../../src/http/dependencies.ts'
import { crlObjects } from '../../../src/store/crl-objects.ts'
import { parseKeyRing } from '../../../src/store/key-ring.ts'
import { openDatabase, type Store } from '../../../src/store/store.ts'
import { SHIPPED_PLANS } from '../../../src/tenants/plans.ts'
import { bindings } from './bindings.ts'

export const ADMIN_TOKEN = 'cw_the-admin-token-of-the-tests-0123456789'

/** A key of the ring, the same for the same id in every test. */
export const ringEntry = (id: string): string => `${id}:${toBase64Url(utf8(id.padEnd(32, '.')))}`

export interface TestApp {
  readonly deps: AppDependencies
  readonly store: Store
  /** What was logged, one line each. */
  readonly logLines: string[]
  /** Epoch milliseconds that the app believes it is. */
  nowMs: number
  request(method: string, path: string, options?: RequestOptions): Promise<TestAnswer>
  /** The same, its body not read. */
  respond(method: string, path: string, options?: RequestOptions): Promise<Response>
}

export interface RequestOptions {
  /** Default: the admin's. Null sends none. */
  readonly token?: string | null
  /** Sent as JSON. */
  readonly body?: unknown
  /** Sent as it is, with the headers that are given. */
  readonly rawBody?: BodyInit
  readonly headers?: Readonly<Record<string, string>>
}

export interface TestAnswer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape and compare what they find.
  readonly json: any
}

export interface TestAppOptions {
  readonly ring?: string
  readonly routes?: readonly Route[]
  readonly adminToken?: string | null
  /** In place of those of the tests. */
  readonly settings?: Partial<Settings>
  /** Put between the app and its store, to see or to break what passes. */
  readonly wrapStore?: (store: Store) => Store
  /** What is behind orders and accounts, and the network, in a test that needs them. */
  readonly objects?: Partial<Pick<AppDependencies, 'orders' | 'accounts' | 'zones' | 'http' | 'connect'>>
}

/** Builds an app; several may share the database, as isolates do. */
export async function testApp(options: TestAppOptions = {}): Promise<TestApp> {
  const ring = await parseKeyRing(options.ring ?? ringEntry('k1'))
  if (!ring.ok) throw new Error(ring.error)
  const logLines: string[] = []
  const log = createLog((_level, line) => logLines.push(line))
  const realStore: Store = {
    db: openDatabase(bindings.DB),
    ring: ring.value,
    commit: (work) => bindings.TENANT_LEDGER.getByName(work.tenantId).commit(work),
  }
  const store = options.wrapStore?.(realStore) ?? realStore
  const settings: Settings = {
    ring: ring.value,
    adminToken: options.adminToken === undefined ? ADMIN_TOKEN : options.adminToken,
    publicUrl: 'https://certwright.example',
    allowPrivateTargets: true,
    dnsResolvers: [],
    plans: SHIPPED_PLANS,
    ...options.settings,
  }
  const now: Clock = () => test.nowMs
  // In the place of the objects, whose clock tests cannot turn; each app has writers of its own, as objects that overlap have.
  const writers = new Map<string, CrlWriter>()
  const writerOf = (name: string, make: MakeCrl): CrlWriter => {
    const writer = writers.get(name) ?? new CrlWriter(make)
    writers.set(name, writer)
    return writer
  }
  const deps: AppDependencies = {
    settings,
    plans: settings.plans,
    store,
    crls: crlObjects(bindings.CRLS),
    publications: {
      // As this app is at the time: tests break its dependencies.
      publish: (tenantId, caId, actor) =>
        writerOf(`${tenantId}/${caId}`, (by) => makeCrl(deps, tenantId, caId, by)).publish(actor),
    },
    now,
    http: () => Promise.reject(new Error('these tests have no network')),
    connect: () => {
      throw new Error('these tests have no network')
    },
    orders: absent('orders'),
    accounts: absent('accounts'),
    zones: () => absent('DNS providers'),
    ...options.objects,
  }
  const app = createApp<object>({
    dependenciesOf: async () => deps,
    now,
    log,
    ...(options.routes === undefined ? {} : { routes: options.routes }),
  })
  const test: TestApp = {
    deps,
    store,
    logLines,
    nowMs: Date.parse('2026-11-20T12:00:00Z'),
    async respond(method, path, { token = ADMIN_TOKEN, body, rawBody, headers = {} } = {}) {
      return app.request(
        `https://certwright.example${path}`,
        {
          method,
          headers: {
            ...(token === null ? {} : { authorization: `Bearer ${token}` }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          ...(rawBody === undefined ? {} : { body: rawBody }),
        },
        {},
      )
    },
    async request(method, path, options = {}) {
      const response = await test.respond(method, path, options)
      const bytes = new Uint8Array(await response.arrayBuffer())
      const text = new TextDecoder().decode(bytes)
      const isJson = response.headers.get('content-type') === 'application/json'
      return {
        status: response.status,
        headers: response.headers,
        bytes,
        text,
        json: isJson && text !== '' ? JSON.parse(text) : null,
      }
    },
  }
  return test
}

/** A dependency that these tests do without: using it fails the test. */
function absent<T extends object>(name: string): T {
  const fail = (): never => {
    throw new Error(`these tests have no ${name}`)
  }
  return new Proxy(fail as unknown as T, { get: fail })
}

let tenants = 0

/** Another tenant, straight into the database. */
export async function newTenant(name = 'another'): Promise<string> {
  tenants += 1
  const id = `ten_${String(tenants).padStart(26, '0')}`
  await addTenant(id, name)
  return id
}

/** A tenant of that id, straight into the database. */
export async function addTenant(id: string, name = 'another'): Promise<void> {
  await bindings.DB.prepare('INSERT INTO tenants (id, name, plan, created_at_ms) VALUES (?, ?, ?, 0)')
    .bind(id, name, 'unlimited')
    .run()
}

export interface TokenOptions {
  readonly paths?: readonly string[]
  readonly tenantId?: string
  readonly ttl?: string
}

/** A token with those scopes, made by the admin. */
export async function newTestToken(
  app: TestApp,
  scopes: readonly string[],
  options: TokenOptions = {},
): Promise<string> {
  const { paths, tenantId, ttl } = options
  const body = {
    name: 'test',
    scopes,
    ...(paths === undefined ? {} : { paths }),
    ...(tenantId === undefined ? {} : { tenant_id: tenantId }),
    ...(ttl === undefined ? {} : { ttl }),
  }
  const answer = await app.request('POST', '/v1/tokens', { body })
  if (answer.status !== 201) throw new Error(answer.text)
  return answer.json.token as string
}
