/**
 * How long an order takes, against the same Pebble and BIND as the peers: a name and its wildcard by dns-01, from the
 * request to the chain in hand. Does not measure a CA: Pebble validates at once and names no Retry-After.
 */
import { type AcmeSetup, startAcmeSetup } from '../test/support/acme-setup.ts'
import { finishedOrder } from '../test/support/service.ts'
import { installPeers, type Peer } from './peers.ts'
import { medianOf, type Row, type Table, timeMs, timesMs } from './table.ts'

const ROUNDS = 5
const ORDERS_IN_A_ROW = 20

/** Both tables, in one run and against the same servers. */
export async function benchOrders(): Promise<Table[]> {
  const setup = await startAcmeSetup({
    pebble: { nonceReject: 0, authzReuse: 0, retryAfter: { authz: 0, order: 0 } },
  })
  try {
    const product: Peer = { name: 'Certwright', order: (domains) => orderFrom(setup, domains) }
    const clients = [product, ...installPeers(setup.pebble, setup.bind)]
    // Accounts are registered and programs are read from disk before anything counts.
    for (const client of clients) await client.order(nextDomains())

    const single: Row[] = []
    for (const client of clients) {
      single.push({ name: client.name, samplesMs: await timesMs(ROUNDS, () => client.order(nextDomains())) })
    }
    const inARow: Row[] = []
    for (const client of [product, fastestOf(clients.slice(1), single)]) {
      inARow.push({ name: `${client.name}, one after the other`, samplesMs: [await timeMs(() => orderMany(client))] })
    }
    const atOnce = await timeMs(async () => {
      await Promise.all(Array.from({ length: ORDERS_IN_A_ROW }, () => product.order(nextDomains())))
    })
    inARow.push({ name: `${product.name}, all at once`, samplesMs: [atOnce] })
    return [
      { title: 'One order: a name and its wildcard, dns-01', rows: single },
      { title: `${ORDERS_IN_A_ROW} such orders`, rows: inARow },
    ]
  } finally {
    await setup.stop()
  }
}

/** As a caller of the API does it: order, look until it is done, fetch the chain. */
async function orderFrom(setup: AcmeSetup, domains: readonly string[]): Promise<void> {
  const order = await finishedOrder(setup.service, await setup.issue(domains))
  if (order.status !== 'valid') throw new Error(`the order failed: ${JSON.stringify(order.error)}`)
  const pem = await setup.service.api('GET', `/v1/pki/certificates/${order.certificate_id}/pem`)
  if (pem.status !== 200) throw new Error(`no chain: ${JSON.stringify(pem.body)}`)
}

async function orderMany(client: Peer): Promise<void> {
  for (let i = 0; i < ORDERS_IN_A_ROW; i += 1) await client.order(nextDomains())
}

/** The peer with the least median. */
function fastestOf(peers: readonly Peer[], rows: readonly Row[]): Peer {
  const timeOf = ({ name }: Peer): number => medianOf(rows.find((row) => row.name === name)?.samplesMs ?? [])
  const [fastest] = [...peers].sort((a, b) => timeOf(a) - timeOf(b))
  if (fastest === undefined) throw new Error('there is no peer')
  return fastest
}

let used = 0

/** Names that nobody has ordered yet: no authorization is reused, and no client renews. */
function nextDomains(): string[] {
  used += 1
  return [`bench${used}.acme.example`, `*.bench${used}.acme.example`]
}
