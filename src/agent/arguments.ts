/** The companion's settings: from arguments, and from the environment where a list of processes must not show them. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parseDurationSeconds } from '../core/duration.ts'
import { parseDnsName } from '../pki/dns-name.ts'
import { formatIpAddress, parseIpAddress } from '../pki/ip-address.ts'
import { Api } from './api.ts'

export const HELP = `certwright fetch   --certificate cert_… --out DIR [--reload COMMAND [--reload-timeout 5m]]
certwright watch   --certificate cert_… --out DIR [--reload COMMAND [--reload-timeout 5m]] [--interval 1h]
certwright issue   --account acme_… --domain NAME [--domain NAME …] [--challenge dns-01]
                   [--out DIR] [--reload COMMAND [--reload-timeout 5m]]
certwright respond [--domain NAME …] [--address IP] [--http-port 80] [--tls-port 443] [--interval 2s]

fetch     writes DIR/fullchain.pem and DIR/privkey.pem where they have changed, then runs COMMAND, which is ended where it
          takes longer than --reload-timeout
watch     does so again and again, until it is stopped
issue     orders a certificate and waits for it; with --out it is written as fetch does
respond   answers http-01 and tls-alpn-01 for orders that wait for it; with --domain for those names alone,
          on every address of the host, or on --address. A port of 0 leaves that protocol out

  --server URL         the service; or CERTWRIGHT_URL. Default http://127.0.0.1:8787
  --token-file FILE    holds the token; or CERTWRIGHT_TOKEN holds it`

/** The arguments make no sense; the message says which. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export interface Installation {
  readonly out: string
  /** For a shell; null: no server is told of a new certificate. */
  readonly reload: string | null
  /** After which the command is ended. */
  readonly reloadTimeoutSeconds: number
}

export interface FetchCommand extends Installation {
  readonly name: 'fetch'
  readonly api: Api
  readonly certificateId: string
}

export interface WatchCommand extends Installation {
  readonly name: 'watch'
  readonly api: Api
  readonly certificateId: string
  readonly intervalSeconds: number
}

export interface IssueCommand {
  readonly name: 'issue'
  readonly api: Api
  readonly accountId: string
  readonly domains: readonly string[]
  readonly challengeType: string
  readonly installation: Installation | null
}

export interface RespondCommand {
  readonly name: 'respond'
  readonly api: Api
  /** Null: every name. */
  readonly domains: readonly string[] | null
  /** Null: every one that the host has. */
  readonly address: string | null
  /** Null: not answered. */
  readonly httpPort: number | null
  readonly tlsPort: number | null
  readonly intervalSeconds: number
}

export type Command = { readonly name: 'help' } | FetchCommand | WatchCommand | IssueCommand | RespondCommand

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  server: { type: 'string' },
  'token-file': { type: 'string' },
  certificate: { type: 'string' },
  out: { type: 'string' },
  reload: { type: 'string' },
  'reload-timeout': { type: 'string' },
  interval: { type: 'string' },
  account: { type: 'string' },
  domain: { type: 'string', multiple: true },
  challenge: { type: 'string' },
  address: { type: 'string' },
  'http-port': { type: 'string' },
  'tls-port': { type: 'string' },
} as const

type Values = ReturnType<typeof read>['values']

/** Which options each command knows, beside those of all. */
const KNOWN: Readonly<Record<Exclude<Command['name'], 'help'>, readonly (keyof Values)[]>> = {
  fetch: ['certificate', 'out', 'reload', 'reload-timeout'],
  watch: ['certificate', 'out', 'reload', 'reload-timeout', 'interval'],
  issue: ['account', 'domain', 'challenge', 'out', 'reload', 'reload-timeout'],
  respond: ['domain', 'address', 'http-port', 'tls-port', 'interval'],
}
const OF_ALL: readonly (keyof Values)[] = ['help', 'server', 'token-file']

function read(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
}

/** `stop` ends what the command asks of the service. Throws `UsageError`. */
export function parseArguments(args: readonly string[], environment: NodeJS.ProcessEnv, stop?: AbortSignal): Command {
  const { values, positionals } = readOrRefuse(args)
  const [name, ...more] = positionals
  if (values.help === true || name === undefined || name === 'help') return { name: 'help' }
  if (!isCommand(name)) throw new UsageError(`there is no command "${name}"`)
  if (more.length > 0) throw new UsageError(`"${more[0]}" is one argument too many`)
  const foreign = (Object.keys(values) as (keyof Values)[]).find(
    (option) => !OF_ALL.includes(option) && !KNOWN[name].includes(option),
  )
  if (foreign !== undefined) throw new UsageError(`${name} does not know --${foreign}`)
  const api = apiOf(values, environment, stop)
  switch (name) {
    case 'fetch':
      return { name, api, certificateId: need(values, 'certificate'), ...installationOf(values) }
    case 'watch':
      return {
        name,
        api,
        certificateId: need(values, 'certificate'),
        ...installationOf(values),
        intervalSeconds: secondsOf(values, 'interval', '1h'),
      }
    case 'issue':
      return {
        name,
        api,
        accountId: need(values, 'account'),
        domains: values.domain ?? missing('domain'),
        challengeType: values.challenge ?? 'dns-01',
        installation: values.out === undefined ? null : installationOf(values),
      }
    case 'respond':
      return {
        name,
        api,
        domains: values.domain?.map(nameOf) ?? null,
        address: values.address ?? null,
        httpPort: portOf(values, 'http-port', 80),
        tlsPort: portOf(values, 'tls-port', 443),
        intervalSeconds: secondsOf(values, 'interval', '2s'),
      }
  }
}

const isCommand = (name: string): name is keyof typeof KNOWN => Object.hasOwn(KNOWN, name)

function readOrRefuse(args: readonly string[]): ReturnType<typeof read> {
  try {
    return read(args)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** Never from an argument: everybody on the machine can read those. */
function apiOf(values: Values, environment: NodeJS.ProcessEnv, stop: AbortSignal | undefined): Api {
  const file = values['token-file']
  const token = (file === undefined ? (environment.CERTWRIGHT_TOKEN ?? '') : readToken(file)).trim()
  if (token === '') throw new UsageError('give the token by --token-file or CERTWRIGHT_TOKEN')
  // Said here, without the token: what sends it would show it in its complaint.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageError('the token holds a character that tokens do not have')
  const server = values.server ?? environment.CERTWRIGHT_URL ?? 'http://127.0.0.1:8787'
  if (!URL.canParse(server)) throw new UsageError(`--server: "${server}" is not an address`)
  const { protocol, hostname, username, password, search, hash } = new URL(server)
  if (username !== '' || password !== '')
    throw new UsageError('--server: leave user and password out; the token is all')
  if (search !== '' || hash !== '') throw new UsageError('--server: leave out what follows the path')
  const isLoopback = hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback)) {
    throw new UsageError('--server: a token goes over https alone, but for this machine itself')
  }
  return new Api(server.replace(/\/+$/, ''), token, stop)
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`--token-file: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** In the form in which orders have it (RFC 5952 for addresses, A-labels for names). */
function nameOf(domain: string): string {
  const address = parseIpAddress(domain.replace(/^\[|\]$/g, ''))
  if (address !== null) return formatIpAddress(address)
  const parsed = parseDnsName(domain)
  if (!parsed.ok) throw new UsageError(`--domain: ${parsed.error}`)
  if (parsed.value.isWildcard) throw new UsageError('--domain: wildcards are validated by DNS alone')
  return parsed.value.name
}

function installationOf(values: Values): Installation {
  return {
    out: need(values, 'out'),
    reload: values.reload ?? null,
    reloadTimeoutSeconds: secondsOf(values, 'reload-timeout', '5m'),
  }
}

function need(values: Values, option: 'certificate' | 'out' | 'account'): string {
  return values[option] ?? missing(option)
}

function missing(option: string): never {
  throw new UsageError(`--${option} is missing`)
}

function secondsOf(values: Values, option: 'interval' | 'reload-timeout', otherwise: string): number {
  const seconds = parseDurationSeconds(values[option] ?? otherwise)
  if (!seconds.ok) throw new UsageError(`--${option}: ${seconds.error}`)
  if (seconds.value > MAX_WAIT_SECONDS) throw new UsageError(`--${option} is at most 20d`)
  return seconds.value
}

/** Node's timers hold 2^31 milliseconds, with the jitter of `watch`; a longer one fires at once. */
const MAX_WAIT_SECONDS = 20 * 86_400

function portOf(values: Values, option: 'http-port' | 'tls-port', otherwise: number): number | null {
  const text = values[option]
  const port = text === undefined ? otherwise : Number(text)
  if (text === '' || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new UsageError(`--${option} is a number from 0 to 65535`)
  }
  return port === 0 ? null : port
}
