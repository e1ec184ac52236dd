/**
 * The peers that the benchmarks measure against: lego and certbot, pinned, installed into `.cache` when first asked for,
 * each set to its quickest. Both are programs that run once and end; what they measure includes their start.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Bind } from '../test/support/bind.ts'
import type { Pebble } from '../test/support/pebble.ts'
import { runSuccessfully } from '../test/support/process.ts'
import { makeTempFolder } from '../test/support/temp-folder.ts'
import { PROJECT_FOLDER } from '../tools/project-files.ts'

const LEGO_VERSION = 'v5.3.1'
const CERTBOT_VERSION = '5.8.0'

/** The versions are part of the paths, so that a change of them installs anew. */
const LEGO = join(PROJECT_FOLDER, '.cache', 'bin', `lego-${LEGO_VERSION}`, 'lego')
const CERTBOT_FOLDER = join(PROJECT_FOLDER, '.cache', `certbot-${CERTBOT_VERSION}`)
const CERTBOT = join(CERTBOT_FOLDER, 'bin', 'certbot')

const RUN_TIMEOUT_MS = 120_000

export interface Peer {
  /** With its version. */
  readonly name: string
  /** Orders one certificate for these names and has it on disk when it resolves. The first call also registers an account. */
  order(domains: readonly string[]): Promise<void>
}

/** Both peers, ready to order from this Pebble through this BIND. Throws one plain line where one cannot be installed. */
export function installPeers(pebble: Pebble, bind: Bind): Peer[] {
  if (!existsSync(LEGO)) installLego()
  if (!existsSync(CERTBOT)) installCertbot()
  return [legoPeer(pebble, bind), certbotPeer(pebble, bind)]
}

/** Built in its own module, so that its own go.sum says what its dependencies are. */
function installLego(): void {
  mkdirSync(dirname(LEGO), { recursive: true })
  const module = `github.com/go-acme/lego/v5@${LEGO_VERSION}`
  console.info(`installing lego ${LEGO_VERSION}: some minutes`)
  const downloaded = spawnSync('go', ['mod', 'download', '-json', module], { encoding: 'utf8', cwd: dirname(LEGO) })
  if (downloaded.status !== 0) throw new Error('lego could not be downloaded: install Go 1.25 or later')
  const { Dir: folder } = JSON.parse(downloaded.stdout) as { Dir: string }
  install('lego could not be built', 'go', ['build', '-C', folder, '-o', LEGO, '.'])
}

function installCertbot(): void {
  console.info(`installing certbot ${CERTBOT_VERSION}`)
  install('certbot needs Python 3.10 or later with venv', 'python3', ['-m', 'venv', CERTBOT_FOLDER])
  const packages = ['certbot', 'certbot-dns-rfc2136'].map((name) => `${name}==${CERTBOT_VERSION}`)
  const pip = ['install', '--quiet', '--disable-pip-version-check', ...packages]
  install('certbot could not be installed', join(CERTBOT_FOLDER, 'bin', 'pip'), pip)
}

function install(complaint: string, program: string, args: readonly string[]): void {
  if (spawnSync(program, args, { stdio: 'inherit' }).status !== 0) throw new Error(complaint)
}

function legoPeer(pebble: Pebble, bind: Bind): Peer {
  const folder = makeTempFolder('bench-lego')
  const [key] = bind.tsigKeys
  if (key === undefined) throw new Error('BIND has no key')
  const env = {
    LEGO_CA_CERTIFICATES: pebble.caFile,
    DNSUPDATE_NAMESERVER: bind.address,
    DNSUPDATE_TSIG_KEY: key.name,
    DNSUPDATE_TSIG_ALGORITHM: `${key.algorithm}.`,
    DNSUPDATE_TSIG_SECRET: key.secret,
    // It solves one name after the other and waits between them; whole seconds, one being the least that it takes.
    DNSUPDATE_SEQUENCE_INTERVAL: '1',
    DNSUPDATE_POLLING_INTERVAL: '1',
  }
  const args = [
    ...['run', '--server', pebble.directoryUrl, '--accept-tos', '--email', 'bench@acme.example', '--path', folder.path],
    // Its check of the zone's own servers is on port 53 alone: it asks this BIND as a resolver instead.
    ...['--dns', 'dnsupdate', '--dns.resolvers', bind.address, '--dns.propagation.disable-ans', '--key-type', 'EC256'],
  ]
  return {
    name: `lego ${LEGO_VERSION}`,
    order: async (domains) => {
      const names = domains.flatMap((domain) => ['--domains', domain])
      await runSuccessfully(LEGO, [...args, ...names], { env, timeoutMs: RUN_TIMEOUT_MS })
    },
  }
}

function certbotPeer(pebble: Pebble, bind: Bind): Peer {
  const folder = makeTempFolder('bench-certbot')
  const [key] = bind.tsigKeys
  if (key === undefined) throw new Error('BIND has no key')
  const credentialsFile = join(folder.path, 'rfc2136.ini')
  const settings = {
    dns_rfc2136_server: bind.host,
    dns_rfc2136_port: bind.port,
    dns_rfc2136_name: `${key.name}.`,
    dns_rfc2136_secret: key.secret,
    dns_rfc2136_algorithm: key.algorithm.toUpperCase(),
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
  writeFileSync(credentialsFile, lines.join(''), { mode: 0o600 })
  const folders = ['config', 'work', 'logs'].flatMap((name) => [`--${name}-dir`, join(folder.path, name)])
  const args = [
    ...['certonly', '--non-interactive', '--agree-tos', '--register-unsafely-without-email', ...folders],
    ...['--server', pebble.directoryUrl, '--key-type', 'ecdsa', '--authenticator', 'dns-rfc2136'],
    // Not at all, instead of its 60 seconds: the server answers with the record as soon as it has it.
    ...['--dns-rfc2136-credentials', credentialsFile, '--dns-rfc2136-propagation-seconds', '0'],
  ]
  return {
    name: `certbot ${CERTBOT_VERSION}`,
    order: async (domains) => {
      const names = domains.flatMap((domain) => ['--domain', domain])
      const env = { REQUESTS_CA_BUNDLE: pebble.caFile }
      await runSuccessfully(CERTBOT, [...args, ...names], { env, timeoutMs: RUN_TIMEOUT_MS })
    },
  }
}
