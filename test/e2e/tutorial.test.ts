import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bind, startBind } from '../support/bind.ts'
import { verifyChain } from '../support/chain.ts'
import { openssl } from '../support/openssl.ts'
import { type Pebble, startPebble } from '../support/pebble.ts'
import { finishedOrder, type Service, startService } from '../support/service.ts'

const DOMAINS = ['*.acme.example', 'acme.example']

let bind: Bind
let pebble: Pebble
let service: Service

beforeAll(async () => {
  bind = await startBind({ zones: ['acme.example'] })
  pebble = await startPebble({ dnsServer: bind.address })
  service = await startService({ caFile: pebble.caFile })
})
afterAll(async () => {
  await service?.stop()
  await pebble?.stop()
  await bind?.stop()
})

/** The public key of a certificate or of a private key, as openssl prints it. */
async function publicKeyOf(kind: 'x509' | 'pkey', pem: string): Promise<string> {
  const flags = kind === 'x509' ? ['x509', '-noout', '-pubkey'] : ['pkey', '-pubout']
  const run = await openssl([...flags, '-in', 'in.pem'], { 'in.pem': pem })
  return run.stdout
}

describe('the wildcard tutorial, step by step', () => {
  it('ok: secrets, provider by both bodies and paths, account, order, PEM, key, renewal', async () => {
    const [key] = bind.tsigKeys

    // Step 1: credentials, then the provider with inline credentials.
    const stored = await service.api('PUT', '/v1/secrets/infra/bind/acme', {
      data: { tsig_secret: key?.secret, tsig_key: key?.name },
      secret_type: 'json',
    })
    expect(stored.status).toBe(201)
    const inline = await service.api('POST', '/v1/dns/providers', {
      name: 'bind-inline',
      provider_type: 'rfc2136',
      credentials: { nameserver: bind.address, tsig_key: key?.name, tsig_secret: key?.secret },
      managed_zones: ['acme.example', '*.acme.example'],
      verify: true,
    })
    expect(inline.status).toBe(201)
    expect(inline.body).toMatchObject({ id: expect.stringMatching(/^dnsp_/), is_active: true })
    expect(JSON.stringify(inline.body)).not.toContain(key?.secret)
    // The guide's body: settings that name secrets.
    const byPath = await service.api('POST', '/v1/pki/dns-providers', {
      name: 'bind-by-path',
      type: 'rfc2136',
      config: {
        nameserver: bind.address,
        tsig_key_path: 'infra/bind/acme#tsig_key',
        tsig_secret_path: 'infra/bind/acme',
      },
    })
    expect(byPath.status).toBe(201)
    for (const base of ['/v1/dns/providers', '/v1/pki/dns-providers']) {
      const list = await service.api('GET', base)
      expect(list.body.data.map(({ name }: { name: string }) => name)).toEqual(['bind-by-path', 'bind-inline'])
      const verified = await service.api('POST', `${base}/${inline.body.id}/verify`)
      expect(verified.body).toEqual({ verified: true, zones: ['acme.example'], error: null })
    }

    // Step 2: the account. Only the directory differs from the tutorial.
    const account = await service.api('POST', '/v1/pki/acme/accounts', {
      name: 'letsencrypt-staging',
      provider: 'letsencrypt',
      environment: 'staging',
      email: 'certs@acme.example',
      directory_url: pebble.directoryUrl,
    })
    expect(account.status).toBe(201)
    expect(account.body).toMatchObject({
      id: expect.stringMatching(/^acme_/),
      status: 'active',
      environment: 'staging',
    })

    // Step 3: the order, polled to its end.
    const ordered = await service.api('POST', '/v1/pki/acme/issue', {
      account_id: account.body.id,
      domains: DOMAINS,
      challenge_type: 'dns-01',
      auto_renew: true,
    })
    expect(ordered.status).toBe(202)
    expect(ordered.body).toMatchObject({ order_id: expect.stringMatching(/^acme_order_/), domains: DOMAINS })
    const order = await finishedOrder(service, ordered.body.order_id)
    expect(order).toMatchObject({ status: 'valid', certificate_id: expect.stringMatching(/^cert_/) })

    const certificateUrl = `/v1/pki/certificates/${order.certificate_id}`
    const pem = await service.api('GET', `${certificateUrl}/pem`)
    expect(await verifyChain(pebble, pem.body.certificate_pem, DOMAINS)).toEqual([])
    expect(pem.body.certificate_pem).toBe(pem.body.leaf_pem + pem.body.chain_pem)

    // Step 5: the private key belongs to the certificate.
    const privateKey = await service.api('POST', `${certificateUrl}/private-key`)
    const leafKey = await publicKeyOf('x509', pem.body.leaf_pem)
    expect(leafKey).toContain('BEGIN PUBLIC KEY')
    expect(await publicKeyOf('pkey', privateKey.body.private_key_pem)).toBe(leafKey)

    // Step 7: a forced renewal is version 2 under the same id, with a key of its own.
    const renewal = await service.api('POST', `${certificateUrl}/renew`)
    expect(renewal.status).toBe(202)
    expect(await finishedOrder(service, renewal.body.order_id)).toMatchObject({
      status: 'valid',
      purpose: 'forced',
      certificate_id: order.certificate_id,
    })
    // RFC 9773 §5: the CA took it as the replacement of version 1.
    const renewalOrder = await service.api('GET', `/v1/pki/acme/orders/${renewal.body.order_id}`)
    expect(renewalOrder.body.log[0].message).toContain('as the replacement of the certificate')
    expect(order.log[0].message).not.toContain('replacement')
    const renewed = await service.api('GET', certificateUrl)
    expect(renewed.body).toMatchObject({ version: 2, order_id: null, auto_renew: true })
    const second = await service.api('GET', `${certificateUrl}/pem`)
    expect(await verifyChain(pebble, second.body.certificate_pem, DOMAINS)).toEqual([])
    const secondKey = await service.api('POST', `${certificateUrl}/private-key`)
    expect(await publicKeyOf('pkey', secondKey.body.private_key_pem)).toBe(
      await publicKeyOf('x509', second.body.leaf_pem),
    )
    expect(secondKey.body.private_key_pem).not.toBe(privateKey.body.private_key_pem)
    const versions = await service.api('GET', `${certificateUrl}/versions`)
    expect(versions.body.data.map(({ version }: { version: number }) => version)).toEqual([2, 1])
    expect(versions.body.data[1].certificate_pem).toBe(pem.body.certificate_pem)

    expect(await bind.txt('_acme-challenge.acme.example')).toEqual([])
    const audit = await service.api('GET', '/v1/audit?limit=500')
    const events = audit.body.data.map(({ event }: { event: string }) => event)
    for (const event of [
      'secret.written',
      'dns_provider.created',
      'acme_account.registered',
      'order.created',
      'dns_record_create',
      'acme_order_finalize',
      'certificate.issued',
      'dns_record_delete',
      'certificate.private_key_read',
      'certificate.renewed',
    ]) {
      expect(events).toContain(event)
    }
    expect(JSON.stringify(audit.body)).not.toContain(key?.secret)
    expect(service.output()).not.toContain(key?.secret)
  })

  it('ok: the account shows in its list, and is deactivated at the CA', async () => {
    const list = await service.api('GET', '/v1/pki/acme/accounts')
    const [account] = list.body.data
    expect((await service.api('DELETE', `/v1/pki/acme/accounts/${account.id}`)).status).toBe(204)
    expect((await service.api('DELETE', `/v1/pki/acme/accounts/${account.id}`)).status).toBe(204)
    const read = await service.api('GET', `/v1/pki/acme/accounts/${account.id}`)
    expect(read.body.status).toBe('deactivated')
    const refused = await service.api('POST', '/v1/pki/acme/issue', {
      account_id: account.id,
      domains: ['acme.example'],
      challenge_type: 'dns-01',
    })
    expect(refused).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } })
  })
})
