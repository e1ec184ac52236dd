/** TLS with certificates of the internal PKI on both sides, and CRLs on both: it works until one of them is revoked. */
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PkiSetup, startPkiSetup } from '../support/pki-setup.ts'
import type { ApiAnswer } from '../support/service.ts'

type Issued = ApiAnswer['body']
let pki: PkiSetup
let cas: readonly string[]

beforeAll(async () => {
  pki = await startPkiSetup()
  const root = await pki.createCa('tls-root')
  const intermediate = await pki.createCa('tls-sub', { parent_ca_id: root.id })
  await pki.createRole('servers', intermediate.id, { client_auth: false })
  await pki.createRole('clients', intermediate.id, { server_auth: false })
  cas = [root.id, intermediate.id]
})
afterAll(() => pki?.service.stop())

const credentials = (issued: Issued, crl: readonly string[]) => ({
  cert: issued.certificate + issued.ca_chain[0],
  key: issued.private_key,
  ca: issued.ca_chain[1],
  crl: [...crl],
})

/** What both sides make of each other: `ok`, or the errors that they name. */
async function handshake(server: Issued, client: Issued): Promise<string> {
  const crls = await Promise.all(cas.map((id) => pki.crlPem(id)))
  const errors: string[] = []
  const judged = Promise.withResolvers<void>()
  // Node ends what it refuses without a word: so it is asked for the reason here, and refuses then.
  const asked = { requestCert: true, rejectUnauthorized: false }
  const listening = createServer({ ...credentials(server, crls), ...asked }, (socket) => {
    if (!socket.authorized) errors.push(`server: ${socket.authorizationError}`)
    socket.on('error', () => undefined)
    socket.end(socket.authorized ? 'hello' : '')
    judged.resolve()
  })
  listening.on('tlsClientError', () => judged.resolve())
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  const { port } = listening.address() as AddressInfo
  const options = { ...credentials(client, crls), port, host: '127.0.0.1', servername: 'server.svc.internal' }
  const socket = connect(options)
  let heard = ''
  socket.on('data', (data) => {
    heard += data.toString()
  })
  socket.on('error', (error) => errors.push(`client: ${error.message}`))
  await new Promise((resolve) => socket.once('close', resolve))
  await judged.promise
  listening.close()
  return heard === 'hello' ? 'ok' : errors.join('; ')
}

describe('a handshake with certificates on both sides', () => {
  it('ok: before, fail: after the client’s is revoked', async () => {
    const server = await pki.issue('servers', 'server.svc.internal')
    const client = await pki.issue('clients', 'client.svc.internal')
    expect(await handshake(server, client)).toBe('ok')
    await pki.call(200, 'POST', '/v1/pki/revoke', { certificate_id: client.id, reason: 'key_compromise' })
    expect(await handshake(server, client)).toMatch(/revoked/i)
    const other = await pki.issue('clients', 'other.svc.internal')
    expect(await handshake(server, other)).toBe('ok')
  })

  it('ok: again, when a hold of the server’s is lifted', async () => {
    const server = await pki.issue('servers', 'server.svc.internal')
    const client = await pki.issue('clients', 'client.svc.internal')
    await pki.call(200, 'POST', '/v1/pki/revoke', { certificate_id: server.id, reason: 'certificate_hold' })
    expect(await handshake(server, client)).toMatch(/revoked/i)
    await pki.call(200, 'POST', `/v1/pki/certificates/${server.id}/unhold`)
    expect(await handshake(server, client)).toBe('ok')
  })

  it('fail: certificates for the other purpose', async () => {
    const server = await pki.issue('servers', 'server.svc.internal')
    const client = await pki.issue('clients', 'server.svc.internal')
    expect(await handshake(server, server)).toMatch(/purpose/i)
    expect(await handshake(client, client)).toMatch(/purpose/i)
  })

  it('fail: everything, after the CA between is revoked', async () => {
    const server = await pki.issue('servers', 'server.svc.internal')
    const client = await pki.issue('clients', 'client.svc.internal')
    await pki.call(200, 'POST', `/v1/pki/ca/${cas[1]}/revoke`, { reason: 'ca_compromise' })
    expect(await handshake(server, client)).toMatch(/revoked/i)
  })
})
