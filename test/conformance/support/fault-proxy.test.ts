/** The proxy that other tests rely on does each fault, as often as told, and nothing without a rule. */

import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts'
import { type HttpsAnswer, readFirstBytes, requestHttps } from '../../support/https-request.ts'
import { startPebble } from '../../support/pebble.ts'
import { portOf } from '../../support/ports.ts'
import { makeServerCertificate, type ServerCertificate } from '../../support/server-certificate.ts'
import { makeTempFolder } from '../../support/temp-folder.ts'

const ORDER = { status: 'valid', finalize: 'https://ca.example/finalize/1', certificate: 'https://ca.example/cert/1' }
const DIRECTORY = { newNonce: 'https://ca.example/nonce' }

describe('the fault proxy', () => {
  const folder = makeTempFolder('fault-proxy')
  let certificate: ServerCertificate
  let server: Server
  let arrived: string[] = []
  let proxy: FaultProxy

  beforeAll(async () => {
    certificate = await makeServerCertificate(folder.path)
    const { certificateFile, keyFile } = certificate
    server = createServer({ cert: readFileSync(certificateFile), key: readFileSync(keyFile) }, (incoming, outgoing) => {
      arrived.push(`${incoming.method} ${incoming.url}`)
      const bodies: Record<string, unknown> = {
        '/dir': DIRECTORY,
        '/order/1': ORDER,
        '/order/2': { ...ORDER, status: 'ready' },
      }
      outgoing.writeHead(200, { 'content-type': 'application/json', 'replay-nonce': `nonce-${arrived.length}` })
      outgoing.end(JSON.stringify(bodies[incoming.url ?? ''] ?? { host: incoming.headers.host }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => {
    server.close()
    server.closeAllConnections()
    folder.remove()
  })
  beforeEach(async () => {
    arrived = []
    proxy = await startFaultProxy({
      origin: `https://127.0.0.1:${portOf(server)}`,
      caFile: certificate.caFile,
      tls: certificate,
    })
  })
  afterEach(() => proxy.stop())

  const get = (path: string): Promise<HttpsAnswer> => requestHttps(`${proxy.origin}${path}`, certificate)
  const post = (path: string): Promise<HttpsAnswer> =>
    requestHttps(`${proxy.origin}${path}`, { ...certificate, method: 'POST', body: '{}' })
  const statusOf = (answer: HttpsAnswer): unknown => (JSON.parse(answer.body) as { status: unknown }).status

  it('ok: without rules the answer and the Host header pass unchanged', async () => {
    const answer = await get('/any?a=1')
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.body)).toEqual({ host: new URL(proxy.origin).host })
    expect(answer.headers['replay-nonce']).toBe('nonce-1')
    expect(proxy.seen).toEqual([{ method: 'GET', path: '/any?a=1', status: 200, fault: null }])
  })

  it('ok: a rule counts only what matches method and path, from the n-th on, so many times', async () => {
    proxy.add({ path: /^\/a/, method: 'POST', from: 2, times: 2, fault: { kind: 'answer', status: 500, body: 'no' } })
    const statuses: number[] = []
    for (const send of [post, get, post, get, post, post]) statuses.push((await send('/a')).status)
    expect(statuses).toEqual([200, 200, 500, 200, 500, 200])
    expect((await post('/b')).status).toBe(200)
  })

  it('ok: a rule about every second request counts each path by itself', async () => {
    proxy.add({ path: /^\/[ab]/, everySecondOfPath: true, fault: { kind: 'answer', status: 500, body: 'no' } })
    const statuses: number[] = []
    for (const path of ['/a', '/b', '/a', '/a', '/b', '/a']) statuses.push((await get(path)).status)
    expect(statuses).toEqual([500, 500, 200, 500, 200, 200])
  })

  it('fail: a connection dropped before the server hears of it', async () => {
    proxy.add({ path: /^\/a/, fault: { kind: 'drop-before' } })
    await expect(post('/a')).rejects.toThrow(/socket hang up|ECONNRESET/)
    expect(arrived).toEqual([])
  })

  it('fail: a connection dropped after the server has done its work', async () => {
    proxy.add({ path: /^\/a/, fault: { kind: 'drop-after' } })
    await expect(post('/a')).rejects.toThrow(/socket hang up|ECONNRESET/)
    expect(arrived).toEqual(['POST /a'])
    expect(proxy.seen).toEqual([{ method: 'POST', path: '/a', status: null, fault: 'drop-after' }])
  })

  it('fail: a rate limit with Retry-After in seconds and as a date', async () => {
    proxy.add({ path: /a/, fault: { kind: 'rate-limited', retryAfter: 7 } })
    proxy.add({ path: /a/, fault: { kind: 'rate-limited', retryAfter: new Date('2030-01-02T03:04:05Z') } })
    const first = await get('/a')
    const second = await get('/a')
    expect([first.status, first.headers['retry-after']]).toEqual([429, '7'])
    expect([second.status, second.headers['retry-after']]).toEqual([429, 'Wed, 02 Jan 2030 03:04:05 GMT'])
    expect(JSON.parse(first.body)).toMatchObject({ type: 'urn:ietf:params:acme:error:rateLimited' })
  })

  it('fail: a storm of badNonce, each with a fresh nonce of the server', async () => {
    proxy.add({ path: /^\/a/, times: 3, fault: { kind: 'bad-nonce' } })
    const answers = [await post('/a'), await post('/a'), await post('/a'), await post('/a')]
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 200])
    expect(JSON.parse(answers[0]?.body ?? '')).toMatchObject({ type: 'urn:ietf:params:acme:error:badNonce' })
    expect(answers.map(({ headers }) => headers['replay-nonce'])).toEqual(['nonce-2', 'nonce-4', 'nonce-6', 'nonce-7'])
    expect(arrived.at(-1)).toBe('POST /a')
  })

  it('fail: a body that is not what its headers say', async () => {
    proxy.add({ path: /dir/, fault: { kind: 'replace-body', body: '{"newNonce": ', contentType: 'text/html' } })
    const answer = await get('/dir')
    expect([answer.status, answer.headers['content-type'], answer.body]).toEqual([200, 'text/html', '{"newNonce": '])
  })

  it('fail: an endless body stops when nobody reads it', async () => {
    const lengthBytes = 100_000_000
    proxy.add({ path: /dir/, fault: { kind: 'stream-body', lengthBytes } })
    expect(await readFirstBytes(`${proxy.origin}/dir`, certificate)).toBeGreaterThan(0)
    await get('/a')
    const sent = proxy.streamedBytes()
    expect(sent).toBeGreaterThan(0)
    expect(sent).toBeLessThan(lengthBytes)
    await get('/a')
    expect(proxy.streamedBytes()).toBe(sent)
  })

  it('ok: a body of a hundred megabytes arrives where it is read', async () => {
    proxy.add({ path: /dir/, fault: { kind: 'stream-body', lengthBytes: 100_000_000 } })
    expect((await get('/dir')).body.length).toBeGreaterThanOrEqual(100_000_000)
  })

  it('ok: a delayed request is passed on after a later one', async () => {
    proxy.add({ path: /a/, fault: { kind: 'delay', durationMs: 200 } })
    const delayed = get('/a')
    await vi.waitUntil(() => proxy.seen.length === 1)
    await get('/b')
    expect((await delayed).status).toBe(200)
    expect(arrived).toEqual(['GET /b', 'GET /a'])
  })

  it('ok: a finalized order is held in processing for n polls; other orders and answers are not counted', async () => {
    proxy.add({ path: /./, times: 2, fault: { kind: 'hold-processing' } })
    expect(statusOf(await post('/order/2'))).toBe('ready')
    await get('/dir')
    const held = await post('/order/1')
    expect(JSON.parse(held.body)).toEqual({ status: 'processing', finalize: ORDER.finalize })
    expect(statusOf(await post('/order/1'))).toBe('processing')
    expect(JSON.parse((await post('/order/1')).body)).toEqual(ORDER)
  })

  it('fail: an order is turned invalid with a problem', async () => {
    const problem = { type: 'urn:ietf:params:acme:error:caa', detail: 'forbidden', status: 403 }
    proxy.add({ path: /order/, times: Number.POSITIVE_INFINITY, fault: { kind: 'turn-invalid', problem } })
    await post('/order/1')
    expect(JSON.parse((await post('/order/1')).body)).toEqual({
      status: 'invalid',
      finalize: ORDER.finalize,
      error: problem,
    })
  })

  it('ok: cleared rules do nothing', async () => {
    proxy.add({ path: /./, fault: { kind: 'answer', status: 503 } })
    proxy.clear()
    expect((await get('/a')).status).toBe(200)
  })

  it("ok: Pebble's own URLs lead through the proxy", async () => {
    const pebble = await startPebble({ dnsServer: '127.0.0.1:9' })
    const inFront = await startFaultProxy(pebble)
    const directory = JSON.parse((await requestHttps(inFront.directoryUrl, pebble)).body) as Record<string, string>
    expect(directory.newOrder).toMatch(new RegExp(`^${inFront.origin}/`))
    const nonce = await requestHttps(directory.newNonce ?? '', { ...pebble, method: 'HEAD' })
    expect(nonce.headers['replay-nonce']).toMatch(/^[\w-]+$/)
    await inFront.stop()
    await pebble.stop()
  })
})
