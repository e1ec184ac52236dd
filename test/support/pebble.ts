/**
 * Pebble, the real ACME server that the tests talk to, with its teeth in: strict, refusing good nonces, its own ports.
 * Names are resolved with the server that the test gives (see bind.ts). Pebble checks no CAA and has no rate limits;
 * see fault-proxy.ts for what it does not do wrong by itself.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireServers } from '../../tools/install-servers.ts'
import { type HttpsAnswer, requestHttps } from './https-request.ts'
import { freePorts } from './ports.ts'
import { leaveRunning, type RunningProcess, startProcess, waitForPort } from './process.ts'
import { makeServerCertificate } from './server-certificate.ts'
import { makeTempFolder } from './temp-folder.ts'
import { startWatchdog } from './watchdog.ts'

export interface PebbleProfile {
  readonly description: string
  readonly validitySeconds?: number
  readonly promoteCommonName?: boolean
}

export interface PebbleOptions {
  /** `host:port` of the server that resolves names, asked over TCP. */
  readonly dnsServer: string
  /**
   * Per cent of good nonces that are refused with badNonce. Default: Pebble's own 5. The client gives a request up after
   * six refusals in a row: at 20 that is one request in 16,000, which a whole run of the tests does not get by without.
   */
  readonly nonceReject?: number
  /** Default true: whatever upcoming breaking change of the API there is. */
  readonly strict?: boolean
  /**
   * Per cent of new authorizations that are old valid ones. Default: Pebble's own 50. At 0 it is still one in a hundred: a
   * test that needs a pending authorization orders a name that was not validated before.
   */
  readonly authzReuse?: number
  /** Default true: challenges are validated at once, not after up to 5 seconds. */
  readonly noSleep?: boolean
  /** `{ kid: base64url MAC key }`: newAccount then demands an external account binding (RFC 8555 §7.3.4). */
  readonly eab?: Readonly<Record<string, string>>
  /** How many further roots have chains of their own, offered as `Link: …;rel="alternate"`. Default 0. */
  readonly alternateRoots?: number
  /** Certificates from the root down to the issuer, without the root. Default 1. */
  readonly chainLength?: number
  /** Default: one profile `default`. */
  readonly profiles?: Readonly<Record<string, PebbleProfile>>
  /** Lifetime of certificates where no profiles are given. Default: Pebble's five years. */
  readonly validitySeconds?: number
  /** `Retry-After` on authorizations and orders, in seconds. Default 1 and 1; Pebble writes it as seconds or as a date, by chance. 0 leaves it out. */
  readonly retryAfter?: { readonly authz: number; readonly order: number }
  /** Names that are refused with rejectedIdentifier. */
  readonly domainBlocklist?: readonly string[]
  /** Key type of roots and intermediates. Default ecdsa; only rsa keys can be read over the management interface. */
  readonly keyAlgorithm?: 'rsa' | 'ecdsa'
  /** Where http-01 and tls-alpn-01 are validated. Default: free ports. */
  readonly httpPort?: number
  readonly tlsPort?: number
  /** How often it is looked at whether Pebble still answers; three times without an answer start it anew. Default 10 s. */
  readonly watchMs?: number
}

export interface CertificateStatus {
  readonly status: 'Valid' | 'Revoked'
  readonly serial: string
  readonly certificatePem: string
  /** RFC 5280 §5.3.1; undefined where none was given. */
  readonly reason: number | undefined
}

export interface Pebble {
  readonly directoryUrl: string
  readonly managementUrl: string
  /** `https://127.0.0.1:port`, without a path. */
  readonly origin: string
  /** PEM file of the CA behind Pebble's own TLS certificate: for `NODE_EXTRA_CA_CERTS`. Not the root of what Pebble issues. */
  readonly caFile: string
  /** That certificate and its key, for a proxy in front of Pebble. */
  readonly tls: { readonly certificateFile: string; readonly keyFile: string }
  readonly httpPort: number
  readonly tlsPort: number
  /** Of the process that answers now. */
  readonly pid: number
  /** Root of the n-th chain, 0 being the default one. */
  rootPem(chain?: number): Promise<string>
  /** The certificate of the n-th chain's issuer, which signs the leaves; further intermediates are only in the chains of orders. */
  intermediatePem(chain?: number): Promise<string>
  /** Null where Pebble does not know the serial number. */
  certificateStatus(serialHex: string): Promise<CertificateStatus | null>
  /** RFC 9773 §4.1: what renewalInfo answers for a certificate from now on, byte for byte, malformed text included. */
  setRenewalInfo(certificatePem: string, answer: string): Promise<void>
  log(): string
  stop(): Promise<void>
}

/** Starts Pebble and resolves when it answers. */
export async function startPebble(options: PebbleOptions): Promise<Pebble> {
  const folder = makeTempFolder('pebble')
  const { caFile, certificateFile, keyFile } = await makeServerCertificate(folder.path)
  const [listenPort, managementPort, freeHttpPort, freeTlsPort] = await freePorts(4)
  if (listenPort === undefined || managementPort === undefined) throw new Error('no free ports')
  const httpPort = options.httpPort ?? freeHttpPort ?? 0
  const tlsPort = options.tlsPort ?? freeTlsPort ?? 0
  const configurationFile = join(folder.path, 'pebble.json')
  const pebbleConfiguration = {
    listenAddress: `127.0.0.1:${listenPort}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    certificate: certificateFile,
    privateKey: keyFile,
    httpPort,
    tlsPort,
    externalAccountBindingRequired: options.eab !== undefined,
    externalAccountMACKeys: options.eab ?? {},
    domainBlocklist: options.domainBlocklist ?? [],
    retryAfter: options.retryAfter ?? { authz: 1, order: 1 },
    keyAlgorithm: options.keyAlgorithm ?? 'ecdsa',
    profiles: profilesOf(options),
  }
  writeFileSync(configurationFile, JSON.stringify({ pebble: pebbleConfiguration }))

  const strict = options.strict === false ? [] : ['-strict']
  const start = async (): Promise<RunningProcess> => {
    const running = startProcess(
      requireServers().pebble,
      ['-config', configurationFile, '-dnsserver', options.dnsServer, ...strict],
      {
        env: {
          PEBBLE_WFE_NONCEREJECT: String(options.nonceReject ?? 5),
          PEBBLE_VA_NOSLEEP: options.noSleep === false ? '0' : '1',
          PEBBLE_ALTERNATE_ROOTS: String(options.alternateRoots ?? 0),
          PEBBLE_CHAIN_LENGTH: String(options.chainLength ?? 1),
          PEBBLE_AUTHZREUSE: options.authzReuse === undefined ? undefined : String(options.authzReuse),
          // A setting of the shell that would make every challenge valid without looking.
          PEBBLE_VA_ALWAYS_VALID: undefined,
        },
      },
    )
    await waitForPort(listenPort, running)
    await waitForPort(managementPort, running)
    return running
  }
  let server = await start()

  const managementUrl = `https://127.0.0.1:${managementPort}`
  const manage = (path: string, body?: string): Promise<HttpsAnswer> =>
    requestHttps(`${managementUrl}${path}`, body === undefined ? { caFile } : { caFile, method: 'POST', body })
  const pem = async (path: string): Promise<string> => {
    const answer = await manage(path)
    if (answer.status !== 200) throw new Error(`Pebble answered ${answer.status} to ${path}: ${answer.body}`)
    return answer.body
  }

  // Pebble 2.10 has locked itself up under twenty orders at once. The second address needs the lock of its database.
  const watchdog = startWatchdog({
    name: `Pebble on port ${listenPort}`,
    probe: () => Promise.all([requestHttps(`https://127.0.0.1:${listenPort}/dir`, { caFile }), manage(LOCKED_PATH)]),
    restart: async () => {
      await server.stop()
      server = await start()
      // Whoever is let end while servers run is let end while this one runs.
      leaveRunning()
    },
    intervalMs: options.watchMs ?? 10_000,
    misses: 3,
  })

  return {
    directoryUrl: `https://127.0.0.1:${listenPort}/dir`,
    managementUrl,
    origin: `https://127.0.0.1:${listenPort}`,
    caFile,
    tls: { certificateFile, keyFile },
    httpPort,
    tlsPort,
    get pid() {
      return server.pid
    },
    rootPem: (chain = 0) => pem(`/roots/${chain}`),
    intermediatePem: (chain = 0) => pem(`/intermediates/${chain}`),
    async certificateStatus(serialHex) {
      const answer = await manage(`/cert-status-by-serial/${serialHex.replaceAll(':', '').toLowerCase()}`)
      if (answer.status === 404) return null
      if (answer.status !== 200) throw new Error(`Pebble answered ${answer.status} about ${serialHex}: ${answer.body}`)
      const { Status, Serial, Certificate, Reason } = JSON.parse(answer.body) as PebbleCertificateStatus
      return { status: Status, serial: Serial, certificatePem: Certificate, reason: Reason }
    },
    async setRenewalInfo(certificatePem, ariResponse) {
      const body = JSON.stringify({ Certificate: certificatePem, ARIResponse: ariResponse })
      const answer = await manage('/set-renewal-info/', body)
      if (answer.status !== 200) throw new Error(`Pebble answered ${answer.status}: ${answer.body}`)
    },
    log: () => server.output(),
    async stop() {
      watchdog.stop()
      await server.stop()
      folder.remove()
    },
  }
}

const LOCKED_PATH = '/cert-status-by-serial/1'

interface PebbleCertificateStatus {
  readonly Status: 'Valid' | 'Revoked'
  readonly Serial: string
  readonly Certificate: string
  readonly Reason?: number
}

/** Pebble takes a profile's lifetime in seconds and 0 for its own default. */
function profilesOf(options: PebbleOptions): Record<string, unknown> {
  const profiles = options.profiles ?? {
    default: { description: 'The default profile', validitySeconds: options.validitySeconds ?? 0 },
  }
  return Object.fromEntries(
    Object.entries(profiles).map(([name, { description, validitySeconds, promoteCommonName }]) => [
      name,
      { description, validityPeriod: validitySeconds ?? 0, promoteCommonName: promoteCommonName ?? false },
    ]),
  )
}
