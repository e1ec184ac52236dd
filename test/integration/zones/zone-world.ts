/** Zones and certificates on them, over the real store: a provider whose zones are in memory, and a name server that shows them. */

import type { ZoneChange, ZoneObject } from '../../../src/challenges/zone-object.ts'
import type { PeerFailure } from '../../../src/core/peer-failure.ts'
import { err, ok, type Result } from '../../../src/core/result.ts'
import { fakeDns, record, zoneServer } from '../../support/fake-dns.ts'
import { failure, OrderWorld } from '../orders/scripted-order.ts'
import { bindings } from '../support/bindings.ts'
import type { TestAnswer, TestApp } from '../support/worker-app.ts'

const SERVER = '198.51.100.53:53'

export class ZoneWorld {
  readonly orders: OrderWorld
  /** What stands in the provider's zones: `_certwright-verify.acme.net value`. */
  readonly records = new Set<string>()
  /** Every change that the provider was asked for. */
  readonly changes: ZoneChange[] = []
  /** The zones that the credentials open. */
  served: readonly string[] = []
  /** Does the name server show what stands there? */
  isVisible = true
  /** In the place of what a change does. */
  beforeChange: (change: ZoneChange) => Promise<Result<void, PeerFailure> | null> = async () => null

  private constructor(orders: OrderWorld) {
    this.orders = orders
  }

  static async begin(): Promise<ZoneWorld> {
    const world = new ZoneWorld(await OrderWorld.begin())
    const dns = fakeDns({ servers: { [SERVER]: (name, type) => world.#server()(name, type) } })
    Object.assign(world.app.deps, { zones: () => world.#object, http: dns.context.http, connect: dns.context.connect })
    return world
  }

  get app(): TestApp {
    return this.orders.app
  }

  readonly #object: ZoneObject = {
    findZone: async ({ name }) => {
      const zone = this.served.find((each) => name === each || name.endsWith(`.${each}`))
      return zone === undefined ? err(failure(`no zone holds ${name}`, { transient: false })) : ok(zone)
    },
    apply: async (change) => {
      this.changes.push(change)
      const instead = await this.beforeChange(change)
      if (instead !== null) return instead
      for (const { name, value } of change.records) {
        if (change.kind === 'present') this.records.add(`${name} ${value}`)
        else this.records.delete(`${name} ${value}`)
      }
      return ok(undefined)
    },
  }

  #server() {
    const [zone = 'nowhere.net'] = this.served
    const shown = this.isVisible ? [...this.records] : []
    const records = shown.map((each) => record(each.split(' ')[0] ?? '', 'TXT', each.split(' ')[1] ?? ''))
    return zoneServer(zone, records)
  }

  /** A DNS provider of the tenant; its id. */
  async addProvider(more: Readonly<Record<string, unknown>> = {}, token?: string): Promise<string> {
    const body = {
      name: `provider ${crypto.randomUUID()}`,
      type: 'hetzner',
      config: { nameservers: SERVER },
      credentials: { api_token: 'token' },
      ...more,
    }
    const answer = await this.app.request('POST', '/v1/dns/providers', {
      body,
      ...(token === undefined ? {} : { token }),
    })
    if (answer.status !== 201) throw new Error(answer.text)
    return answer.json.id
  }

  importZone(name: string, dns_provider_id: string, token?: string): Promise<TestAnswer> {
    const body = { name, dns_provider_id }
    return this.app.request('POST', '/v1/zones', { body, ...(token === undefined ? {} : { token }) })
  }
}

/** Events of the journal about a resource, oldest first. */
export async function eventsOf(resource: string): Promise<readonly string[]> {
  const { results } = await bindings.DB.prepare('SELECT event FROM journal WHERE resource = ? ORDER BY seq')
    .bind(resource)
    .all<{ event: string }>()
  return results.map(({ event }) => event)
}
