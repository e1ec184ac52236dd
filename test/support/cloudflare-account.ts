/**
 * An account at Cloudflare on loopback: the part of API v4 that a deployment uses, as its reference describes it, with a real
 * SQLite behind D1. Strict: a call, a parameter, a header or a field that the reference does not have is kept as a
 * violation. Stands for what is documented; runs no Worker.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { checkUpload, type Upload, UploadRefused } from './cloudflare-upload.ts'

export const RIGHTS = ['D1: Edit', 'Workers R2 Storage: Edit', 'Queues: Edit', 'Workers Scripts: Edit'] as const
export type Right = (typeof RIGHTS)[number]

export interface Consumer {
  readonly consumer_id: string
  readonly script: string
  readonly settings: unknown
}

export interface WorkerState {
  /** Oldest first. */
  readonly versions: Upload[]
  /** The one that requests go to. */
  deployed: Upload
  migrationTag: string | null
  schedules: readonly string[]
  workersDev: { enabled: boolean; previews_enabled: boolean }
}

export interface Call {
  readonly method: string
  /** Behind `/client/v4`, the account as `:account`. */
  readonly path: string
  /** Changes something: a query that only reads does not. */
  readonly mutates: boolean
}

export interface CloudflareAccount {
  readonly id: string
  readonly token: string
  /** For CLOUDFLARE_API_BASE_URL. */
  readonly apiAddress: string
  readonly calls: Call[]
  /** What no description of the API allows. */
  readonly violations: string[]
  readonly databases: Map<string, { readonly name: string; readonly sqlite: DatabaseSync }>
  readonly buckets: Set<string>
  readonly queues: Map<string, { readonly id: string; consumers: Consumer[] }>
  readonly workers: Map<string, WorkerState>
  /** What the token may do, and what it may only look at. */
  readonly rights: Set<Right>
  readonly mayRead: Set<Right>
  /** From this call on, counted from 1, nothing answers; the call itself has its effect or has not. */
  dieAt: { readonly call: number; readonly hasEffect: boolean } | null
  /** As in the dashboard. */
  deleteSecret(worker: string, name: string): void
  /** A Worker of the account is asked for `/readyz`, whatever the address. */
  readonly fetch: typeof globalThis.fetch
  /** Forgets which calls there were, and answers again. */
  revive(): void
  close(): Promise<void>
}

type Json = Readonly<Record<string, unknown>>

class Refusal extends Error {
  readonly status: number
  readonly code: number
  constructor(status: number, code: number, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

interface Request {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly body: Buffer
  readonly contentType: string
}

const SUBDOMAIN = 'example-account'
const PAGE_SIZE = 10

export async function startCloudflareAccount(): Promise<CloudflareAccount> {
  const server = createServer((request, response) => {
    void receive(request, response).catch((error: unknown) => {
      account.violations.push(`fault of the account: ${error instanceof Error ? error.stack : error}`)
      response.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const id = 'a0123456789abcdef0123456789abcde'
  const account: CloudflareAccount = {
    id,
    token: 'token-of-the-test-0123456789abcdef',
    apiAddress: `${address}/client/v4`,
    calls: [],
    violations: [],
    databases: new Map(),
    buckets: new Set(),
    queues: new Map(),
    workers: new Map(),
    rights: new Set(RIGHTS),
    mayRead: new Set(RIGHTS),
    dieAt: null,
    deleteSecret: (worker, name) => {
      account.workers.get(worker)?.deployed.secrets.delete(name)
    },
    fetch: (input, init) => {
      const url = new URL(String(input))
      return fetch(url.hostname === '127.0.0.1' ? url : `${address}${url.pathname}`, init)
    },
    revive() {
      account.dieAt = null
      account.calls.length = 0
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
        for (const { sqlite } of account.databases.values()) sqlite.close()
      }),
  }

  async function receive(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const url = new URL(incoming.url ?? '', address)
    if (url.pathname === '/readyz') {
      if (isDead()) return void incoming.socket.destroy()
      const isReady = readiness()
      return send(response, isReady ? 200 : 503, { status: isReady ? 'ready' : 'not_ready' })
    }
    const request: Request = {
      method: incoming.method ?? '',
      path: url.pathname.replace('/client/v4', '').replace(`/accounts/${id}`, '/accounts/:account'),
      query: url.searchParams,
      body: Buffer.concat(chunks),
      contentType: incoming.headers['content-type'] ?? '',
    }
    const mutates = isMutation(request)
    account.calls.push({ method: request.method, path: request.path, mutates })
    const { dieAt } = account
    if (dieAt !== null && (account.calls.length > dieAt.call || (isDead() && !dieAt.hasEffect))) {
      return void incoming.socket.destroy()
    }
    try {
      if (incoming.headers.authorization !== `Bearer ${account.token}`) {
        throw new Refusal(401, 1000, 'Invalid API Token')
      }
      checkRight(request, mutates)
      const { result, info } = await answer(request)
      if (isDead()) return void incoming.socket.destroy()
      send(response, 200, { success: true, errors: [], messages: [], result, ...(info ? { result_info: info } : {}) })
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (isDead()) return void incoming.socket.destroy()
      const errors = [{ code: error.code, message: error.message }]
      send(response, error.status, { success: false, errors, messages: [], result: null })
    }
  }

  const isDead = (): boolean => account.dieAt !== null && account.calls.length >= account.dieAt.call

  function checkRight({ path }: Request, mutates: boolean): void {
    const right = path.includes('/d1/')
      ? 'D1: Edit'
      : path.includes('/r2/')
        ? 'Workers R2 Storage: Edit'
        : path.includes('/queues')
          ? 'Queues: Edit'
          : 'Workers Scripts: Edit'
    if (!path.startsWith('/accounts/')) return
    if (!(mutates ? account.rights : account.mayRead).has(right)) throw new Refusal(403, 10000, 'Authentication error')
  }

  /** Of the only Worker: it has its ring, its database, its migrations, its cron and what wakes it. */
  function readiness(): boolean {
    const [worker] = account.workers.values()
    const version = worker?.deployed
    const binding = version?.bindings.find(({ name }) => name === 'DB')
    const database = account.databases.get(String(binding?.id))
    if (worker === undefined || version === undefined || database === undefined) return false
    const tables = database.sqlite.prepare("SELECT count(*) AS tables FROM sqlite_master WHERE name = 'tokens'").get()
    const consumers = [...account.queues.values()].flatMap((queue) => queue.consumers)
    return (
      version.secrets.has('KEY_RING') && tables?.tables === 1 && worker.schedules.length > 0 && consumers.length > 0
    )
  }

  async function answer(request: Request): Promise<{ result: unknown; info?: Json }> {
    const at = `${request.method} ${request.path}`
    for (const [pattern, run] of ROUTES) {
      const match = pattern.exec(at)
      if (match !== null) return run(request, ...match.slice(1).map(decodeURIComponent))
    }
    account.violations.push(`no such call: ${at}`)
    throw new Refusal(404, 7003, `Could not route to ${request.path}`)
  }

  const violate = (message: string): never => {
    account.violations.push(message)
    throw new Refusal(400, 10_001, message)
  }

  /** The fields of a JSON body, each of the kind that the description gives it; others are a violation. */
  function fields(request: Request, required: readonly string[], optional: readonly string[] = []): Json {
    let body: unknown
    try {
      body = JSON.parse(request.body.toString())
    } catch {
      return violate(`${request.method} ${request.path}: not JSON`)
    }
    if (typeof body !== 'object' || body === null) return violate(`${request.path}: no object`)
    const given = Object.keys(body)
    const wrong = given.filter((name) => !required.includes(name) && !optional.includes(name))
    const missing = required.filter((name) => !given.includes(name))
    if (wrong.length + missing.length > 0) {
      return violate(`${request.method} ${request.path}: unknown ${wrong.join()}, missing ${missing.join()}`)
    }
    return body as Json
  }

  function parameters(request: Request, known: readonly string[]): void {
    const unknown = [...request.query.keys()].filter((name) => !known.includes(name))
    if (unknown.length > 0) violate(`${request.method} ${request.path}: unknown parameters ${unknown.join()}`)
  }

  function page<Item>(request: Request, items: readonly Item[]): { result: Item[]; info: Json } {
    const number = Number(request.query.get('page') ?? 1)
    const size = Number(request.query.get('per_page') ?? PAGE_SIZE)
    return {
      result: items.slice((number - 1) * size, number * size),
      info: {
        page: number,
        per_page: size,
        count: items.length,
        total_count: items.length,
        total_pages: Math.ceil(items.length / size),
      },
    }
  }

  const workerOf = (name: string): WorkerState => {
    const worker = account.workers.get(name)
    if (worker === undefined) throw new Refusal(404, 10007, 'This Worker does not exist on your account.')
    return worker
  }
  const versionOf = (worker: WorkerState): Upload => {
    const version = worker.versions.at(-1)
    return version ?? violate('a Worker without a version')
  }

  /** Takes a version in, or refuses it as Cloudflare would. */
  async function take(request: Request, name: string): Promise<{ worker: WorkerState; version: Upload }> {
    parameters(request, ['excludeScript', 'bindings_inherit'])
    const worker = account.workers.get(name) ?? null
    const resources = {
      hasDatabase: (databaseId: string) => account.databases.has(databaseId),
      hasBucket: (bucket: string) => account.buckets.has(bucket),
      hasQueue: (queue: string) => account.queues.has(queue),
    }
    try {
      const version = await checkUpload(
        request,
        worker?.versions.at(-1) ?? null,
        worker?.migrationTag ?? null,
        resources,
      )
      const next = worker ?? {
        versions: [],
        deployed: version,
        migrationTag: null,
        schedules: [],
        workersDev: { enabled: false, previews_enabled: false },
      }
      next.versions.push(version)
      next.migrationTag = version.migrationTag
      account.workers.set(name, next)
      return { worker: next, version }
    } catch (error) {
      if (!(error instanceof UploadRefused)) throw error
      return violate(error.message)
    }
  }

  type Run = (
    request: Request,
    ...parts: string[]
  ) => { result: unknown; info?: Json } | Promise<{ result: unknown; info?: Json }>

  const ROUTES: readonly (readonly [RegExp, Run])[] = [
    // wrangler asks, where it is refused, whether the token is one at all.
    [/^GET \/user\/tokens\/verify$/, () => ({ result: { id: 'token', status: 'active' } })],
    [/^GET \/accounts$/, (request) => page(request, [{ id, name: 'Example', type: 'standard' }])],

    // D1: https://developers.cloudflare.com/api/resources/d1/subresources/database/
    [
      /^GET \/accounts\/:account\/d1\/database$/,
      (request) => {
        parameters(request, ['name', 'page', 'per_page'])
        const part = request.query.get('name') ?? ''
        const rows = [...account.databases].map(([uuid, { name }]) => ({ uuid, name, version: 'production' }))
        return page(
          request,
          rows.filter(({ name }) => name.includes(part)),
        )
      },
    ],
    [
      /^POST \/accounts\/:account\/d1\/database$/,
      (request) => {
        const { name } = fields(request, ['name'], ['primary_location_hint', 'jurisdiction', 'read_replication'])
        if ([...account.databases.values()].some((each) => each.name === name)) {
          throw new Refusal(400, 7502, `Database with name ${name} already exists`)
        }
        const uuid = randomUUID()
        account.databases.set(uuid, { name: String(name), sqlite: new DatabaseSync(':memory:') })
        return { result: { uuid, name, version: 'production' } }
      },
    ],
    [
      /^GET \/accounts\/:account\/d1\/database\/([^/]+)$/,
      (request, key = '') => {
        parameters(request, ['fields'])
        const found = [...account.databases].find(([uuid, { name }]) => uuid === key || name === key)
        if (found === undefined) throw new Refusal(404, 7404, `The database ${key} could not be found`)
        return { result: { uuid: found[0], name: found[1].name, version: 'production' } }
      },
    ],
    [
      /^POST \/accounts\/:account\/d1\/database\/([^/]+)\/query$/,
      (request, uuid = '') => {
        const { sql, params = [] } = fields(request, ['sql'], ['params']) as { sql: string; params?: string[] }
        const database = account.databases.get(uuid)
        if (database === undefined) throw new Refusal(404, 7404, `The database ${uuid} could not be found`)
        return { result: [{ results: run(database.sqlite, sql, params), success: true, meta: { duration: 0 } }] }
      },
    ],

    // R2: https://developers.cloudflare.com/api/resources/r2/subresources/buckets/
    [
      /^GET \/accounts\/:account\/r2\/buckets\/([^/]+)$/,
      (_request, name = '') => {
        if (!account.buckets.has(name)) throw new Refusal(404, 10006, 'The specified bucket does not exist.')
        return { result: { name, location: 'WEUR', storage_class: 'Standard' } }
      },
    ],
    [
      /^POST \/accounts\/:account\/r2\/buckets$/,
      (request) => {
        const { name } = fields(request, ['name'], ['locationHint', 'storageClass'])
        if (account.buckets.has(String(name)))
          throw new Refusal(409, 10004, 'The bucket you tried to create already exists, and you own it.')
        account.buckets.add(String(name))
        return { result: { name, location: 'WEUR', storage_class: 'Standard' } }
      },
    ],

    // Queues: https://developers.cloudflare.com/api/resources/queues/
    [
      /^GET \/accounts\/:account\/queues$/,
      (request) => {
        parameters(request, ['page', 'per_page', 'name'])
        const names = request.query.getAll('name')
        const rows = [...account.queues].map(([name, queue]) => ({
          queue_id: queue.id,
          queue_name: name,
          producers: [],
          producers_total_count: 0,
          consumers: queue.consumers,
          consumers_total_count: queue.consumers.length,
        }))
        return page(
          request,
          rows.filter(({ queue_name: name }) => names.length === 0 || names.includes(name)),
        )
      },
    ],
    [
      /^POST \/accounts\/:account\/queues$/,
      (request) => {
        const { queue_name: name } = fields(request, ['queue_name'], ['settings'])
        if (account.queues.has(String(name))) throw new Refusal(409, 11009, `Queue name '${name}' is already taken.`)
        const queue = { id: randomUUID().replaceAll('-', ''), consumers: [] }
        account.queues.set(String(name), queue)
        return { result: { queue_id: queue.id, queue_name: name } }
      },
    ],
    [
      /^POST \/accounts\/:account\/queues\/([^/]+)\/consumers$/,
      (request, queueId = '') => {
        const body = fields(request, ['type', 'script_name'], ['settings', 'dead_letter_queue'])
        const queue = [...account.queues.values()].find((each) => each.id === queueId)
        if (queue === undefined) throw new Refusal(404, 11000, 'queue not found')
        workerOf(String(body.script_name))
        if (queue.consumers.length > 0) throw new Refusal(409, 11004, 'Queue already has a consumer.')
        const consumer = {
          consumer_id: randomUUID().replaceAll('-', ''),
          script: String(body.script_name),
          settings: body.settings,
          type: 'worker',
        }
        queue.consumers = [consumer]
        return { result: consumer }
      },
    ],
    [
      /^PUT \/accounts\/:account\/queues\/([^/]+)\/consumers\/([^/]+)$/,
      (request, queueId = '', consumerId = '') => {
        const body = fields(request, ['type', 'script_name'], ['settings', 'dead_letter_queue'])
        const queue = [...account.queues.values()].find((each) => each.id === queueId)
        const consumer = queue?.consumers.find((each) => each.consumer_id === consumerId)
        if (queue === undefined || consumer === undefined) throw new Refusal(404, 11000, 'consumer not found')
        queue.consumers = [{ ...consumer, settings: body.settings }]
        return { result: queue.consumers[0] }
      },
    ],

    // Workers: https://developers.cloudflare.com/api/resources/workers/
    [/^GET \/accounts\/:account\/workers\/subdomain$/, () => ({ result: { subdomain: SUBDOMAIN } })],
    [
      /^GET \/accounts\/:account\/workers\/services\/([^/]+)$/,
      (_request, name = '') => {
        const worker = account.workers.get(name)
        if (worker === undefined) throw new Refusal(404, 10090, 'This service does not exist on your account.')
        const script = {
          tag: 'tag-of-the-script',
          tags: [],
          migration_tag: worker.migrationTag,
          last_deployed_from: 'wrangler',
        }
        return { result: { id: name, default_environment: { environment: 'production', script } } }
      },
    ],
    [
      /^GET \/accounts\/:account\/workers\/workers\/([^/]+)$/,
      (_request, name = '') => ({ result: { id: name, name, subdomain: workerOf(name).workersDev } }),
    ],
    [
      /^GET \/accounts\/:account\/workers\/scripts\/([^/]+)\/secrets$/,
      (_request, name = '') => ({
        result: [...versionOf(workerOf(name)).secrets.keys()].map((each) => ({ name: each, type: 'secret_text' })),
      }),
    ],
    [
      /^GET \/accounts\/:account\/workers\/scripts\/([^/]+)\/settings$/,
      (_request, name = '') => {
        const { bindings, secrets } = versionOf(workerOf(name))
        const hidden = [...secrets.keys()].map((each) => ({ name: each, type: 'secret_text' }))
        return { result: { bindings: [...bindings, ...hidden], compatibility_date: '2026-01-01', tags: [] } }
      },
    ],
    [
      /^PATCH \/accounts\/:account\/workers\/scripts\/([^/]+)\/script-settings$/,
      (request, name = '') => {
        workerOf(name)
        return { result: fields(request, [], ['tail_consumers', 'logpush', 'observability', 'tags']) }
      },
    ],
    [
      /^PUT \/accounts\/:account\/workers\/scripts\/([^/]+)$/,
      async (request, name = '') => {
        const { version } = await take(request, name)
        return {
          result: { id: name, etag: version.etag, deployment_id: version.id.replaceAll('-', ''), startup_time_ms: 9 },
        }
      },
    ],
    [
      /^POST \/accounts\/:account\/workers\/scripts\/([^/]+)\/versions$/,
      async (request, name = '') => {
        workerOf(name)
        const { version } = await take(request, name)
        const resources = { script: { etag: version.etag } }
        return { result: { id: version.id, startup_time_ms: 9, metadata: { has_preview: false }, resources } }
      },
    ],
    [
      /^GET \/accounts\/:account\/workers\/scripts\/([^/]+)\/versions\/([^/]+)$/,
      (_request, name = '', versionId = '') => {
        const version = workerOf(name).versions.find((each) => each.id === versionId)
        if (version === undefined) throw new Refusal(404, 10_000_001, 'no such version')
        return { result: { id: version.id, annotations: version.annotations } }
      },
    ],
    [
      /^GET \/accounts\/:account\/workers\/scripts\/([^/]+)\/deployments$/,
      (_request, name = '') => {
        const versions = [{ percentage: 100, version_id: workerOf(name).deployed.id }]
        return { result: { deployments: [{ id: randomUUID(), source: 'wrangler', strategy: 'percentage', versions }] } }
      },
    ],
    [
      /^POST \/accounts\/:account\/workers\/scripts\/([^/]+)\/deployments$/,
      (request, name = '') => {
        parameters(request, ['force'])
        const body = fields(request, ['strategy', 'versions'], ['annotations', 'code_update_strategy'])
        const [deployed] = body.versions as { version_id: string; percentage: number }[]
        const worker = workerOf(name)
        if (deployed?.version_id !== versionOf(worker).id) return violate('deploys another version than the last')
        worker.deployed = versionOf(worker)
        return { result: { id: randomUUID() } }
      },
    ],
    [
      /^POST \/accounts\/:account\/workers\/scripts\/([^/]+)\/subdomain$/,
      (request, name = '') => {
        const body = fields(request, ['enabled'], ['previews_enabled'])
        const worker = workerOf(name)
        worker.workersDev = {
          enabled: body.enabled === true,
          previews_enabled:
            body.previews_enabled === undefined ? worker.workersDev.previews_enabled : body.previews_enabled === true,
        }
        return { result: worker.workersDev }
      },
    ],
    [
      /^PUT \/accounts\/:account\/workers\/scripts\/([^/]+)\/schedules$/,
      (request, name = '') => {
        const body = JSON.parse(request.body.toString()) as { cron: string }[]
        workerOf(name).schedules = body.map(({ cron }) => cron)
        return { result: { schedules: body } }
      },
    ],
  ]
  return account
}

function isMutation({ method, path, body }: Request): boolean {
  if (method === 'GET') return false
  if (!path.endsWith('/query')) return true
  const { sql = '' } = JSON.parse(body.toString() || '{}') as { sql?: string }
  return !/^\s*SELECT\b/i.test(sql)
}

/** Several statements are one transaction. */
function run(sqlite: DatabaseSync, sql: string, params: readonly string[]): unknown[] {
  try {
    if (/^\s*SELECT\b|\bRETURNING\b|\?/i.test(sql) && !/;\s*\S/.test(sql)) return sqlite.prepare(sql).all(...params)
    sqlite.exec('BEGIN')
    try {
      sqlite.exec(sql)
      sqlite.exec('COMMIT')
    } catch (error) {
      sqlite.exec('ROLLBACK')
      throw error
    }
    return []
  } catch (error) {
    throw new Refusal(400, 7500, `${error instanceof Error ? error.message : error}: SQLITE_ERROR`)
  }
}

function send(response: ServerResponse, status: number, body: Json): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
