/**
 * `npm run demo`: the main job on real input, from nothing. A real ACME server (Pebble) and a real name server (BIND) on
 * loopback, the service, then the wildcard tutorial over the HTTP API and a private CA. Leaves it all running until it is stopped;
 * `npm run demo -- --once` ends it.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Bind, startBind } from '../test/support/bind.ts'
import { verifyChain } from '../test/support/chain.ts'
import { type Pebble, startPebble } from '../test/support/pebble.ts'
import { type Service, startService } from '../test/support/service.ts'
import { internalPki } from './demo-internal-pki.ts'
import { requireServers } from './install-servers.ts'

const DOMAINS = ['*.acme.example', 'acme.example']
const POLL_MS = 500

const once = process.argv.includes('--once')
const say = (line: string): void => console.info(line)

try {
  requireServers()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
say('Starting a name server (BIND) for acme.example and an ACME server (Pebble) on loopback …')
const bind = await startBind({ zones: ['acme.example'] })
const pebble = await startPebble({ dnsServer: bind.address })
say(`  BIND on ${bind.address}, Pebble at ${pebble.directoryUrl}`)
say('Starting Certwright …')
const service = await startService({
  caFile: pebble.caFile,
  stateDir: mkdtempSync(join(tmpdir(), 'certwright-demo-')),
  port: Number(process.env.PORT ?? 8787),
})
say(`  API on ${service.url}, reference on ${service.url}/v1/docs`)
say(`  token: ${service.token}`)

let failed = false
try {
  await wildcard(service, bind, pebble)
  await internalPki(service, say)
} catch (error) {
  failed = true
  console.error(error instanceof Error ? error.message : error)
}

if (once || failed) {
  await stop()
  process.exit(failed ? 1 : 0)
}
say('\nEverything is left running; Ctrl-C ends it.')
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void stop().finally(() => process.exit(0))
  })
}
// The servers are child processes that hold nothing of this one: keep it alive until a signal comes.
setInterval(() => undefined, 3_600_000)

async function stop(): Promise<void> {
  await service.stop()
  await pebble.stop()
  await bind.stop()
}

/** The steps of the wildcard tutorial. */
async function wildcard({ api }: Service, nameServer: Bind, ca: Pebble): Promise<void> {
  const [key] = nameServer.tsigKeys
  say('\n1. Store the credentials of the zone, and configure the DNS provider with them')
  await expectStatus(
    201,
    api('PUT', '/v1/secrets/infra/bind/acme', { data: { tsig_secret: key?.secret }, secret_type: 'json' }),
  )
  const provider = await expectStatus(
    201,
    api('POST', '/v1/dns/providers', {
      name: 'bind',
      provider_type: 'rfc2136',
      credentials: {
        nameserver: nameServer.address,
        nameservers: [nameServer.address],
        tsig_key: key?.name,
        tsig_secret_path: 'infra/bind/acme',
      },
      managed_zones: ['acme.example', '*.acme.example'],
      verify: true,
    }),
  )
  say(`   provider ${provider.id}: the server accepts the key for acme.example`)

  say('2. Register an account at the CA')
  const account = await expectStatus(
    201,
    api('POST', '/v1/pki/acme/accounts', {
      name: 'demo',
      provider: 'custom',
      email: 'certs@acme.example',
      directory_url: ca.directoryUrl,
    }),
  )
  say(`   account ${account.id}: ${account.account_url}`)

  say(`3. Order ${DOMAINS.join(' with ')}`)
  const ordered = await expectStatus(
    202,
    api('POST', '/v1/pki/acme/issue', { account_id: account.id, domains: DOMAINS, challenge_type: 'dns-01' }),
  )
  const order = await followOrder(api, ordered.order_id)
  const pem = await expectStatus(200, api('GET', `/v1/pki/certificates/${order.certificate_id}/pem`))
  const problems = await verifyChain(ca, pem.certificate_pem, DOMAINS)
  if (problems.length > 0) throw new Error(problems.join('\n'))
  say(
    `   certificate ${order.certificate_id}: openssl verifies it for ${DOMAINS.join(' and ')}, up to the root of the CA`,
  )
  const left = await nameServer.txt('_acme-challenge.acme.example')
  if (left.length > 0) throw new Error(`records were left in the zone: ${left.join(', ')}`)
  say('   no TXT record is left in the zone')

  say('4. Renew it now')
  const renewal = await expectStatus(202, api('POST', `/v1/pki/certificates/${order.certificate_id}/renew`))
  await followOrder(api, renewal.order_id)
  const renewed = await expectStatus(200, api('GET', `/v1/pki/certificates/${order.certificate_id}`))
  say(`   version ${renewed.version} under the same id, due again at ${renewed.next_renewal_at}`)
}

/** Tells what an order does until its end. */
// biome-ignore lint/suspicious/noExplicitAny: answers have the shape that the API reference gives.
async function followOrder(api: Service['api'], orderId: string): Promise<any> {
  let told = 0
  for (;;) {
    const order = await expectStatus(200, api('GET', `/v1/pki/acme/orders/${orderId}`))
    for (const line of order.log.slice(told)) say(`   ${line.message}`)
    told = order.log.length
    if (order.status === 'valid') return order
    if (order.status === 'invalid') throw new Error(`the order failed: ${order.error.message}`)
    await sleep(POLL_MS)
  }
}

// biome-ignore lint/suspicious/noExplicitAny: answers have the shape that the API reference gives.
async function expectStatus(status: number, answer: ReturnType<Service['api']>): Promise<any> {
  const { status: got, body } = await answer
  if (got !== status) throw new Error(`the API answered ${got}: ${JSON.stringify(body)}`)
  return body
}
