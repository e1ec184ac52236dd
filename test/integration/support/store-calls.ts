/**
 * Calls every function that the store exports with rows and values that fit by their names, and tells which SQL each prepares. So a
 * new function is met without being named anywhere; where a name says too little, the caller of this gives its arguments.
 */
import { getTableColumns } from 'drizzle-orm'
import { utf8 } from '../../../src/core/bytes.ts'
import { openDatabase, type Store } from '../../../src/store/store.ts'
import type { Statement, Transaction } from '../../../src/store/transaction.ts'
import { bindings } from './bindings.ts'
import { ORDER_REQUEST, ROLE_POLICY } from './stored-shapes.ts'
import { TABLES } from './tables.ts'

/** Every column of every table, with a value that its type takes. */
function anyRow(): Record<string, unknown> {
  const values = { number: 1, boolean: true, string: 'x' } as Readonly<Record<string, unknown>>
  const columns = TABLES.flatMap((table) => Object.entries(getTableColumns(table)))
  const row = Object.fromEntries(columns.map(([name, { dataType }]) => [name, values[dataType] ?? ['x']]))
  return {
    ...row,
    names: { dns: ['x'], ip: [], email: [], uri: [] },
    request: ORDER_REQUEST,
    renewalRequest: ORDER_REQUEST,
    policy: ROLE_POLICY,
    policyText: 'x',
    issueTerms: null,
    pendingEntry: null,
    attempts: [],
  }
}

/** A row of any table, a page, an actor, a filter: whatever an argument is asked for, as far as its name tells. */
export const ROW: Readonly<Record<string, unknown>> = {
  ...anyRow(),
  // What is asked for beside columns.
  before: null,
  limit: 10,
  from: 'x',
  after: 1,
  revision: 1,
  dueAtMs: 1,
  issued: { count: 1, from: 'x', through: 'y' },
  isCurrent: true,
  accountId: 'x',
  caIds: ['x'],
  issuerCaIds: ['x'],
  credentials: {},
  data: {},
  place: { tenantId: 'x', tokenId: 'x', key: 'x' },
  untilMs: 1,
  tokenId: 'x',
  requestId: null,
}

const LISTS = /^(ids|caIds|terms|tags|tokens)$/
const LISTS_OF_ROWS = /^(rows|versions|known|parts|cas)$/
const NUMBERS = /(Ms|[lL]imit|Seq|[nN]umber|partition)$/

function argumentFor(name: string, store: Store): unknown {
  if (name === 'store') return store
  if (name === 'db') return store.db
  if (name === 'serialNumber') return 'x'
  if (LISTS.test(name)) return ['x']
  if (LISTS_OF_ROWS.test(name)) return [ROW, { ...ROW, isCurrent: false }]
  if (NUMBERS.test(name)) return 1
  return typeof ROW[name] === 'string' ||
    /^(prefix|reason|through|tenantId|text|job|hash|token|term|setting.*|reference)$/.test(name)
    ? 'x'
    : ROW
}

/** The names of a function's parameters; what is taken apart has the name `row`. */
function parametersOf(call: StoreFunction): string[] {
  const source = call.toString()
  let depth = 0
  let text = ''
  for (const char of source.slice(source.indexOf('(') + 1)) {
    if (char === ')' && depth === 0) break
    if ('({['.includes(char)) depth += 1
    if (')}]'.includes(char)) depth -= 1
    if (depth === 0) text += char === '}' ? 'row' : char
  }
  return text
    .split(',')
    .map((each) => (each.split('=')[0] ?? '').trim())
    .filter((each) => each !== '')
}

export type StoreFunction = (...values: readonly unknown[]) => unknown

/** A store over the real database, in which nothing is changed, and the SQL that it was given. */
async function recordedStore(sent: Set<string>): Promise<Store> {
  const prepare = (sql: string): unknown => {
    sent.add(sql)
    const isRead = /^\s*(select|with)\b/i.test(sql)
    const prepared = bindings.DB.prepare(isRead ? sql : 'SELECT 1 WHERE 0')
    return isRead
      ? prepared
      : new Proxy(prepared, {
          get: (target, name) => {
            if (name === 'bind') return () => prepared
            const value: unknown = Reflect.get(target, name)
            return typeof value === 'function' ? value.bind(target) : value
          },
        })
  }
  const binding = new Proxy(bindings.DB, {
    get: (target, name) => {
      if (name === 'prepare') return prepare
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const ring = {
    currentKeyId: 'k2',
    keyIds: ['k1', 'k2'],
    seal: async () => 'k1.x',
    open: async () => utf8('{"value":"x"}'),
  }
  return {
    db: openDatabase(binding),
    ring: ring as unknown as Store['ring'],
    async commit({ statements }: Transaction) {
      collect(statements, sent)
      return { kind: 'committed' }
    },
  }
}

function collect(found: unknown, sent: Set<string>): void {
  if (Array.isArray(found)) for (const each of found) collect(each, sent)
  else if (isStatement(found)) sent.add(found.sql)
}

const isStatement = (found: unknown): found is Statement =>
  typeof found === 'object' && found !== null && 'sql' in found && 'mustChange' in found

/**
 * The SQL that a function of the store prepares, each once. With `given`, what follows the store; else what the names of the parameters
 * tell, and where that does not fit, something else in one of their places.
 */
export async function sqlOf(call: StoreFunction, given: readonly unknown[] | null): Promise<string[]> {
  if (given !== null) return sqlWith(call, (store) => [store, ...given])
  const names = parametersOf(call)
  const guess = (store: Store) => names.map((name) => argumentFor(name, store))
  const others = names.flatMap((_, place) => OTHERS.map((other) => (store: Store) => guess(store).with(place, other)))
  let failure: unknown = null
  for (const values of [guess, ...others]) {
    try {
      return await sqlWith(call, values)
    } catch (error) {
      failure ??= error
    }
  }
  throw failure
}

/** What an argument may be whose name tells something else. */
const OTHERS: readonly unknown[] = [1, 'x', ROW, [ROW], ['x'], null]

async function sqlWith(call: StoreFunction, values: (store: Store) => readonly unknown[]): Promise<string[]> {
  const sent = new Set<string>()
  const found: unknown = await call(...values(await recordedStore(sent)))
  if (typeof found === 'object' && found !== null && Symbol.asyncIterator in found) {
    for await (const _page of found as AsyncIterable<unknown>) break
  }
  collect(found, sent)
  return [...sent]
}

/** One row in every table, so that what reads one thing and then another comes to the other. */
export async function fillTables(): Promise<void> {
  const db = openDatabase(bindings.DB)
  for (const table of TABLES) {
    await db
      .insert(table)
      .values(ROW as never)
      .onConflictDoNothing()
  }
}
