/** The internal PKI, judged by openssl: hierarchies of every kind of key, CRLs by the addresses in certificates, keys, PKCS#12. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pkilint, zlint } from '../support/linters.ts'
import { openssl, runIn } from '../support/openssl.ts'
import { type KeyFields, type PkiSetup, startPkiSetup, textOf, verifyWithCrls } from '../support/pki-setup.ts'

let pki: PkiSetup
beforeAll(async () => {
  pki = await startPkiSetup()
})
afterAll(() => pki?.service.stop())

const KINDS: readonly (readonly [string, KeyFields, string])[] = [
  ['rsa 2048', { key_type: 'rsa', key_size: 2048 }, 'RSA PRIVATE KEY'],
  ['rsa 3072', { key_type: 'rsa', key_size: 3072 }, 'RSA PRIVATE KEY'],
  ['rsa 4096', { key_type: 'rsa', key_size: 4096 }, 'RSA PRIVATE KEY'],
  ['ec 256', { key_type: 'ec', key_size: 256 }, 'EC PRIVATE KEY'],
  ['ec 384', { key_type: 'ec', key_size: 384 }, 'EC PRIVATE KEY'],
  ['ec 521', { key_type: 'ec', key_size: 521 }, 'EC PRIVATE KEY'],
  ['ed25519', { key_type: 'ed25519' }, 'PRIVATE KEY'],
]

describe.each(KINDS)('%s', (kind, key, label) => {
  const name = kind.replace(' ', '-')

  it('ok: openssl verifies leaf, intermediate and root with all CRLs; linters find nothing wrong', async () => {
    const root = await pki.createCa(`${name}-root`, key)
    const intermediate = await pki.createCa(`${name}-sub`, { ...key, parent_ca_id: root.id })
    await pki.createRole(name, intermediate.id, { key_type: key.key_type, key_bits: key.key_size, allow_ip_sans: true })
    const more = { alt_names: ['b.svc.internal'], ip_sans: ['10.0.5.100'] }
    const issued = await pki.issue(name, 'a.svc.internal', more)
    const crls = await Promise.all([root.id, intermediate.id].map((id) => pki.crlPem(id)))
    const asked = ['-purpose', 'sslserver', '-verify_hostname', 'b.svc.internal']
    const run = await verifyWithCrls(issued.certificate, issued.ca_chain, crls, asked)
    expect(run).toMatchObject({ exitCode: 0 })
    for (const [index, pem] of [issued.certificate, ...issued.ca_chain].entries()) {
      const findings = [...(await pkilint('lint_pkix_cert', [], pem)), ...(await zlint(pem))]
      expect({ index, errors: findings.filter((finding) => /^(ERROR|FATAL|error|fatal)/.test(finding)) }).toEqual({
        index,
        errors: [],
      })
    }
    for (const crl of crls) {
      const findings = await pkilint('lint_crl', ['-t', 'CRL', '-p', 'PKIX'], crl)
      expect(findings.filter((finding) => /^(ERROR|FATAL)/.test(finding))).toEqual([])
    }

    // The key, in its traditional form, read by openssl and by Node, is that of the certificate.
    expect(issued.private_key).toContain(`-----BEGIN ${label}-----`)
    const read = await openssl(['pkey', '-in', 'k.pem', '-check', '-noout'], { 'k.pem': issued.private_key })
    expect(read).toMatchObject({ exitCode: 0 })
    const certificate = new X509Certificate(issued.certificate)
    expect(certificate.checkPrivateKey(createPrivateKey(issued.private_key))).toBe(true)
    const pkcs8 = await pki.issue(name, 'c.svc.internal', { private_key_format: 'pkcs8' })
    expect(pkcs8.private_key).toContain('-----BEGIN PRIVATE KEY-----')
  })
})

describe('certificates', () => {
  it('ok: their addresses lead to the CRL and to the issuer', async () => {
    const root = await pki.createCa('addresses')
    await pki.createRole('addresses', root.id)
    const issued = await pki.issue('addresses', 'a.svc.internal')
    const text = await textOf(issued.certificate)
    const [crlUrl, issuerUrl] = [/URI:(\S+\/crl)\b/, /CA Issuers - URI:(\S+)/].map((form) => form.exec(text)?.[1] ?? '')
    const crl = new Uint8Array(await (await fetch(crlUrl as string)).arrayBuffer())
    const issuer = new Uint8Array(await (await fetch(issuerUrl as string)).arrayBuffer())
    const files = { 'crl.der': crl, 'issuer.der': issuer, 'leaf.pem': issued.certificate }
    const crlRun = await openssl(['crl', '-inform', 'DER', '-in', 'crl.der', '-CAfile', 'ca.pem', '-noout'], {
      ...files,
      'ca.pem': issued.ca_chain[0],
    })
    expect(crlRun.stderr).toContain('verify OK')
    const print = await openssl(['x509', '-inform', 'DER', '-in', 'issuer.der', '-noout', '-subject'], files)
    expect(print.stdout).toContain('addresses CA')
  })

  it('ok: no subject makes the alternative name critical; the issuer is the CA’s subject byte for byte', async () => {
    // As openssl writes it: UTF8String, which re-encoding would turn into PrintableString.
    const key = (await openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'])).stdout
    const usage = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']
    const request = [
      'req',
      '-x509',
      '-key',
      'k.pem',
      '-subj',
      '/O=Old Ltd/CN=Old Root',
      '-days',
      '30',
      '-utf8',
      ...usage,
    ]
    const certificate = (await openssl(request, { 'k.pem': key })).stdout
    const imported = await pki.call(201, 'POST', '/v1/pki/ca/import', {
      name: 'old-root',
      certificate_pem: certificate,
      private_key_pem: key,
    })
    await pki.createRole('nameless', imported.id, { require_cn: false })
    const issued = await pki.call(201, 'POST', '/v1/pki/issue/nameless', { alt_names: ['a.svc.internal'], ttl: '1h' })
    expect(await textOf(issued.certificate)).toContain('X509v3 Subject Alternative Name: critical')
    const crl = await pki.crlPem(imported.id)
    expect(await verifyWithCrls(issued.certificate, issued.ca_chain, [crl])).toMatchObject({ exitCode: 0 })
    const dn = async (pem: string, which: 'issuer' | 'subject') => {
      const args = ['x509', '-in', 'a.pem', '-noout', `-${which}`, '-nameopt', 'show_type,sep_comma_plus,utf8']
      return (await openssl(args, { 'a.pem': pem })).stdout.replace(/^\w+=/, '')
    }
    expect(await dn(issued.certificate, 'issuer')).toBe(await dn(certificate, 'subject'))
    expect(await dn(issued.certificate, 'issuer')).toContain('UTF8STRING')
  })

  it('ok: after 2049 a time is a GeneralizedTime', async () => {
    const root = await pki.createCa('far', { validity_days: 36_500 })
    const { body } = await pki.service.api('GET', `/v1/pki/ca/${root.id}/certificate`)
    const run = await openssl(['asn1parse', '-in', 'a.pem'], { 'a.pem': body.certificate_pem })
    expect(run.stdout).toMatch(/UTCTIME[\s\S]+GENERALIZEDTIME/)
  })

  it('ok: three CAs deep, within their path lengths, and under name constraints', async () => {
    const root = await pki.createCa('deep-0', { max_path_length: 2, permitted_dns_domains: ['svc.internal'] })
    const one = await pki.createCa('deep-1', { parent_ca_id: root.id })
    const two = await pki.createCa('deep-2', { parent_ca_id: one.id })
    expect([one.max_path_length, two.max_path_length]).toEqual([1, 0])
    await pki.createRole('deep', two.id, { allow_any_name: true })
    const issued = await pki.issue('deep', 'a.svc.internal')
    const crls = await Promise.all([root.id, one.id, two.id].map((id) => pki.crlPem(id)))
    expect(await verifyWithCrls(issued.certificate, issued.ca_chain, crls)).toMatchObject({ exitCode: 0 })
    const outside = await pki.service.api('POST', '/v1/pki/issue/deep', { common_name: 'a.other.internal' })
    expect(outside).toMatchObject({ status: 422, body: { error: { code: 'policy_violation' } } })
    const deeper = { name: 'deep-3', common_name: 'x', ca_type: 'intermediate', parent_ca_id: two.id }
    expect(await pki.service.api('POST', '/v1/pki/ca', deeper)).toMatchObject({ status: 422 })
  })

  it('ok: parts of a CRL: each certificate names its own, and the whole list has all', async () => {
    const root = await pki.createCa('parts', { crl_partitions: 3 })
    await pki.createRole('parts', root.id)
    const issued = await Promise.all([...'abcdef'].map((letter) => pki.issue('parts', `${letter}.svc.internal`)))
    for (const { serial_number } of issued) await pki.call(200, 'POST', '/v1/pki/revoke', { serial_number })
    for (const { certificate, ca_chain, serial_number } of issued) {
      const url = /URI:(\S+\/crl\/[123])\b/.exec(await textOf(certificate))?.[1] ?? ''
      const part = await (await fetch(url, { headers: { accept: 'application/x-pem-file' } })).text()
      const shown = await openssl(['crl', '-in', 'a.pem', '-noout', '-text'], { 'a.pem': part })
      expect(shown.stdout).toMatch(/Issuing Distribution Point: critical/)
      expect(shown.stdout).toContain(serial_number.replaceAll(':', ''))
      const run = await verifyWithCrls(certificate, ca_chain, [part])
      expect(run.stderr).toContain('certificate revoked')
    }
    const whole = await openssl(['crl', '-in', 'a.pem', '-noout', '-text'], { 'a.pem': await pki.crlPem(root.id) })
    expect(whole.stdout.match(/Serial Number:/g)).toHaveLength(6)
    expect((await fetch(`${pki.service.url}/v1/pki/ca/${root.id}/crl/4`)).status).toBe(404)
  })

  it('ok: PKCS#12 that openssl and keytool open', async () => {
    const root = await pki.createCa('p12')
    await pki.createRole('p12', root.id, { store_private_keys: true })
    const issued = await pki.issue('p12', 'a.svc.internal')
    const response = await fetch(`${pki.service.url}/v1/pki/certificates/${issued.id}/export`, {
      method: 'POST',
      headers: { authorization: `Bearer ${pki.service.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ passphrase: 'correct horse' }),
    })
    const files = { 'a.p12': new Uint8Array(await response.arrayBuffer()) }
    const run = await openssl(['pkcs12', '-in', 'a.p12', '-nodes', '-passin', 'pass:correct horse', '-info'], files)
    expect(run.stdout).toContain('-----BEGIN PRIVATE KEY-----')
    expect(run.stderr).toMatch(/AES-256-CBC/)
    const keytool = ['-list', '-keystore', 'a.p12', '-storepass', 'correct horse']
    expect((await runIn('keytool', keytool, files)).stdout).toContain('PrivateKeyEntry')
    const kept = await pki.call(200, 'POST', `/v1/pki/certificates/${issued.id}/private-key`)
    expect(new X509Certificate(issued.certificate).checkPrivateKey(createPrivateKey(kept.private_key_pem))).toBe(true)
  })
})
