import { existsSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { verifyChain } from '../support/chain.ts'
import { oldestNode } from '../support/oldest-node.ts'
import { openssl } from '../support/openssl.ts'
import { freePort } from '../support/ports.ts'
import { type RunningProcess, runSuccessfully, startProcess } from '../support/process.ts'
import { eventually, finishedOrder } from '../support/service.ts'
import { makeTempFolder, type TempFolder } from '../support/temp-folder.ts'

let setup: AcmeSetup
let ports: { http: number; tls: number }
/** Where a host has fetched the companion to; far from the checkout. */
let host: TempFolder
const NAMES = ['web.acme.example', 'www.acme.example', 'mail.acme.example']

beforeAll(async () => {
  ports = { http: await freePort(), tls: await freePort() }
  setup = await startAcmeSetup({ pebble: { httpPort: ports.http, tlsPort: ports.tls, authzReuse: 0 } })
  for (const name of NAMES) await setup.bind.addRecord(name, 'A', '127.0.0.1')
  host = makeTempFolder('host')
  for (const file of ['certwright.mjs', 'checksums.txt']) {
    const response = await fetch(`${setup.service.url}/agent/${file}`)
    writeFileSync(join(host.path, file), await response.text())
  }
})
afterAll(async () => {
  await setup?.stop()
  host?.remove()
})

const started: RunningProcess[] = []
const folders: TempFolder[] = []
afterEach(async () => {
  for (const each of started.splice(0)) await each.stop()
  for (const each of folders.splice(0)) each.remove()
})

function companion(args: readonly string[], token = setup.service.token): RunningProcess {
  const env = { CERTWRIGHT_URL: setup.service.url, CERTWRIGHT_TOKEN: token }
  const running = startProcess(oldestNode(), ['certwright.mjs', ...args], { env, cwd: host.path })
  started.push(running)
  return running
}

async function runCompanion(args: readonly string[], token?: string): Promise<{ code: number | null; said: string }> {
  const running = companion(args, token)
  const code = await running.exited
  return { code, said: running.output() }
}

/** With a token that sees orders, and nothing else. */
async function startResponder(...more: readonly string[]): Promise<RunningProcess> {
  const listening = ['--address', '127.0.0.1', '--http-port', `${ports.http}`, '--tls-port', `${ports.tls}`]
  const scoped = { name: 'responder', scopes: ['pki:issue'], paths: ['pki/acme/orders/*'] }
  const { body } = await setup.service.api('POST', '/v1/tokens', scoped)
  expect((await setup.service.api('GET', '/v1/pki/certificates', undefined, { token: body.token })).status).toBe(403)
  const responder = companion(['respond', ...listening, '--interval', '1s', ...more], body.token)
  await responder.waitForLine(/^answering on/)
  return responder
}

function newFolder(): string {
  const folder = makeTempFolder('companion')
  folders.push(folder)
  return join(folder.path, 'tls')
}

const certificateOf = async (orderId: string): Promise<string> => {
  const order = await finishedOrder(setup.service, orderId)
  expect(order).toMatchObject({ status: 'valid', error: null })
  return order.certificate_id
}

const pemOf = async (id: string): Promise<string> =>
  (await setup.service.api('GET', `/v1/pki/certificates/${id}/pem`)).body.certificate_pem

async function publicKeyOf(kind: 'x509' | 'pkey', pem: string): Promise<string> {
  const args = kind === 'x509' ? ['x509', '-in', 'a.pem', '-noout', '-pubkey'] : ['pkey', '-in', 'a.pem', '-pubout']
  return (await openssl(args, { 'a.pem': pem })).stdout
}

describe('the file that the service gives', () => {
  it('ok: is what its checksum says', async () => {
    const said = await runSuccessfully('sha256sum', ['-c', 'checksums.txt'], { cwd: host.path })
    expect(said).toBe('certwright.mjs: OK\n')
  })
})

describe('respond', () => {
  it('ok: tls-alpn-01 for two names at once (RFC 8737)', async () => {
    await startResponder()
    const domains = NAMES.slice(0, 2)
    const id = await certificateOf(await setup.issue(domains, { challenge_type: 'tls-alpn-01' }))
    expect(await verifyChain(setup.pebble, await pemOf(id), domains)).toEqual([])
  })

  it('ok: http-01 by hand', async () => {
    await startResponder('--domain', 'mail.acme.example')
    const options = { challenge_type: 'http-01', solver: 'manual' }
    const id = await certificateOf(await setup.issue(['mail.acme.example'], options))
    expect(await verifyChain(setup.pebble, await pemOf(id), ['mail.acme.example'])).toEqual([])
  })

  for (const challengeType of ['http-01', 'tls-alpn-01']) {
    it(`ok: an IP address by ${challengeType} (RFC 8738)`, async () => {
      await startResponder()
      const orderId = await setup.issue(['127.0.0.1'], { challenge_type: challengeType, solver: 'manual' })
      const id = await certificateOf(orderId)
      const { body } = await setup.service.api('GET', `/v1/pki/certificates/${id}`)
      expect(body).toMatchObject({ display_name: '127.0.0.1', names: { dns: [], ip: ['127.0.0.1'] } })
      expect(await verifyChain(setup.pebble, await pemOf(id), ['127.0.0.1'])).toEqual([])
    })
  }

  it('ok: several orders at once, two of them for the same name, and a renewal', async () => {
    await startResponder()
    const options = { challenge_type: 'tls-alpn-01' }
    const wanted = [['web.acme.example'], ['web.acme.example', 'www.acme.example'], ['127.0.0.1', 'mail.acme.example']]
    const orders = await Promise.all(wanted.map((domains) => setup.issue(domains, options)))
    for (const [index, orderId] of orders.entries()) {
      const pem = await pemOf(await certificateOf(orderId))
      expect(await verifyChain(setup.pebble, pem, wanted[index] ?? [])).toEqual([])
    }
    const first = await finishedOrder(setup.service, orders[0] ?? '')
    const path = `/v1/pki/certificates/${first.certificate_id}`
    const renewal = await setup.service.api('POST', `${path}/renew`)
    expect(await certificateOf(renewal.body.order_id)).toBe(first.certificate_id)
    expect((await setup.service.api('GET', `${path}/versions`)).body.data).toHaveLength(2)
  })

  it('ok: names of others are left to others', async () => {
    const responder = await startResponder('--domain', 'mail.acme.example')
    // Validated by no other test: Pebble reuses a few valid authorizations even where it is told not to.
    const orderId = await setup.issue(['theirs.acme.example'], { challenge_type: 'tls-alpn-01' })
    const mine = await setup.issue(['mail.acme.example'], { challenge_type: 'tls-alpn-01' })
    await certificateOf(mine)
    expect(responder.output()).not.toContain('theirs.acme.example')
    const order = await setup.service.api('GET', `/v1/pki/acme/orders/${orderId}`)
    expect(order.body).toMatchObject({ status: 'pending', step: 'respond' })
    await setup.service.api('POST', `/v1/pki/acme/orders/${orderId}/cancel`)
    await finishedOrder(setup.service, orderId)
  })
})

describe('fetch', () => {
  it('ok: certificate and key, once; the server is told of changes alone; a renewal is fetched', async () => {
    const id = await certificateOf(await setup.issue(['fetched.acme.example']))
    const scoped = await setup.service.api('POST', '/v1/tokens', {
      name: 'host',
      scopes: ['pki:issue'],
      paths: [`pki/certificates/${id}`],
    })
    const out = newFolder()
    const args = ['fetch', '--certificate', id, '--out', out, '--reload', `echo told >> ${out}/told`]
    expect(await runCompanion(args, scoped.body.token)).toMatchObject({ code: 0 })
    expect(readFileSync(join(out, 'fullchain.pem'), 'utf8')).toBe(await pemOf(id))
    expect(statSync(join(out, 'privkey.pem')).mode & 0o777).toBe(0o600)
    const first = readlinkSync(join(out, 'current'))
    const again = await runCompanion(args, scoped.body.token)
    expect(again).toMatchObject({ code: 0, said: expect.stringContaining('unchanged') })
    expect(readFileSync(join(out, 'told'), 'utf8')).toBe('told\n')

    const renewal = await setup.service.api('POST', `/v1/pki/certificates/${id}/renew`)
    await certificateOf(renewal.body.order_id)
    expect(await runCompanion(args, scoped.body.token)).toMatchObject({ code: 0 })
    expect(readlinkSync(join(out, 'current'))).not.toBe(first)
    expect(readFileSync(join(out, 'told'), 'utf8')).toBe('told\ntold\n')
    const certificate = readFileSync(join(out, 'fullchain.pem'), 'utf8')
    const key = readFileSync(join(out, 'privkey.pem'), 'utf8')
    expect(await publicKeyOf('x509', certificate)).toBe(await publicKeyOf('pkey', key))
  })

  it('fail: a reload that fails is said, and tried again at the next run', async () => {
    const id = await certificateOf(await setup.issue(['reload.acme.example']))
    const out = newFolder()
    const args = ['fetch', '--certificate', id, '--out', out, '--reload', `test -e ${out}/ready`]
    expect(await runCompanion(args)).toMatchObject({ code: 1, said: expect.stringContaining('reload command') })
    writeFileSync(join(out, 'ready'), '')
    expect(await runCompanion(args)).toMatchObject({ code: 0, said: expect.stringContaining('reloaded') })
    expect((await runCompanion(args)).said).not.toContain('reloaded')
  })

  it('fail: a certificate that is not there, a token that may not', async () => {
    const out = newFolder()
    const unknown = ['fetch', '--certificate', 'cert_00000000000000000000000000', '--out', out]
    expect(await runCompanion(unknown)).toMatchObject({ code: 1 })
    expect(existsSync(out)).toBe(false)
    const wrong = 'cw_a-token-that-nobody-has-made-0123456789'
    const refused = await runCompanion(unknown, wrong)
    expect(refused.code).toBe(1)
    expect(refused.said).not.toContain(wrong)
  })
})

describe('watch', () => {
  it('ok: goes on while the service is away, and ends when it is told to', async () => {
    const id = await certificateOf(await setup.issue(['watched.acme.example']))
    const out = newFolder()
    const watching = companion(['watch', '--certificate', id, '--out', out, '--interval', '1s'])
    await watching.waitForLine(/installed in/)
    const before = readFileSync(join(out, 'fullchain.pem'), 'utf8')
    await setup.service.kill()
    await watching.waitForLine(/does not answer/)
    expect(readFileSync(join(out, 'fullchain.pem'), 'utf8')).toBe(before)
    await setup.service.start()
    const renewal = await setup.service.api('POST', `/v1/pki/certificates/${id}/renew`)
    await certificateOf(renewal.body.order_id)
    const installed = await eventually(
      async () => {
        const now = readFileSync(join(out, 'fullchain.pem'), 'utf8')
        return now === before ? null : now
      },
      30_000,
      'the new version',
    )
    expect(installed).toBe(await pemOf(id))
    process.kill(watching.pid, 'SIGTERM')
    expect(await watching.exited).toBe(0)
  })

  it('fail: a reload that hangs is ended, and holds nothing up', async () => {
    const id = await certificateOf(await setup.issue(['hanging.acme.example']))
    const out = newFolder()
    const reload = ['--reload', 'sleep 600', '--reload-timeout', '1s']
    const watching = companion(['watch', '--certificate', id, '--out', out, '--interval', '1s', ...reload])
    await watching.waitForLine(/took longer than 1 s and was ended/)
    await watching.waitForLine(/: unchanged$/)
    process.kill(watching.pid, 'SIGTERM')
    expect(await watching.exited).toBe(0)
  })
})

describe('issue', () => {
  it('ok: tells what the order does, and installs the certificate', async () => {
    const out = newFolder()
    const domain = 'issued.acme.example'
    const args = ['issue', '--account', setup.accountId, '--domain', domain, '--out', out]
    const { code, said } = await runCompanion(args)
    expect({ code, said }).toMatchObject({ code: 0, said: expect.stringContaining('the CA has validated every name') })
    const pem = readFileSync(join(out, 'fullchain.pem'), 'utf8')
    expect(await verifyChain(setup.pebble, pem, [domain])).toEqual([])
  })

  it('fail: an order that cannot be', async () => {
    const args = ['issue', '--account', setup.accountId, '--domain', '*.acme.example', '--challenge', 'http-01']
    expect(await runCompanion(args)).toMatchObject({ code: 1, said: expect.stringContaining('wildcard') })
  })
})
