/** BIND, Pebble and the product, ready to order: the provider and the account of the tutorial's first steps. */
import { type Bind, startBind } from './bind.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type Pebble, type PebbleOptions, startPebble } from './pebble.ts'
import { type Service, type ServiceOptions, startService } from './service.ts'

export interface AcmeSetup {
  readonly bind: Bind
  readonly pebble: Pebble
  readonly service: Service
  readonly accountId: string
  readonly providerId: string
  /** Orders names by dns-01; the order's id. */
  issue(domains: readonly string[], more?: Readonly<Record<string, unknown>>): Promise<string>
  stop(): Promise<void>
}

export interface AcmeSetupOptions {
  readonly zones?: readonly string[]
  readonly pebble?: Partial<PebbleOptions>
  readonly service?: ServiceOptions
  /** The directory to register with, where it is not Pebble's own. */
  readonly directoryUrl?: (pebble: Pebble) => Promise<string>
  /** Fields of the account over the usual ones. */
  readonly account?: Readonly<Record<string, unknown>>
  /** Settings of the DNS provider over the usual ones. */
  readonly provider?: (bind: Bind) => Readonly<Record<string, unknown>>
}

export async function startAcmeSetup(options: AcmeSetupOptions = {}): Promise<AcmeSetup> {
  const zones = options.zones ?? ['acme.example']
  const bind = await startBind({ zones })
  const pebble = await startPebble({ dnsServer: bind.address, ...options.pebble })
  const service = await startService({ caFile: pebble.caFile, ...options.service })
  const directoryUrl = (await options.directoryUrl?.(pebble)) ?? pebble.directoryUrl
  const providerId = await createBindProvider(service, bind, zones, options.provider?.(bind))
  const account = await service.api('POST', '/v1/pki/acme/accounts', {
    name: 'pebble',
    provider: 'custom',
    environment: 'staging',
    email: 'certs@acme.example',
    directory_url: directoryUrl,
    ...options.account,
  })
  if (account.status !== 201) throw new Error(`no account: ${JSON.stringify(account.body)}\n${service.output()}`)
  return {
    bind,
    pebble,
    service,
    accountId: account.body.id,
    providerId,
    async issue(domains, more = {}) {
      const body = { account_id: account.body.id, domains, challenge_type: 'dns-01', ...more }
      const order = await service.api('POST', '/v1/pki/acme/issue', body)
      if (order.status !== 202) throw new Error(`no order: ${JSON.stringify(order.body)}`)
      return order.body.order_id
    },
    async stop() {
      await service.stop()
      await pebble.stop()
      await bind.stop()
    },
  }
}

/** The setup with a proxy that does wrong between the product and Pebble; no authorization is used twice. */
export async function startFaultySetup(): Promise<AcmeSetup & { readonly proxy: FaultProxy }> {
  let proxy: FaultProxy | null = null
  const setup = await startAcmeSetup({
    directoryUrl: async (pebble) => {
      proxy = await startFaultProxy(pebble)
      return proxy.directoryUrl
    },
    pebble: { authzReuse: 0 },
  })
  const started = proxy as FaultProxy | null
  if (started === null) throw new Error('the proxy was not started')
  return {
    ...setup,
    proxy: started,
    async stop() {
      await setup.stop()
      await started.stop()
    },
  }
}

/** A provider for BIND's zones, by the tutorial's body. */
export async function createBindProvider(
  service: Service,
  bind: Bind,
  zones: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
  name = 'bind',
): Promise<string> {
  const [key] = bind.tsigKeys
  const provider = await service.api('POST', '/v1/dns/providers', {
    name,
    provider_type: 'rfc2136',
    credentials: {
      nameserver: bind.address,
      tsig_key: key?.name,
      tsig_algorithm: key?.algorithm,
      tsig_secret: key?.secret,
      nameservers: [bind.address],
      ...more,
    },
    managed_zones: zones,
    verify: true,
  })
  if (provider.status !== 201) throw new Error(`no provider: ${JSON.stringify(provider.body)}\n${service.output()}`)
  return provider.body.id
}
