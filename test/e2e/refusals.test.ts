import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, createBindProvider, startAcmeSetup } from '../support/acme-setup.ts'
import { startBind } from '../support/bind.ts'
import { portOf } from '../support/ports.ts'
import { finishedOrder, startService } from '../support/service.ts'

let setup: AcmeSetup
let web: Server

beforeAll(async () => {
  setup = await startAcmeSetup({ zones: ['acme.example'] })
  web = createServer((request, response) => {
    if (request.url === '/html') response.setHeader('content-type', 'text/html').end('<html>hello</html>')
    else if (request.url === '/json') response.setHeader('content-type', 'application/json').end('{"hello":"world"}')
    else if (request.url === '/away') response.writeHead(302, { location: 'http://10.0.0.1/dir' }).end()
    else response.writeHead(404).end('nothing here')
  })
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  await setup?.stop()
  web?.close()
})

const issue = (domains: readonly string[], more: Readonly<Record<string, unknown>> = {}) =>
  setup.service.api('POST', '/v1/pki/acme/issue', {
    account_id: setup.accountId,
    domains,
    challenge_type: 'dns-01',
    ...more,
  })

const register = (more: Readonly<Record<string, unknown>>) =>
  setup.service.api('POST', '/v1/pki/acme/accounts', { name: 'refused', provider: 'custom', ...more })

describe('bad input is refused before a CA hears of it', () => {
  it.each([
    [['*.acme.example'], { challenge_type: 'http-01' }, 'domains[0]', /dns-01/],
    [['www.unknown.example'], {}, 'domains[0]', /managed_zones/],
    [['foo'], {}, 'domains[0]', /single label/],
    [['*.*.example'], {}, 'domains[0]', /whole left-most label/],
    [['exa mple.com'], {}, 'domains[0]', /letters, digits/],
    [[`${'a.'.repeat(121)}acme.example`], {}, 'domains[0]', /253/],
    [[`${'a.'.repeat(120)}acme.example`], {}, 'domains[0]', /no room for _acme-challenge/],
    [['192.0.2.1'], {}, 'domains[0]', /IP address/],
    [['acme.example', 'ACME.example'], {}, 'domains[1]', /twice/],
    [[], {}, 'domains', /at least one/],
    [Array.from({ length: 101 }, (_, index) => `n${index}.acme.example`), {}, 'domains', /101/],
    [['acme.example'], { dns_provider_id: 'dnsp_00000000000000000000000000' }, 'dns_provider_id', /no DNS provider/],
    [['acme.example'], { not_after: '2001-01-01T00:00:00Z' }, 'not_after', /past/],
    [['acme.example'], { csr_pem: 'no csr' }, 'csr_pem', /CERTIFICATE REQUEST/],
    [['acme.example'], { colour: 'blue' }, 'colour', /no such field/],
  ])('fail: %j %j', async (domains, more, path, message) => {
    const answer = await issue(domains, more)
    expect(answer.status).toBe(400)
    expect(answer.body.error).toMatchObject({ code: 'invalid_request', request_id: expect.stringMatching(/^req_/) })
    expect(answer.body.error.details).toContainEqual({ path, message: expect.stringMatching(message) })
    const orders = await setup.service.api('GET', '/v1/pki/acme/orders')
    expect(orders.body.data).toEqual([])
  })

  it('fail: an unknown account', async () => {
    const answer = await issue(['acme.example'], { account_id: 'acme_00000000000000000000000000' })
    expect(answer).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
  })

  it.each([
    ['/html', /HTML|not an ACME directory|no ACME/i],
    ['/json', /directory/],
    ['/missing', /404/],
  ])('fail: a directory at %s', async (path, message) => {
    const answer = await register({ directory_url: `http://127.0.0.1:${portOf(web)}${path}` })
    expect(answer.status).toBe(502)
    expect(answer.body.error.message).toMatch(message)
  })

  it('fail: a directory where nobody listens', async () => {
    const answer = await register({ directory_url: 'http://127.0.0.1:1/dir' })
    expect(answer.status).toBe(502)
    expect(answer.body.error.code).toBe('backend_error')
  })

  it('fail: a refused account leaves its name free', async () => {
    const list = await setup.service.api('GET', '/v1/pki/acme/accounts')
    expect(list.body.data.map(({ name }: { name: string }) => name)).toEqual(['pebble'])
  })

  it('fail: a provider that has closed, with its date and the alternatives', async () => {
    const answer = await register({ provider: 'buypass' })
    expect(answer.status).toBe(400)
    expect(answer.body.error.message).toMatch(/2025-10-31.*letsencrypt/)
  })

  it('fail: credentials that are refused, with verify', async () => {
    const [key] = setup.bind.tsigKeys
    const secret = Buffer.alloc(32, 7).toString('base64')
    const answer = await setup.service.api('POST', '/v1/dns/providers', {
      name: 'wrong',
      provider_type: 'rfc2136',
      credentials: { nameserver: setup.bind.address, tsig_key: key?.name, tsig_secret: secret },
      managed_zones: ['acme.example'],
      verify: true,
    })
    expect(answer.status).toBe(400)
    expect(answer.body.error.message).toMatch(/rfc2136: .*(BADSIG|NOTAUTH|signature)/i)
    expect(JSON.stringify(answer.body)).not.toContain(secret)
  })

  it('fail: a zone that the credentials do not open, with verify', async () => {
    const [key] = setup.bind.tsigKeys
    const answer = await setup.service.api('POST', '/v1/dns/providers', {
      name: 'foreign',
      provider_type: 'rfc2136',
      credentials: { nameserver: setup.bind.address, tsig_key: key?.name, tsig_secret: key?.secret },
      managed_zones: ['nowhere.example'],
      verify: true,
    })
    expect(answer.status).toBe(400)
    expect(answer.body.error.message).toContain('nowhere.example')
  })

  it('fail: an order that the CA cannot validate says what the CA said', async () => {
    // The product's resolver is given a zone of its own, in which the value can be seen; Pebble asks another BIND.
    const elsewhere = await startBind({ zones: ['split.example'] })
    const providerId = await createBindProvider(setup.service, elsewhere, ['split.example'], {}, 'elsewhere')
    const ordered = await issue(['www.split.example'], { dns_provider_id: providerId })
    expect(ordered.status).toBe(202)
    const order = await finishedOrder(setup.service, ordered.body.order_id)
    expect(order).toMatchObject({ status: 'invalid', certificate_id: null, error: { code: 'backend_error' } })
    expect(order.challenges[0].status).toBe('invalid')
    expect(order.challenges[0].error).toMatch(/NXDOMAIN|No TXT|TXT/i)
    const log = order.log.map(({ message }: { message: string }) => message).join('\n')
    expect(log).toContain(order.challenges[0].error)
    expect(log).toContain(`${elsewhere.address} answered 1 of 1 value`)
    expect(await elsewhere.txt('_acme-challenge.www.split.example')).toEqual([])
    await elsewhere.stop()
  })

  it('fail: name servers that never show the value', async () => {
    const silent = await startBind({ zones: ['acme.example'] })
    const providerId = await createBindProvider(
      setup.service,
      setup.bind,
      ['acme.example'],
      { nameservers: [silent.address], propagation_timeout: 2 },
      'not-propagated',
    )
    const ordered = await issue(['late.acme.example'], { dns_provider_id: providerId })
    const order = await finishedOrder(setup.service, ordered.body.order_id)
    expect(order).toMatchObject({ status: 'invalid', error: { code: 'backend_timeout' } })
    expect(order.error.message).toContain(`${silent.address} answered 0 of 1 value`)
    expect(await setup.bind.txt('_acme-challenge.late.acme.example')).toEqual([])
    await silent.stop()
  })

  it('fail: private targets, where the deployment does not allow them', async () => {
    const strict = await startService({ env: { ALLOW_PRIVATE_TARGETS: 'false' } })
    try {
      for (const directory of [
        'https://127.0.0.1:14000/dir',
        'https://[::1]/dir',
        'https://10.1.2.3/dir',
        'http://acme.example/dir',
      ]) {
        const answer = await strict.api('POST', '/v1/pki/acme/accounts', {
          name: 'private',
          provider: 'custom',
          directory_url: directory,
        })
        expect(answer.status).toBe(400)
        expect(answer.body.error.details[0].path).toBe('directory_url')
      }
      const provider = await strict.api('POST', '/v1/dns/providers', {
        name: 'private',
        type: 'rfc2136',
        credentials: { nameserver: '127.0.0.1:53', tsig_key: 'k', tsig_secret: Buffer.alloc(32).toString('base64') },
      })
      expect(provider.status).toBe(400)
      expect(provider.body.error.message).toContain('ALLOW_PRIVATE_TARGETS')
    } finally {
      await strict.stop()
    }
  })
})
