/** A started service whose tenant has one of everything, with a real CA, a real name server and a receiver of webhooks. */
import { type AcmeSetup, startAcmeSetup } from '../acme-setup.ts'
import { eventually, finishedOrder, orderAtOwner, type Service } from '../service.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../webhook-receiver.ts'
import { type FilledTenant, fillTenant, type Surroundings } from './filled-tenant.ts'

export interface FilledService {
  readonly service: Service
  readonly own: FilledTenant
  stop(): Promise<void>
}

const MARK = 'mark'

/** As many as the routes take that import a zone or use one up. */
const ZONES = Array.from({ length: 24 }, (_, index) => `zone-${index}.example`)
const PROVIDER_ZONES = [`${MARK}.example.net`, ...ZONES]

/** The tenant of the first admin token, which is also the operator's. */
const DEFAULT_TENANT = 'ten_00000000000000000000000000'

export async function startFilledService(): Promise<FilledService> {
  const receiver = await startWebhookReceiver({})
  const setup = await startAcmeSetup({ zones: ['acme.example', ...PROVIDER_ZONES] })
  const stop = async () => {
    await setup.stop()
    await receiver.stop()
  }
  try {
    const own = await fillTenant(surroundings(setup, receiver), DEFAULT_TENANT, setup.service.token, MARK)
    return { service: setup.service, own, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function surroundings({ service, bind, pebble, issue }: AcmeSetup, receiver: WebhookReceiver): Surroundings {
  let zones = 0
  let certificates = 0
  return {
    async request(method, path, { token, body }) {
      const answer = await service.api(method, path, body, { token })
      return { status: answer.status, json: answer.body, text: JSON.stringify(answer.body) }
    },
    directoryUrl: pebble.directoryUrl,
    nowMs: () => Date.now(),
    challengeOf: async (_own, orderId) => (await orderAtOwner(service, orderId)).challenges[0].id,
    async acmeCertificate({ account }) {
      certificates += 1
      const order = await issue([`filled-${certificates}.acme.example`], { account_id: account })
      return (await finishedOrder(service, order)).certificate_id
    },
    async newTenant() {
      return (await service.api('POST', '/v1/tenants', { name: 'another', plan: 'pro' })).body.id
    },
    // The name server shows what is written: importing a zone has verified it.
    verified: async () => undefined,
    // No http-01 challenge waits to be answered here.
    httpToken: async () => 'unknown',
    provider() {
      const [key] = bind.tsigKeys
      const tsig = { tsig_key: key?.name, tsig_algorithm: key?.algorithm, tsig_secret: key?.secret }
      const credentials = { nameserver: bind.address, nameservers: [bind.address], ...tsig }
      return { type: 'rfc2136', credentials, managed_zones: PROVIDER_ZONES }
    },
    hookUrl: receiver.url(''),
    // The tenant's ACME certificate is issued after its subscription was made.
    deliveryOf: (_own, subscriptionId) =>
      eventually(
        async () =>
          (await service.api('GET', `/v1/subscriptions/${subscriptionId}/deliveries`)).body.data[0]?.id ?? null,
        60_000,
        'a delivery',
      ),
    zoneName() {
      zones += 1
      const name = ZONES[zones - 1]
      if (name === undefined) throw new Error('more zones were asked for than the name server has')
      return name
    },
  }
}
