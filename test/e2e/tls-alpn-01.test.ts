import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { verifyChain } from '../support/chain.ts'
import { openssl, opensslFile } from '../support/openssl.ts'
import { type ApiAnswer, finishedOrder, orderAtOwner } from '../support/service.ts'

let setup: AcmeSetup

beforeAll(async () => {
  setup = await startAcmeSetup({ pebble: { authzReuse: 0 } })
})
afterAll(() => setup?.stop())

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

type Challenge = ApiAnswer['body']

const api = (method: string, path: string, token?: string) =>
  setup.service.api(method, `/v1/pki/acme${path}`, undefined, token === undefined ? {} : { token })

/** Names of a test's own, which lead here: Pebble reuses a few valid authorizations even where it is told not to. */
async function namesHere(...labels: readonly string[]): Promise<string[]> {
  const names = labels.map((label) => `${label}.acme.example`)
  for (const name of names) await setup.bind.addRecord(name, 'A', '127.0.0.1')
  return names
}

async function tokenFor(scopes: readonly string[], paths: readonly string[] | null): Promise<string> {
  const body = { name: 'scoped', scopes, ...(paths === null ? {} : { paths }) }
  return (await setup.service.api('POST', '/v1/tokens', body)).body.token
}

/** The challenges of an order that waits for a responder. */
async function challengesOf(orderId: string): Promise<readonly Challenge[]> {
  return (await orderAtOwner(setup.service, orderId)).challenges
}

const answerOf = async (challenge: Challenge, token?: string): Promise<ApiAnswer['body']> =>
  (await api('GET', `/challenges/${challenge.id}/tls-alpn-01`, token)).body

/** Holds Pebble's port: the one certificate, whichever name is asked for. */
async function present(pair: {
  readonly certificate_pem: string
  readonly private_key_pem: string
}): Promise<string[]> {
  const asked: string[] = []
  const server = createServer(
    {
      cert: pair.certificate_pem,
      key: pair.private_key_pem,
      ALPNCallback({ servername, protocols }) {
        asked.push(`${servername} ${protocols.join()}`)
        return 'acme-tls/1'
      },
    },
    (socket) => socket.on('error', () => undefined).end(),
  )
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(setup.pebble.tlsPort, '127.0.0.1', resolve))
  return asked
}

async function cancel(orderId: string): Promise<void> {
  await api('POST', `/orders/${orderId}/cancel`)
  await finishedOrder(setup.service, orderId)
}

describe('the answer to a tls-alpn-01 challenge', () => {
  it('ok: the name alone and the digest, critical, with its key (RFC 8737 §3)', async () => {
    const orderId = await setup.issue(['shown.acme.example'], { challenge_type: 'tls-alpn-01' })
    const [challenge] = await challengesOf(orderId)
    expect(challenge).toMatchObject({ type: 'tls-alpn-01', status: 'pending', record_name: null })
    const answer = await answerOf(challenge)
    expect(answer).toMatchObject({ domain: 'shown.acme.example', server_name: 'shown.acme.example' })
    const files = { 'a.pem': answer.certificate_pem, 'a.key': answer.private_key_pem }
    const text = (await openssl(['x509', '-in', 'a.pem', '-noout', '-text'], files)).stdout
    expect(text).toMatch(/Alternative Name:\s*\n\s*DNS:shown\.acme\.example\n/)
    expect(text).toContain('1.3.6.1.5.5.7.1.31: critical')
    const digest = createHash('sha256').update(challenge.key_authorization).digest('hex')
    const der = await opensslFile(['x509', '-in', 'a.pem', '-outform', 'DER', '-out', 'a.der'], 'a.der', files)
    // RFC 8737 §3: the extension's value is an OCTET STRING of 32 octets.
    expect(Buffer.from(der).toString('hex')).toContain(`04220420${digest}`)
    const ofCertificate = await openssl(['x509', '-in', 'a.pem', '-noout', '-pubkey'], files)
    const ofKey = await openssl(['pkey', '-in', 'a.key', '-pubout'], files)
    expect(ofCertificate.stdout).toBe(ofKey.stdout)
    await cancel(orderId)
  })

  it('ok: a token that sees orders alone finds the challenge, answers it, and says so', async () => {
    const token = await tokenFor(['pki:issue'], ['pki/acme/orders/*'])
    const names = await namesHere('answered')
    const orderId = await setup.issue(names, { challenge_type: 'tls-alpn-01' })
    await challengesOf(orderId)
    const listed = await api('GET', '/orders?status=pending', token)
    expect(listed.body.data).toEqual([expect.objectContaining({ order_id: orderId, step: 'respond' })])
    const [challenge] = listed.body.data[0].challenges
    const asked = await present(await answerOf(challenge, token))
    expect((await api('POST', `/challenges/${challenge.id}/complete`, token)).status).toBe(200)
    const order = await finishedOrder(setup.service, orderId)
    expect(order).toMatchObject({ status: 'valid', error: null })
    expect(new Set(asked)).toEqual(new Set(['answered.acme.example acme-tls/1']))
    const pem = await setup.service.api('GET', `/v1/pki/certificates/${order.certificate_id}/pem`)
    expect(await verifyChain(setup.pebble, pem.body.certificate_pem, names)).toEqual([])
  })

  it('ok: an address by the name of its reverse lookup (RFC 8738 §6)', async () => {
    const orderId = await setup.issue(['127.0.0.1'], { challenge_type: 'tls-alpn-01' })
    const [challenge] = await challengesOf(orderId)
    const answer = await answerOf(challenge)
    expect(answer).toMatchObject({ domain: '127.0.0.1', server_name: '1.0.0.127.in-addr.arpa' })
    const asked = await present(answer)
    await api('POST', `/challenges/${challenge.id}/complete`)
    expect(await finishedOrder(setup.service, orderId)).toMatchObject({ status: 'valid' })
    expect(new Set(asked)).toEqual(new Set(['1.0.0.127.in-addr.arpa acme-tls/1']))
  })

  it('fail: the answer of another challenge, with what the CA says of it', async () => {
    const orderId = await setup.issue(await namesHere('right', 'wrong'), { challenge_type: 'tls-alpn-01' })
    const challenges = await challengesOf(orderId)
    const right = challenges.find(({ domain }) => domain === 'right.acme.example')
    await present(await answerOf(right))
    for (const { id } of challenges) await api('POST', `/challenges/${id}/complete`)
    const order = await finishedOrder(setup.service, orderId)
    expect(order.status).toBe('invalid')
    expect(order.error.message).toContain('wrong.acme.example')
  })

  it('ok: an order waits until every one of its challenges was prepared', async () => {
    const orderId = await setup.issue(await namesHere('first', 'second'), { challenge_type: 'tls-alpn-01' })
    const [first, second] = await challengesOf(orderId)
    await present(await answerOf(first))
    const { body } = await api('POST', `/challenges/${first.id}/complete`)
    expect(body).toMatchObject({ status: 'pending', step: 'respond' })
    await cancel(orderId)
    expect((await api('POST', `/challenges/${second.id}/complete`)).status).toBe(409)
  })
})

describe('who gets it', () => {
  it('fail: tokens that only read, and those of other paths; ids of nobody', async () => {
    const orderId = await setup.issue(['kept.acme.example'], { challenge_type: 'tls-alpn-01' })
    const [challenge] = await challengesOf(orderId)
    const path = `/challenges/${challenge.id}/tls-alpn-01`
    expect((await api('GET', path, await tokenFor(['pki:read'], null))).status).toBe(403)
    for (const paths of [['pki/certificates/*'], ['pki/acme/orders/acme_order_00000000000000000000000000']]) {
      const token = await tokenFor(['pki:issue'], paths)
      expect((await api('GET', path, token)).status).toBe(404)
      expect((await api('POST', `/challenges/${challenge.id}/complete`, token)).status).toBe(404)
      expect((await api('GET', '/orders?status=pending', token)).status).toBe(403)
    }
    expect((await api('GET', path, await tokenFor(['pki:issue'], [`pki/acme/orders/${orderId}`]))).status).toBe(200)
    for (const id of ['acme_chal_1', 'acme_chal_00000000000000000000000000_0', challenge.id.replace(/_\d+$/, '_999')]) {
      expect((await api('GET', `/challenges/${id}/tls-alpn-01`)).status, id).toBe(404)
    }
    await cancel(orderId)
    expect((await api('GET', path)).status).toBe(409)
  })

  it('fail: a challenge of another type has no such answer', async () => {
    const orderId = await setup.issue(['by-http.acme.example'], { challenge_type: 'http-01', solver: 'manual' })
    const [challenge] = await challengesOf(orderId)
    const answer = await api('GET', `/challenges/${challenge.id}/tls-alpn-01`)
    expect(answer.status).toBe(409)
    expect(answer.body.error.message).toContain('http-01')
    await cancel(orderId)
  })

  it.each([
    ['a wildcard', '*.acme.example', 'tls-alpn-01', 'wildcard'],
    ['an address by dns-01', '192.0.2.1', 'dns-01', 'take http-01 or tls-alpn-01'],
  ])('fail: %s is refused before anything is ordered', async (_what, domain, challengeType, message) => {
    const body = { account_id: setup.accountId, domains: [domain], challenge_type: challengeType }
    const answer = await setup.service.api('POST', '/v1/pki/acme/issue', body)
    expect(answer.status).toBe(400)
    expect(answer.body.error.details[0]).toMatchObject({
      path: 'domains[0]',
      message: expect.stringContaining(message),
    })
  })
})
