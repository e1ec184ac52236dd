/**
 * Imports point down only: index → http, cron, durable-objects → zones → orders → certificates → renewal → accounts, access,
 * secrets, events, tenants, challenges, authority → store, dns → acme, pki → core. A step of an order imports no other step.
 * Names each edge that does not, and each circle. Also holds the platform at the edge: who may import drizzle-orm, hono,
 * Node's modules.
 * Reads import statements alone: an import whose name is computed at run time is not seen.
 */
import { posix } from 'node:path'
import { circlesIn } from './circles.ts'
import { lineAt, type Problem, type ProjectFile, readProjectFiles, reportProblems } from './project-files.ts'

const CORE = ['core']
const BASE = ['store', 'acme', 'pki', 'dns', ...CORE]
const RENEWAL = ['accounts', 'tenants', ...BASE]
const CERTIFICATES = ['authority', 'challenges', 'renewal', ...RENEWAL]
const ORDERS = ['certificates', ...CERTIFICATES]
const ZONES = ['orders', ...ORDERS]
const USE_CASES = ['zones', 'access', 'secrets', 'events', ...ZONES]

/** Room → the other rooms that it may import. The files directly under src/ are the room `root`, but for two. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  root: ['http', 'cron', 'durable-objects', 'environment', ...USE_CASES],
  'durable-objects': ['environment', ...USE_CASES],
  http: ['environment', ...USE_CASES],
  cron: ['environment', ...USE_CASES],
  // The bindings name the methods of the objects that they lead to, which are declared in the rooms that answer.
  environment: USE_CASES,
  zones: ZONES,
  orders: ORDERS,
  certificates: CERTIFICATES,
  renewal: RENEWAL,
  accounts: BASE,
  tenants: BASE,
  events: BASE,
  access: BASE,
  secrets: BASE,
  challenges: BASE,
  authority: BASE,
  // Rows hold what acme and pki describe; and the list of migrations, to say which of them a database lacks.
  store: ['acme', 'pki', 'migrations', ...CORE],
  acme: CORE,
  pki: CORE,
  dns: CORE,
  core: [],
  migrations: [],
  // Programs of their own: what runs on a host and what runs in a browser.
  agent: ['pki', ...CORE],
  dashboard: [],
}

/** The phases of an order. What they share stands beside them, with the state of the order. */
const STEPS = 'src/orders/steps/'

/** What is made of the bindings, for whatever the platform starts. */
const ENVIRONMENT_FILES = new Set(['src/env.ts', 'src/objects.ts', 'src/runtime.ts'])

const MIGRATIONS_LIST = 'migrations/meta/_journal.json'

/** Package → the rooms that may import it. Packages that are not listed are free. */
const PACKAGE_ROOMS: readonly { readonly name: RegExp; readonly rooms: readonly string[] }[] = [
  { name: /^drizzle-orm(\/|$)/, rooms: ['store'] },
  { name: /^(hono|@hono\/[^/]+)(\/|$)/, rooms: ['http', 'root'] },
  { name: /^cloudflare:/, rooms: ['durable-objects', 'environment', 'root'] },
  { name: /^node:/, rooms: ['agent'] },
]

/** Every import that the rooms do not allow. */
export function checkImports(files: readonly ProjectFile[]): Problem[] {
  return files.flatMap((file) => {
    const room = roomOf(file.path)
    if (room === null)
      return [{ path: file.path, message: 'lies in no room; add its folder to tools/check-imports.ts' }]
    return importsIn(file.text).flatMap(({ name, line }) => {
      const message = name.startsWith('.') ? complainAboutFile(file.path, room, name) : complainAboutPackage(room, name)
      return message === null ? [] : [{ path: file.path, line, message }]
    })
  })
}

/** Every circle of imports, among files and among rooms. An import of a type alone counts: who reads one file needs the other. */
export function checkCircles(files: readonly ProjectFile[]): Problem[] {
  const ofFiles = new Map<string, Set<string>>()
  const ofRooms = new Map<string, Set<string>>()
  for (const { path, text } of files) {
    for (const { name } of importsIn(text)) {
      if (!name.startsWith('.')) continue
      const target = posix.normalize(posix.join(posix.dirname(path), name))
      const [from, to] = [roomOf(path), roomOf(target)]
      addEdge(ofFiles, path, target)
      if (from !== null && to !== null && from !== to) addEdge(ofRooms, from, to)
    }
  }
  return [...circlesIn(ofFiles), ...circlesIn(ofRooms)].map((circle) => {
    const [first = ''] = circle
    return { path: first, message: `closes a circle of imports: ${[...circle, first].join(' → ')}` }
  })
}

function addEdge(graph: Map<string, Set<string>>, from: string, to: string): void {
  graph.set(from, (graph.get(from) ?? new Set()).add(to))
}

function complainAboutFile(path: string, room: string, name: string): string | null {
  const target = posix.normalize(posix.join(posix.dirname(path), name))
  const targetRoom = roomOf(target)
  if (targetRoom === null) return `imports ${target}, which is not the Worker's`
  if (path.startsWith(STEPS) && target.startsWith(STEPS)) {
    return `a step of an order must not import another step (${target})`
  }
  if (targetRoom === room || MAY_IMPORT[room]?.includes(targetRoom)) return null
  return `${room} must not import ${targetRoom} (${target})`
}

function complainAboutPackage(room: string, name: string): string | null {
  const rule = PACKAGE_ROOMS.find((candidate) => candidate.name.test(name))
  return rule === undefined || rule.rooms.includes(room) ? null : `${room} must not import ${name}`
}

/** The room of a file, or null where it lies in none. */
function roomOf(path: string): string | null {
  if (path.startsWith('durable-objects/')) return 'durable-objects'
  if (ENVIRONMENT_FILES.has(path)) return 'environment'
  if (path === MIGRATIONS_LIST) return 'migrations'
  const [top, second, ...rest] = path.split('/')
  if (top !== 'src' || second === undefined) return null
  const room = rest.length === 0 ? 'root' : second
  return room in MAY_IMPORT ? room : null
}

interface Import {
  readonly name: string
  readonly line: number
}

const IMPORT_FORMS = [
  // import … from 'x', export … from 'x'
  /^[ \t]*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
  // import 'x'
  /^[ \t]*import\s*['"]([^'"]+)['"]/gm,
  // import('x'), in code and in types
  /\bimport\s*\(\s*['"]([^'"]+)['"]/g,
]

function importsIn(text: string): Import[] {
  const code = withoutBlockComments(text)
  return IMPORT_FORMS.flatMap((form) =>
    [...code.matchAll(form)].map((match) => ({ name: match[1] ?? '', line: lineAt(code, match.index) })),
  )
}

/** Comments may quote imports. Their line breaks stay, so that line numbers do. */
function withoutBlockComments(text: string): string {
  return text.replaceAll(/^[ \t]*\/\*[\s\S]*?\*\//gm, (comment) => comment.replaceAll(/[^\n]/g, ''))
}

if (import.meta.main) {
  const files = readProjectFiles(['src', 'durable-objects'], (path) => /\.tsx?$/.test(path))
  reportProblems('imports', files.length, [...checkImports(files), ...checkCircles(files)])
}
