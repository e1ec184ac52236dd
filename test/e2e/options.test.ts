import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { openssl } from '../support/openssl.ts'
import { finishedOrder } from '../support/service.ts'

let setup: AcmeSetup

beforeAll(async () => {
  setup = await startAcmeSetup({
    pebble: {
      alternateRoots: 2,
      profiles: {
        default: { description: 'ninety days' },
        shortlived: { description: 'six days', validitySeconds: 6 * 86_400 },
      },
    },
  })
})
afterAll(() => setup?.stop())

async function issued(domains: readonly string[], more: Readonly<Record<string, unknown>> = {}) {
  const order = await finishedOrder(setup.service, await setup.issue(domains, more))
  expect(order).toMatchObject({ status: 'valid', error: null })
  const certificate = (await setup.service.api('GET', `/v1/pki/certificates/${order.certificate_id}`)).body
  const pem = (await setup.service.api('GET', `/v1/pki/certificates/${order.certificate_id}/pem`)).body
  return { order, certificate, pem }
}

const text = async (pem: string) =>
  (await openssl(['x509', '-noout', '-text', '-in', 'c.pem'], { 'c.pem': pem })).stdout

/** Common name of the issuer of the last certificate in a chain, as openssl prints it. */
async function topIssuer(pem: string): Promise<string> {
  const last = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g)?.at(-1) ?? ''
  const run = await openssl(['x509', '-noout', '-issuer', '-in', 'c.pem'], { 'c.pem': last })
  return run.stdout.replace(/^issuer=.*CN ?= ?/, '').trim()
}

describe('what an order can ask for', () => {
  it.each([
    [{}, 'ec', 256, /NIST CURVE: P-256/],
    [{ key_type: 'ec', key_size: 384 }, 'ec', 384, /NIST CURVE: P-384/],
    [{ key_type: 'rsa' }, 'rsa', 2048, /\(2048 bit\)/],
  ])('ok: the key %j', async (more, type, size, printed) => {
    const { certificate, pem } = await issued(['key.acme.example'], more)
    expect(certificate).toMatchObject({ key_type: type, key_size: size, has_private_key: true })
    expect(await text(pem.leaf_pem)).toMatch(printed)
  })

  it('fail: keys that public CAs do not certify', async () => {
    for (const more of [
      { key_type: 'ec', key_size: 521 },
      { key_type: 'rsa', key_size: 1024 },
      { key_type: 'ed25519' },
    ]) {
      const body = { account_id: setup.accountId, domains: ['key.acme.example'], challenge_type: 'dns-01', ...more }
      expect((await setup.service.api('POST', '/v1/pki/acme/issue', body)).status).toBe(400)
    }
  })

  it("ok: a CSR of the caller's own, whose key stays with its owner, also when it is renewed", async () => {
    const { stdout: key } = await openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'])
    const subject = ['-subj', '/', '-addext', 'subjectAltName=DNS:csr.acme.example,DNS:*.csr.acme.example']
    const config = { 'key.pem': key, 'openssl.cnf': '[req]\ndistinguished_name=dn\n[dn]\n' }
    const { stdout: csr } = await openssl(
      ['req', '-new', '-key', 'key.pem', '-config', 'openssl.cnf', ...subject],
      config,
    )
    const { order, certificate, pem } = await issued(['csr.acme.example', '*.csr.acme.example'], { csr_pem: csr })
    expect(certificate).toMatchObject({ has_private_key: false, key_type: 'ec' })
    const answer = await setup.service.api('POST', `/v1/pki/certificates/${order.certificate_id}/private-key`)
    expect(answer.status).toBe(404)
    expect(answer.body.error.message).toContain('CSR')
    const publicKey = async (args: string[], content: string) =>
      (await openssl([...args, '-in', 'in.pem'], { 'in.pem': content })).stdout
    const own = await publicKey(['pkey', '-pubout'], key)
    expect(await publicKey(['x509', '-noout', '-pubkey'], pem.leaf_pem)).toBe(own)
    const renewal = await setup.service.api('POST', `/v1/pki/certificates/${order.certificate_id}/renew`)
    expect(await finishedOrder(setup.service, renewal.body.order_id)).toMatchObject({ status: 'valid' })
    const renewed = await setup.service.api('GET', `/v1/pki/certificates/${order.certificate_id}/pem`)
    expect(await publicKey(['x509', '-noout', '-pubkey'], renewed.body.leaf_pem)).toBe(own)
  })

  it('fail: a CSR for other names, and one whose signature is broken', async () => {
    const { stdout: key } = await openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'])
    const files = { 'key.pem': key, 'openssl.cnf': '[req]\ndistinguished_name=dn\n[dn]\n' }
    const san = ['-subj', '/CN=other.acme.example', '-addext', 'subjectAltName=DNS:csr.acme.example']
    const { stdout: csr } = await openssl(['req', '-new', '-key', 'key.pem', '-config', 'openssl.cnf', ...san], files)
    const body = { account_id: setup.accountId, challenge_type: 'dns-01', domains: ['csr.acme.example'] }
    const foreign = await setup.service.api('POST', '/v1/pki/acme/issue', { ...body, csr_pem: csr })
    expect(foreign.status).toBe(400)
    expect(foreign.body.error.message).toContain('other.acme.example')
    const lines = csr.trim().split('\n')
    const broken = [...lines.slice(0, -2), 'AAAA', lines.at(-1)].join('\n')
    expect((await setup.service.api('POST', '/v1/pki/acme/issue', { ...body, csr_pem: broken })).status).toBe(400)
  })

  it('ok: a profile decides the lifetime, and with it when to renew', async () => {
    const { certificate } = await issued(['short.acme.example'], { profile: 'shortlived' })
    const days = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / 86_400_000
    expect(days(certificate.valid_from, certificate.valid_until)).toBeCloseTo(6, 1)
    // Half of a short life is kept in reserve.
    expect(days(certificate.next_renewal_at, certificate.valid_until)).toBeGreaterThanOrEqual(2.9)
    expect(days(certificate.next_renewal_at, certificate.valid_until)).toBeLessThanOrEqual(3.3)
  })

  it('fail: a profile that the CA does not have', async () => {
    const order = await finishedOrder(setup.service, await setup.issue(['none.acme.example'], { profile: 'eternal' }))
    expect(order.status).toBe('invalid')
    expect(order.error.message).toContain('eternal')
  })

  it('ok: the preferred chain is taken, by the common name of its root', async () => {
    const roots = await Promise.all([0, 1, 2].map(async (index) => topIssuer(await setup.pebble.rootPem(index))))
    expect(new Set(roots).size).toBe(3)
    for (const root of roots) {
      const { pem } = await issued(['chain.acme.example'], { preferred_chain: root })
      expect(await topIssuer(pem.certificate_pem)).toBe(root)
    }
    const { order } = await issued(['chain.acme.example'], { preferred_chain: 'No Such Root' })
    expect(order.log.map(({ message }: { message: string }) => message).join('\n')).toContain('No Such Root')
  })

  it('ok: an authorization that is valid already is used again, and nothing is written to DNS', async () => {
    const again = await startAcmeSetup({ pebble: { authzReuse: 100 } })
    try {
      const first = await finishedOrder(again.service, await again.issue(['again.acme.example']))
      expect(first.status).toBe('valid')
      const second = await finishedOrder(again.service, await again.issue(['again.acme.example']))
      expect(second).toMatchObject({ status: 'valid', challenges: [] })
      const written = await again.service.api('GET', '/v1/audit?event=dns_record_create')
      expect(written.body.data).toHaveLength(1)
    } finally {
      await again.stop()
    }
  })
})

describe('external account binding (RFC 8555 §7.3.4)', () => {
  it('ok: the right key registers; fail: none, or a wrong one, says so', async () => {
    const macKey = randomBytes(32).toString('base64url')
    const other = await startAcmeSetup({
      pebble: { eab: { 'kid-1': macKey } },
      account: { eab: { kid: 'kid-1', hmac_key: macKey } },
    })
    try {
      const order = await finishedOrder(other.service, await other.issue(['eab.acme.example']))
      expect(order.status).toBe('valid')
      const register = (eab: unknown) =>
        other.service.api('POST', '/v1/pki/acme/accounts', {
          name: 'bound',
          provider: 'custom',
          directory_url: other.pebble.directoryUrl,
          ...(eab === null ? {} : { eab }),
        })
      const without = await register(null)
      expect(without.status).toBe(400)
      expect(without.body.error.details).toEqual([{ path: 'eab', message: expect.stringContaining('hmac_key') }])
      const wrong = randomBytes(32).toString('base64url')
      const refused = await register({ kid: 'kid-1', hmac_key: wrong })
      expect(refused.status).toBe(502)
      expect(JSON.stringify(refused.body)).not.toContain(wrong)
      expect(other.service.output()).not.toContain(macKey)
    } finally {
      await other.stop()
    }
  })
})
