/** The client against a real Pebble: `fetch` that trusts Pebble's CA, waiting, CSRs and whole orders. */
import 'reflect-metadata'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { Readable } from 'node:stream'
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509'
import { type AcmeError, describeAcmeError } from '../../../src/acme/acme-error.ts'
import { dns01RecordName } from '../../../src/acme/challenge.ts'
import { type AcmeClient, createAcmeClient } from '../../../src/acme/client.ts'
import { dnsIdentifier } from '../../../src/acme/identifier.ts'
import type { CreatedOrder, NewOrder, Order } from '../../../src/acme/order.ts'
import { importSigningKey, type SigningKey } from '../../../src/acme/signing-key.ts'
import type { Bytes } from '../../../src/core/bytes.ts'
import { createHttpClient, type Fetch } from '../../../src/core/http-client.ts'
import type { Result } from '../../../src/core/result.ts'
import type { Bind } from '../../support/bind.ts'
import { createSigningKey } from '../../support/signing-key.ts'

interface Server {
  readonly directoryUrl: string
  readonly caFile: string
}

/** `fetch` as the product uses it, which trusts one more CA. */
function fetchTrusting(caFile: string): Fetch {
  const agent = new Agent({ ca: readFileSync(caFile) })
  return (url, init = {}) =>
    new Promise((resolve, reject) => {
      const headers = Object.fromEntries(new Headers(init.headers))
      const signal = init.signal ?? undefined
      const outgoing = request(url, { agent, method: init.method ?? 'GET', headers, signal }, (incoming) => {
        const status = incoming.statusCode ?? 0
        const answerHeaders = new Headers()
        for (const [name, values] of Object.entries(incoming.headersDistinct)) {
          for (const value of values ?? []) answerHeaders.append(name, value)
        }
        const empty = status === 204 || init.method === 'HEAD'
        if (empty) incoming.resume()
        const body = empty ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>)
        resolve(new Response(body, { status, headers: answerHeaders }))
      })
      outgoing.once('error', reject)
      outgoing.end(init.body)
    })
}

export interface ClientOptions {
  readonly accountKey?: SigningKey
  readonly accountUrl?: string | null
}

export async function pebbleClient(server: Server, options: ClientOptions = {}): Promise<AcmeClient> {
  return createAcmeClient({
    http: createHttpClient({
      fetch: fetchTrusting(server.caFile),
      allowPrivateTargets: true,
      userAgent: 'certwright-test/1',
    }),
    directoryUrl: server.directoryUrl,
    accountKey: options.accountKey ?? (await createSigningKey()).key,
    accountUrl: options.accountUrl ?? null,
    now: () => Date.now(),
    allowPrivateTargets: true,
  })
}

/** A client whose account exists. */
export async function registeredClient(server: Server, accountKey?: SigningKey): Promise<AcmeClient> {
  const client = await pebbleClient(server, accountKey === undefined ? {} : { accountKey })
  must(await client.newAccount({ termsOfServiceAgreed: true }))
  return client
}

/** The value, or an exception with the client's own sentence. */
export function must<T>(result: Result<T, AcmeError>): T {
  if (result.ok) return result.value
  throw new Error(`${describeAcmeError(result.error)} ${JSON.stringify(result.error)}`)
}

/** Asks until the answer is one of these, for ten seconds at most. */
export async function until<T extends { readonly status: string }>(
  ask: () => Promise<Result<T, AcmeError>>,
  statuses: readonly string[],
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    const value = must(await ask())
    if (statuses.includes(value.status)) return value
    if (attempt >= 100) throw new Error(`still ${value.status}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

export interface Csr {
  readonly csrDer: Bytes
  readonly certificateKey: SigningKey
}

export async function makeCsr(names: readonly string[]): Promise<Csr> {
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
  })
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  const certificateKey = await importSigningKey(pkcs8)
  if (!certificateKey.ok) throw new Error(certificateKey.error)
  return { csrDer: new Uint8Array(request.rawData), certificateKey: certificateKey.value }
}

/** Answers every pending authorization of the order by dns-01 and waits until each is valid. */
export async function authorizeByDns(client: AcmeClient, bind: Bind, order: Order): Promise<void> {
  for (const url of order.authorizationUrls) {
    const authorization = must(await client.authorization(url))
    if (authorization.status === 'valid') continue
    const challenge = authorization.challenges.find(({ type }) => type === 'dns-01')
    if (challenge?.type !== 'dns-01') throw new Error('no dns-01')
    const value = await client.dns01Value(challenge.token)
    await bind.addRecord(dns01RecordName(authorization.identifier.value), 'TXT', value)
    must(await client.respond(challenge.url))
    const done = await until(() => client.authorization(url), ['valid', 'invalid'])
    if (done.status !== 'valid') throw new Error(JSON.stringify(done))
  }
}

export interface Issued extends Csr {
  readonly created: CreatedOrder
  readonly order: Order
}

/** A whole order: dns-01, CSR, finalize, wait. */
export async function issue(
  client: AcmeClient,
  bind: Bind,
  names: readonly string[],
  more: Omit<NewOrder, 'identifiers'> = {},
): Promise<Issued> {
  const created = must(await client.newOrder({ identifiers: names.map(dnsIdentifier), ...more }))
  await authorizeByDns(client, bind, created.order)
  const ready = await until(() => client.order(created.orderUrl), ['ready'])
  const csr = await makeCsr(names)
  must(await client.finalize(ready.finalizeUrl, csr.csrDer))
  const order = await until(() => client.order(created.orderUrl), ['valid', 'invalid'])
  return { ...csr, created, order }
}
