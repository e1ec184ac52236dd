/** The calls of the PKI guide and the PKI reference, in their order and with their bodies; host, token and ids are others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openssl } from '../support/openssl.ts'
import { type PkiSetup, startPkiSetup } from '../support/pki-setup.ts'
import type { ApiAnswer } from '../support/service.ts'

let pki: PkiSetup
/** What earlier calls gave later ones. */
const made: Record<string, ApiAnswer['body']> = {}
const SERIAL = /^[0-9A-F]{2}(:[0-9A-F]{2})+$/
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/

beforeAll(async () => {
  pki = await startPkiSetup()
})
afterAll(() => pki?.service.stop())

async function newCsr(commonName: string): Promise<string> {
  const key = (await openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'])).stdout
  return (await openssl(['req', '-new', '-key', 'k.pem', '-subj', `/CN=${commonName}`], { 'k.pem': key })).stdout
}

describe('CAs', () => {
  it('ok: a root and an intermediate', async () => {
    made.root = await pki.call(201, 'POST', '/v1/pki/ca', {
      name: 'acme-root',
      common_name: 'Acme Root CA',
      ca_type: 'root',
      key_type: 'ec',
      key_size: 256,
      validity_days: 3650,
    })
    expect(made.root).toMatchObject({
      id: expect.stringMatching(/^ca_/),
      name: 'acme-root',
      common_name: 'Acme Root CA',
      ca_type: 'root',
      key_type: 'ec',
      key_size: 256,
      valid_from: expect.stringMatching(TIME),
      is_active: true,
      certificates_issued: 0,
      created_at: expect.stringMatching(TIME),
    })
    expect(Date.parse(made.root.valid_until) - Date.parse(made.root.valid_from)).toBe(3_650 * 86_400_000)
    made.ca = await pki.call(201, 'POST', '/v1/pki/ca', {
      name: 'acme-mtls-intermediate',
      common_name: 'Acme mTLS Intermediate',
      ca_type: 'intermediate',
      parent_ca_id: made.root.id,
      key_type: 'ec',
      key_size: 256,
      validity_days: 1825,
    })
    expect(made.ca).toMatchObject({ ca_type: 'intermediate', parent_ca_id: made.root.id })
  })

  it('ok: listed, read, and the certificate as PEM, without a token too', async () => {
    const list = await pki.call(200, 'GET', '/v1/pki/ca')
    expect(list).toMatchObject({ data: [{ id: made.ca.id }, { id: made.root.id }], cursor: null, has_more: false })
    expect(await pki.call(200, 'GET', `/v1/pki/ca/${made.root.id}`)).toEqual(made.root)
    const path = `/v1/pki/ca/${made.root.id}/certificate`
    const anybody = await pki.service.api('GET', path, undefined, { token: null })
    expect(anybody.body.certificate_pem).toMatch(/^-----BEGIN CERTIFICATE-----\n/)
  })

  it('ok: rsa, 10 years and 5 years are the defaults', async () => {
    const body = { name: 'defaults', common_name: 'Defaults', ca_type: 'root' }
    const root = await pki.call(201, 'POST', '/v1/pki/ca', body)
    expect(root).toMatchObject({ key_type: 'rsa', key_size: 2048 })
    const below = { ...body, name: 'defaults-2', ca_type: 'intermediate', parent_ca_id: root.id }
    const intermediate = await pki.call(201, 'POST', '/v1/pki/ca', below)
    const days = (ca: ApiAnswer['body']) => (Date.parse(ca.valid_until) - Date.parse(ca.valid_from)) / 86_400_000
    expect([days(root), days(intermediate)]).toEqual([3_650, 1_825])
  })
})

describe('roles, issuing and signing', () => {
  it('ok: a role', async () => {
    const body = {
      name: 'svc-mtls',
      ca_id: made.ca.id,
      allowed_domains: ['*.svc.cluster.local', '*.internal'],
      allow_subdomains: true,
      allow_ip_sans: true,
      max_ttl: '720h',
      key_type: 'ec',
      key_bits: 256,
      require_cn: true,
    }
    const role = await pki.call(201, 'POST', '/v1/pki/roles', body)
    expect(role).toMatchObject({ ...body, max_ttl: 2_592_000, store_private_keys: false })
    expect(await pki.call(200, 'GET', '/v1/pki/roles/svc-mtls')).toEqual(role)
    expect((await pki.call(200, 'GET', '/v1/pki/roles')).data).toEqual([role])
    const changed = await pki.call(200, 'PATCH', '/v1/pki/roles/svc-mtls', { store_private_keys: true })
    expect(changed.store_private_keys).toBe(true)
    await pki.call(200, 'PATCH', '/v1/pki/roles/svc-mtls', { store_private_keys: false })
  })

  it('ok: a certificate, its key shown once', async () => {
    made.issued = await pki.call(201, 'POST', '/v1/pki/issue/svc-mtls', {
      common_name: 'billing.svc.cluster.local',
      alt_names: ['billing-api.svc.cluster.local'],
      ip_sans: ['10.0.5.100'],
      ttl: '168h',
    })
    expect(made.issued).toMatchObject({
      certificate: expect.stringMatching(/^-----BEGIN CERTIFICATE-----/),
      private_key: expect.stringMatching(/^-----BEGIN EC PRIVATE KEY-----/),
      private_key_type: 'ec',
      ca_chain: [expect.any(String), expect.any(String)],
      serial_number: expect.stringMatching(SERIAL),
      not_after: expect.stringMatching(TIME),
    })
    const read = await pki.service.api('POST', `/v1/pki/certificates/${made.issued.id}/private-key`)
    expect(read).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
  })

  it('ok: a CSR is signed, without a private key in the answer', async () => {
    const body = { csr_pem: await newCsr('worker.internal'), ttl: '168h' }
    const signed = await pki.call(201, 'POST', '/v1/pki/sign/svc-mtls', body)
    expect(signed).toMatchObject({ ca_chain: [expect.any(String), expect.any(String)] })
    expect(signed.private_key).toBeUndefined()
    const san = { dns: ['other.internal'], ip: ['10.0.0.1'] }
    const other = await pki.call(201, 'POST', '/v1/pki/sign/svc-mtls', { ...body, san })
    const { names } = await pki.call(200, 'GET', `/v1/pki/certificates/${other.id}`)
    expect(names).toEqual({ dns: ['worker.internal', 'other.internal'], ip: ['10.0.0.1'], email: [], uri: [] })
  })
})

describe('certificate requests', () => {
  it('ok: imported, read, approved, signed; each step once', async () => {
    const imported = await pki.call(201, 'POST', '/v1/pki/csr/import', { csr_pem: await newCsr('app.example.org') })
    expect(imported).toMatchObject({ id: expect.stringMatching(/^csr_/), status: 'pending' })
    const path = `/v1/pki/csr/${imported.id}`
    expect(await pki.call(200, 'GET', path)).toMatchObject({ subject: 'CN=app.example.org', key_type: 'ec' })
    const body = { ca_id: made.ca.id, validity_days: 90 }
    expect(await pki.service.api('POST', `${path}/sign`, body)).toMatchObject({ status: 409 })
    expect(await pki.call(200, 'POST', `${path}/approve`)).toMatchObject({ status: 'approved' })
    expect(await pki.service.api('POST', `${path}/reject`, { reason: 'late' })).toMatchObject({ status: 409 })
    const signed = await pki.call(201, 'POST', `${path}/sign`, body)
    expect(signed.serial_number).toMatch(SERIAL)
    expect(await pki.call(200, 'GET', path)).toMatchObject({ status: 'signed', certificate_id: signed.id })
    expect(await pki.service.api('POST', `${path}/sign`, body)).toMatchObject({ status: 409 })
  })

  it('ok: generated here, its key goes to the certificate; rejected with a reason; listed by status; deleted', async () => {
    const generate = () =>
      pki.call(201, 'POST', '/v1/pki/csr', {
        subject: { common_name: 'billing.svc.cluster.local' },
        san_dns: ['billing-api.svc.cluster.local'],
        key_type: 'ec',
        key_size: 256,
      })
    const first = await generate()
    const verified = await openssl(['req', '-in', 'a.pem', '-verify', '-noout'], { 'a.pem': first.csr_pem })
    expect(verified.stderr + verified.stdout).toContain('verify OK')
    await pki.call(200, 'POST', `/v1/pki/csr/${first.id}/approve`)
    const signed = await pki.call(201, 'POST', `/v1/pki/csr/${first.id}/sign`, { ca_id: made.ca.id })
    const { private_key_pem } = await pki.call(200, 'POST', `/v1/pki/certificates/${signed.id}/private-key`)
    const keyOf = async (args: readonly string[], pem: string) => (await openssl(args, { 'a.pem': pem })).stdout
    expect(await keyOf(['pkey', '-in', 'a.pem', '-pubout'], private_key_pem)).toBe(
      await keyOf(['x509', '-in', 'a.pem', '-noout', '-pubkey'], signed.certificate),
    )
    const second = await generate()
    const rejected = await pki.call(200, 'POST', `/v1/pki/csr/${second.id}/reject`, {
      reason: 'CN not in allowed scope',
    })
    expect(rejected).toMatchObject({ status: 'rejected', rejection_reason: 'CN not in allowed scope' })
    const list = await pki.call(200, 'GET', '/v1/pki/csr?status=rejected')
    expect(list.data.map(({ id }: { id: string }) => id)).toEqual([second.id])
    await pki.call(204, 'DELETE', `/v1/pki/csr/${second.id}`)
    expect(await pki.service.api('GET', `/v1/pki/csr/${second.id}`)).toMatchObject({ status: 404 })
  })
})

describe('certificates', () => {
  it('ok: listed by CA and by their end, read, tagged, as PEM', async () => {
    const list = await pki.call(200, 'GET', `/v1/pki/certificates?ca_id=${made.ca.id}&expiring_within=30d`)
    const [row] = list.data.filter(({ id }: { id: string }) => id === made.issued.id)
    expect(row).toMatchObject({
      common_name: 'billing.svc.cluster.local',
      issuer_ca_id: made.ca.id,
      serial_number: made.issued.serial_number,
      valid_until: made.issued.not_after,
      is_revoked: false,
    })
    const path = `/v1/pki/certificates/${made.issued.id}`
    const patched = await pki.call(200, 'PATCH', path, { tags: ['production'], description: 'the bills' })
    expect(patched).toMatchObject({ tags: ['production'], description: 'the bills' })
    expect((await pki.call(200, 'GET', '/v1/pki/certificates?tag=production')).data).toHaveLength(1)
    const pem = await pki.call(200, 'GET', `${path}/pem`)
    expect(pem.certificate_pem).toBe(made.issued.certificate + made.issued.ca_chain.join(''))
  })

  it('ok: validated', async () => {
    made.question = {
      certificate_pem: made.issued.certificate,
      chain_pem: made.issued.ca_chain[0],
      check_revocation: true,
    }
    const answer = await pki.call(200, 'POST', '/v1/pki/certificates/validate', made.question)
    expect(answer).toMatchObject({ valid: true, chain_valid: true, not_expired: true, not_revoked: true })
    expect(answer.trusted_anchor).toBe(made.root.id)
  })

  it('ok: renewed: a new version with a new key; the old one stays valid', async () => {
    const renewed = await pki.call(201, 'POST', `/v1/pki/certificates/${made.issued.id}/renew`, { ttl: '168h' })
    expect(renewed).toMatchObject({ id: made.issued.id, version: 2, private_key: expect.any(String) })
    expect(renewed.serial_number).not.toBe(made.issued.serial_number)
    const { data } = await pki.call(200, 'GET', `/v1/pki/certificates/${made.issued.id}/versions`)
    expect(data.map(({ version, is_revoked }: ApiAnswer['body']) => [version, is_revoked])).toEqual([
      [2, false],
      [1, false],
    ])
    expect(await pki.call(200, 'POST', '/v1/pki/certificates/validate', made.question)).toMatchObject({ valid: true })
  })

  it('ok: imported with its key, and found to be of the CA here', async () => {
    const elsewhere = await pki.call(201, 'POST', '/v1/pki/issue/svc-mtls', { common_name: 'moved.internal' })
    const again = await pki.service.api('POST', '/v1/pki/certificates/import', {
      certificate_pem: elsewhere.certificate,
    })
    expect(again).toMatchObject({ status: 409, body: { error: { code: 'already_exists' } } })
    const key = (await openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'])).stdout
    const request = [
      'req',
      '-x509',
      '-key',
      'k.pem',
      '-subj',
      '/CN=foreign.example',
      '-days',
      '9',
      '-addext',
      'basicConstraints=critical,CA:FALSE',
    ]
    const certificate = (await openssl(request, { 'k.pem': key })).stdout
    const body = { certificate_pem: certificate, private_key_pem: key }
    const imported = await pki.call(201, 'POST', '/v1/pki/certificates/import', body)
    expect(imported).toMatchObject({ source: 'imported', common_name: 'foreign.example', has_private_key: true })
    const other = { ...body, private_key_pem: elsewhere.private_key }
    expect(await pki.service.api('POST', '/v1/pki/certificates/import', other)).toMatchObject({ status: 400 })
  })

  it('ok: revoked by serial number, with every reason of the document', async () => {
    const body = { serial_number: made.issued.serial_number, reason: 'key_compromise' }
    const revoked = await pki.call(200, 'POST', '/v1/pki/revoke', body)
    expect(revoked).toMatchObject({ is_revoked: true, reason: 'key_compromise', serial_number: body.serial_number })
    expect(await pki.call(200, 'POST', '/v1/pki/revoke', { ...body, reason: 'superseded' })).toEqual({
      ...revoked,
      revoked_count: 0,
    })
    expect(await pki.call(200, 'POST', '/v1/pki/certificates/validate', made.question)).toMatchObject({
      valid: false,
      chain_valid: true,
      not_revoked: false,
    })
    const reasons = ['unspecified', 'ca_compromise', 'affiliation_changed', 'superseded', 'cessation_of_operation']
    for (const reason of [...reasons, 'certificate_hold', 'privilege_withdrawn', 'aa_compromise']) {
      const { serial_number } = await pki.call(201, 'POST', '/v1/pki/issue/svc-mtls', { common_name: 'r.internal' })
      // Any case, with or without colons.
      const serial = serial_number.replaceAll(':', '').toLowerCase()
      await pki.call(200, 'POST', '/v1/pki/revoke', { serial_number: serial, reason })
    }
    const shown = await openssl(['crl', '-in', 'a.pem', '-noout', '-text'], { 'a.pem': await pki.crlPem(made.ca.id) })
    for (const reason of [
      'Key Compromise',
      'CA Compromise',
      'Certificate Hold',
      'Privilege Withdrawn',
      'AA Compromise',
    ]) {
      expect(shown.stdout).toContain(reason)
    }
  })
})

describe('CRLs and trust anchors', () => {
  it('ok: DER by default, PEM by Accept, 304 by ETag, made anew on request', async () => {
    const url = `${pki.service.url}/v1/pki/ca/${made.ca.id}/crl`
    const der = await fetch(url)
    expect(der.headers.get('content-type')).toBe('application/pkix-crl')
    const pem = await fetch(url, { headers: { accept: 'application/x-pem-file' } })
    expect(await pem.text()).toMatch(/^-----BEGIN X509 CRL-----/)
    const same = await fetch(url, { headers: { 'if-none-match': der.headers.get('etag') ?? '' } })
    expect(same.status).toBe(304)
    const before = await pki.call(200, 'GET', `/v1/pki/ca/${made.ca.id}`)
    const made1 = await pki.call(200, 'POST', `/v1/pki/ca/${made.ca.id}/crl`)
    expect(made1.crl_number).toBe(before.crl_number + 1)
    expect(made1).toMatchObject({ crl_pem: expect.any(String), next_update: expect.stringMatching(TIME) })
    expect((await fetch(url, { headers: { 'if-none-match': der.headers.get('etag') ?? '' } })).status).toBe(200)
  })

  it('ok: a foreign root is trusted while it is an anchor', async () => {
    const key = (await openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'])).stdout
    const usage = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']
    const request = ['req', '-x509', '-key', 'k.pem', '-subj', '/CN=Vendor Root', '-days', '30', ...usage]
    const root = (await openssl(request, { 'k.pem': key })).stdout
    const body = { name: 'vendor-xyz-root', certificate_pem: root }
    const anchor = await pki.call(201, 'POST', '/v1/pki/trust-anchors', body)
    expect(anchor.id).toMatch(/^trust_anchor_/)
    expect((await pki.call(200, 'GET', '/v1/pki/trust-anchors')).data).toEqual([anchor])
    expect(await pki.call(200, 'GET', `/v1/pki/trust-anchors/${anchor.id}`)).toEqual(anchor)
    const ask = () => pki.call(200, 'POST', '/v1/pki/certificates/validate', { certificate_pem: root })
    expect((await ask()).trusted_anchor).toBe(anchor.id)
    await pki.call(204, 'DELETE', `/v1/pki/trust-anchors/${anchor.id}`)
    expect(await ask()).toMatchObject({ valid: false, trusted_anchor: null, errors: [{ code: 'root_not_trusted' }] })
  })

  it('ok: a CA is revoked with everything below it; its CRL is served on', async () => {
    const revoked = await pki.call(200, 'POST', `/v1/pki/ca/${made.ca.id}/revoke`, { reason: 'cessation_of_operation' })
    expect(revoked).toMatchObject({ is_active: false, status: 'revoked', revocation_in_progress: false })
    const all = await pki.call(200, 'GET', `/v1/pki/certificates?ca_id=${made.ca.id}`)
    expect(all.data).toEqual([])
    const refused = await pki.service.api('POST', '/v1/pki/issue/svc-mtls', { common_name: 'late.internal' })
    expect(refused).toMatchObject({ status: 422, body: { error: { code: 'policy_violation' } } })
    const shown = await openssl(['crl', '-in', 'a.pem', '-noout', '-text'], { 'a.pem': await pki.crlPem(made.root.id) })
    expect(shown.stdout).toContain(made.ca.serial_number.replaceAll(':', ''))
    await pki.call(200, 'POST', `/v1/pki/ca/${made.ca.id}/crl`)
    await pki.call(204, 'DELETE', '/v1/pki/roles/svc-mtls')
  })
})
