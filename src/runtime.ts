/** What the composition root and the Durable Objects are built from, once per isolate. */
import { connect as connectSocket } from 'cloudflare:sockets'
import { knownDirectories } from './acme/certificate-authorities.ts'
import { type Clock, systemClock } from './core/clock.ts'
import type { DisclosurePolicy } from './core/failure-disclosure.ts'
import { createHttpClient, type HttpClient, type HttpClientOptions } from './core/http-client.ts'
import { consoleLog } from './core/log.ts'
import type { TcpConnect } from './core/tcp.ts'
import { DEFAULT_RESOLVERS } from './dns/dns-source.ts'
import { createNameCheck } from './dns/name-check.ts'
import { checkEnv, type Env, type Settings } from './env.ts'
import { type CrlObjects, crlObjects } from './store/crl-objects.ts'
import { openDatabase, type Store } from './store/store.ts'
import { sureCommit } from './store/sure-commit.ts'
import type { Plans } from './tenants/plans.ts'

export interface Runtime {
  readonly settings: Settings
  readonly plans: Plans
  readonly store: Store
  readonly crls: CrlObjects
  readonly now: Clock
  readonly http: HttpClient
  readonly connect: TcpConnect
  readonly disclosure: DisclosurePolicy
}

/** RFC 8555 §6.1: clients "MUST send a User-Agent header field". */
const USER_AGENT = 'certwright/0.1 (+ACME; RFC 8555)'

const runtimes = new WeakMap<Env, Promise<Runtime>>()

/** The runtime of this isolate. Rejects, with a message that says what to set, where the bindings are not complete. */
export function runtimeOf(env: Env): Promise<Runtime> {
  const known = runtimes.get(env)
  if (known !== undefined) return known
  const building = buildRuntime(env)
  runtimes.set(env, building)
  return building
}

async function buildRuntime(env: Env): Promise<Runtime> {
  const settings = await checkEnv(env)
  const db = openDatabase(env.DB)
  const store: Store = {
    db,
    ring: settings.ring,
    commit: sureCommit(db, systemClock, (transaction) =>
      env.TENANT_LEDGER.getByName(transaction.tenantId).commit(transaction),
    ),
  }
  const { allowPrivateTargets, dnsResolvers } = settings
  const options: HttpClientOptions = {
    fetch: (input, init) => fetch(input, init),
    allowPrivateTargets,
    userAgent: USER_AGENT,
  }
  const connect: TcpConnect = (address) => {
    const socket = connectSocket(address)
    // A refused connection also rejects `closed`; readers and writers report it.
    socket.closed.catch(() => undefined)
    return socket
  }
  const hostsOfOurs = new Set(
    [...knownDirectories(), ...DEFAULT_RESOLVERS, ...dnsResolvers].map((url) => new URL(url).hostname),
  )
  const disclosure: DisclosurePolicy = {
    discloses: (hostname) => allowPrivateTargets || hostsOfOurs.has(hostname),
    resolves: createNameCheck({ http: createHttpClient(options), connect, resolvers: dnsResolvers }),
    log: consoleLog,
  }
  return {
    settings,
    plans: settings.plans,
    store,
    crls: crlObjects(env.CRLS),
    now: systemClock,
    http: createHttpClient({ ...options, disclosure }),
    connect,
    disclosure,
  }
}
