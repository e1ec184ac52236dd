import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Responder } from '../../../src/agent/responder.ts'
import { freePort } from '../../support/ports.ts'
import { base64Of, challengePair, idleConnection, presented } from './support.ts'

let responder: Responder
let http: string
let tlsPort: number

beforeEach(async () => {
  responder = new Responder()
  await responder.start({ address: '127.0.0.1', httpPort: 0, tlsPort: 0 })
  const [httpPort = 0, port = 0] = responder.ports
  http = `http://127.0.0.1:${httpPort}/.well-known/acme-challenge`
  tlsPort = port
})
afterEach(() => responder.stop())

describe('Responder', () => {
  it('ok: key authorizations until they are withdrawn (RFC 8555 §8.3)', async () => {
    const withdraw = responder.serveToken('token-1', 'token-1.thumbprint')
    const answer = await fetch(`${http}/token-1`)
    expect([answer.status, await answer.text()]).toEqual([200, 'token-1.thumbprint'])
    expect((await fetch(`${http}/token-1`, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(`${http}/token-1`, { method: 'POST' })).status).toBe(404)
    withdraw()
    expect((await fetch(`${http}/token-1`)).status).toBe(404)
  })

  it('fail: nothing else is told over HTTP', async () => {
    responder.serveToken('token-1', 'token-1.thumbprint')
    for (const path of ['', '/', '/token-2', '/token-1/', '/../token-1', '/constructor', '/__proto__']) {
      expect((await fetch(`${http}${path}`)).status, path).toBe(404)
    }
  })

  it('ok: the certificate of a name, in any case, until it is withdrawn (RFC 8737 §3)', async () => {
    const pair = await challengePair('www.acme.example', 'a')
    const withdraw = responder.serveName('WWW.acme.example', pair.certificatePem, pair.privateKeyPem)
    expect(await presented(tlsPort, 'www.ACME.example')).toBe(base64Of(pair.certificatePem))
    withdraw()
    expect(await presented(tlsPort, 'www.acme.example')).toBeNull()
  })

  it('ok: withdrawing takes back what was given, not what has taken its place', async () => {
    const [before, after] = [await challengePair('a.example', '1'), await challengePair('a.example', '2')]
    const withdraw = responder.serveName('a.example', before.certificatePem, before.privateKeyPem)
    responder.serveName('a.example', after.certificatePem, after.privateKeyPem)
    withdraw()
    expect(await presented(tlsPort, 'a.example')).toBe(base64Of(after.certificatePem))
  })

  it('fail: other names and other protocols are refused', async () => {
    const pair = await challengePair('a.example', '1')
    responder.serveName('a.example', pair.certificatePem, pair.privateKeyPem)
    expect(await presented(tlsPort, 'b.example')).toBeNull()
    expect(await presented(tlsPort, 'a.example', ['http/1.1'])).toBeNull()
  })

  it('ok: stops although somebody holds a connection open', async () => {
    const sockets = await Promise.all(responder.ports.map((port) => idleConnection(port)))
    const closed = sockets.map(
      (socket) => new Promise((resolve) => socket.on('error', resolve).once('close', () => resolve(null))),
    )
    await responder.stop()
    await Promise.all(closed)
    expect(responder.ports).toEqual([])
  })

  it('fail: a port that is taken, and the other one is given back', async () => {
    const other = new Responder()
    const httpPort = await freePort()
    await expect(other.start({ address: '127.0.0.1', httpPort, tlsPort })).rejects.toThrow(`port ${tlsPort}`)
    expect(other.ports).toEqual([])
    await expect(fetch(`http://127.0.0.1:${httpPort}/`)).rejects.toThrow()
  })

  it('ok: without an address it answers on every one, IPv4 among them', async () => {
    const everywhere = new Responder()
    await everywhere.start({ address: null, httpPort: 0, tlsPort: null })
    expect((await fetch(`http://127.0.0.1:${everywhere.ports[0]}/`)).status).toBe(404)
    await everywhere.stop()
  })
})
