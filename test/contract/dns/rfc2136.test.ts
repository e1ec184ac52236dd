/** The contract against a real BIND. */
import { afterAll, beforeAll } from 'vitest'
import { createHttpClient } from '../../../src/core/http-client.ts'
import type { TcpConnect } from '../../../src/core/tcp.ts'
import type { DnsProvider } from '../../../src/dns/dns-provider.ts'
import { RFC2136 } from '../../../src/dns/rfc2136/descriptor.ts'
import { type Bind, startBind } from '../../support/bind.ts'
import { connectWithNode } from '../../support/node-tcp.ts'
import { CONTRACT_ZONES, describeDnsProvider, type ProviderUnderTest } from './describe-dns-provider.ts'

let bind: Bind

beforeAll(async () => {
  bind = await startBind({ zones: CONTRACT_ZONES })
})

afterAll(() => bind.stop())

const WRONG_SECRET = 'd3Jvbmctc2VjcmV0LXdyb25nLXNlY3JldC13cm9uZw=='

/** Takes everything and answers nothing. */
const connectToSilence: TcpConnect = () => ({
  readable: new ReadableStream<Uint8Array>(),
  writable: new WritableStream<Uint8Array>(),
  close: async () => undefined,
})

function build(secret: string, connect: TcpConnect): DnsProvider {
  const key = bind.tsigKeys[0]
  const settings = { nameserver: bind.address, tsig_key: key?.name ?? '', tsig_secret: secret }
  const http = createHttpClient({ fetch, allowPrivateTargets: true, userAgent: 'test' })
  const created = RFC2136.create(settings, { http, connect, now: Date.now, allowPrivateTargets: true })
  if (!created.ok) throw new Error(created.error)
  return created.value
}

async function make(): Promise<ProviderUnderTest> {
  const secret = bind.tsigKeys[0]?.secret ?? ''
  for (const name of ['www.example.test', 'example.test', 'deep.example.test']) {
    await bind.removeRecord(`_acme-challenge.${name}`, 'TXT')
  }
  return {
    provider: build(secret, connectWithNode),
    refused: build(WRONG_SECRET, connectWithNode),
    stalled: build(secret, connectToSilence),
    secrets: [secret, WRONG_SECRET],
    values: (name) => bind.txt(name),
    addForeign: (name, value) => bind.addRecord(name, 'TXT', value),
  }
}

describeDnsProvider('rfc2136', make, { listed: null, hasRateLimit: false })
