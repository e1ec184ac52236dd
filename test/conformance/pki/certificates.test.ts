/** openssl, pkilint and zlint as the judges of hierarchies of every kind of key. */
import { beforeAll, describe, expect, it } from 'vitest'
import { buildIntermediate } from '../../../src/pki/build-certificate.ts'
import type { Certificate } from '../../../src/pki/certificate.ts'
import type { KeySpec } from '../../../src/pki/keys.ts'
import { EKU } from '../../../src/pki/oids.ts'
import { formatPem } from '../../../src/pki/pem.ts'
import { formatSerial } from '../../../src/pki/serial.ts'
import { buildChallengeCertificate } from '../../../src/pki/tls-alpn-certificate.ts'
import { pkilint, zlint } from '../../support/linters.ts'
import { openssl } from '../../support/openssl.ts'
import {
  DAY_MS,
  NOW_MS,
  nameDer,
  parsed,
  type TestAuthority,
  testIntermediate,
  testLeaf,
  testRoot,
} from '../../support/pki-hierarchy.ts'

const SPECS: readonly (readonly [string, KeySpec])[] = [
  ['RSA 2048', { type: 'rsa', size: 2048 }],
  ['RSA 4096', { type: 'rsa', size: 4096 }],
  ['P-256', { type: 'ec', size: 256 }],
  ['P-384', { type: 'ec', size: 384 }],
  ['P-521', { type: 'ec', size: 521 }],
  ['Ed25519', { type: 'ed25519' }],
]
const pemOf = ({ der }: Certificate): string => formatPem('CERTIFICATE', der)
const AT = ['-attime', String(NOW_MS / 1_000 + 60)]

/** pkilint's profile for RFC 5280 has no wildcards, which RFC 5280 §4.2.1.6 leaves to others. */
const WILDCARD_FINDING = 'ERROR pkix.invalid_domain_name_syntax'

describe.each(SPECS)('%s', (_, spec) => {
  let root: TestAuthority
  let intermediate: TestAuthority
  let leaf: Certificate
  beforeAll(async () => {
    root = await testRoot(spec)
    intermediate = await testIntermediate(root, spec, { extKeyUsage: [EKU.serverAuth, EKU.clientAuth] })
    leaf = (await testLeaf(intermediate, spec)).certificate
  })

  it('ok: openssl verifies the chain strictly, for a name and an address in it', async () => {
    const files = {
      'root.pem': pemOf(root.certificate),
      'ca.pem': pemOf(intermediate.certificate),
      'leaf.pem': pemOf(leaf),
    }
    const args = [
      'verify',
      '-x509_strict',
      '-check_ss_sig',
      '-purpose',
      'sslserver',
      ...AT,
      '-CAfile',
      'root.pem',
      '-untrusted',
      'ca.pem',
    ]
    for (const host of [
      ['-verify_hostname', 'a.example.com'],
      ['-verify_ip', '192.0.2.1'],
    ]) {
      expect(await openssl([...args, ...host, 'leaf.pem'], files)).toMatchObject({
        exitCode: 0,
        stdout: 'leaf.pem: OK\n',
      })
    }
    const wrong = await openssl([...args, '-verify_hostname', 'example.org', 'leaf.pem'], files)
    expect(wrong.exitCode).not.toBe(0)
  })

  it('ok: openssl prints what was put in', async () => {
    const run = await openssl(['x509', '-in', 'leaf.pem', '-noout', '-text', '-serial', '-nameopt', 'RFC2253'], {
      'leaf.pem': pemOf(leaf),
    })
    expect(run.stdout).toContain(`serial=${formatSerial(leaf.serialNumber).replaceAll(':', '')}`)
    expect(run.stdout).toContain('Issuer: CN=Example Issuing CA I1,O=Example,C=CH')
    expect(run.stdout).toContain('DNS:www.example.com, DNS:*.example.com, IP Address:192.0.2.1')
    expect(run.stdout).toContain('TLS Web Server Authentication, TLS Web Client Authentication')
    expect(run.stdout).toContain('CA Issuers - URI:http://pki.example.com/ca/root.cer')
    expect(run.stdout).toContain('URI:http://pki.example.com/ca/root.crl')
    expect(run.stdout).toContain(spec.type === 'rsa' ? 'Digital Signature, Key Encipherment' : 'Digital Signature\n')
  })

  it('ok: pkilint and zlint find nothing wrong', async () => {
    for (const { certificate } of [root, intermediate]) {
      expect(await pkilint('lint_pkix_cert', [], pemOf(certificate))).toEqual([])
      expect(await zlint(pemOf(certificate))).toEqual([])
    }
    expect(await pkilint('lint_pkix_cert', [], pemOf(leaf))).toEqual([WILDCARD_FINDING])
    expect(await zlint(pemOf(leaf))).toEqual([])
    expect(
      await pkilint('lint_pkix_signer_signee_cert_chain', [], pemOf(root.certificate), pemOf(intermediate.certificate)),
    ).toEqual([])
    expect(
      await pkilint('lint_pkix_signer_signee_cert_chain', [], pemOf(intermediate.certificate), pemOf(leaf)),
    ).toEqual([])
  })
})

describe('certificates out of the ordinary', () => {
  const spec: KeySpec = { type: 'ec', size: 256 }
  let root: TestAuthority
  beforeAll(async () => {
    root = await testRoot(spec)
  })
  const findings = async (certificate: Certificate): Promise<string[]> => [
    ...(await pkilint('lint_pkix_cert', [], pemOf(certificate))),
    ...(await zlint(pemOf(certificate))),
  ]
  const NAMES = [{ type: 'dns', value: 'www.example.com' }] as const

  it('ok: without a subject, with names of every form, without revocation, past 2050, of one second', async () => {
    const nameless = await testLeaf(root, spec, { subjectDer: nameDer({}), altNames: NAMES })
    const every = await testLeaf(root, spec, {
      altNames: [
        ...NAMES,
        { type: 'dns', value: 'xn--bcher-kva.example' },
        { type: 'ip', value: new Uint8Array([0x20, 1, 0x0d, 0xb8, ...new Array<number>(11).fill(0), 1]) },
        { type: 'email', value: 'a@example.com' },
        { type: 'uri', value: 'https://example.com/service' },
      ],
    })
    const spiffe = await testLeaf(root, spec, { altNames: [{ type: 'uri', value: 'spiffe://example.com/ns/default' }] })
    // pkilint takes only schemes that its URI library knows; RFC 5280 §4.2.1.6 does not limit them.
    expect(await findings(spiffe.certificate)).toEqual(['ERROR pkix.invalid_uri_syntax'])
    const unrevocable = await testLeaf(root, spec, { altNames: NAMES, noRevocation: true, crlUris: [] })
    const late = await testLeaf(root, spec, { altNames: NAMES, notAfterMs: Date.UTC(2060, 0, 1) })
    const short = await testLeaf(root, spec, { altNames: NAMES, notAfterMs: NOW_MS })
    for (const { certificate } of [nameless, every, unrevocable, late, short])
      expect(await findings(certificate)).toEqual([])
    const text = await openssl(['x509', '-in', '0.pem', '-noout', '-ext', 'subjectAltName'], {
      '0.pem': pemOf(nameless.certificate),
    })
    expect(text.stdout).toContain('X509v3 Subject Alternative Name: critical')
  })

  it('ok: name constraints, which openssl enforces', async () => {
    const constrained = await testIntermediate(root, spec, {
      nameConstraints: {
        permitted: [{ type: 'dns', value: 'example.com' }],
        excluded: [
          { type: 'ip', value: new Uint8Array(8) },
          { type: 'ip', value: new Uint8Array(32) },
        ],
      },
    })
    expect(await findings(constrained.certificate)).toEqual([])
    const verify = async (value: string) => {
      const { certificate } = await testLeaf(constrained, spec, {
        altNames: [{ type: 'dns', value }],
        subjectDer: nameDer({}),
      })
      const files = {
        'root.pem': pemOf(root.certificate),
        'ca.pem': pemOf(constrained.certificate),
        'leaf.pem': pemOf(certificate),
      }
      return openssl(
        ['verify', '-x509_strict', ...AT, '-CAfile', 'root.pem', '-untrusted', 'ca.pem', 'leaf.pem'],
        files,
      )
    }
    expect(await verify('www.example.com')).toMatchObject({ exitCode: 0 })
    expect(await verify('www.example.org')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('permitted subtree violation'),
    })
  })

  it('ok: a chain through a cross-certificate, to the other root', async () => {
    const young = await testRoot({ type: 'ec', size: 384 }, { subjectDer: nameDer({ commonName: 'Young Root' }) })
    const cross = parsed(
      (
        await buildIntermediate(
          {
            subjectDer: young.certificate.subject.der,
            spkiDer: young.keyPair.spkiDer,
            notBeforeMs: NOW_MS,
            notAfterMs: NOW_MS + 365 * DAY_MS,
            pathLength: null,
            crlUris: ['http://pki.example.com/ca/old.crl'],
            caIssuerUris: ['http://pki.example.com/ca/old.cer'],
          },
          root.issuer,
        )
      ).der,
    )
    const { certificate } = await testLeaf(young, spec, { altNames: NAMES })
    const files = { 'old.pem': pemOf(root.certificate), 'cross.pem': pemOf(cross), 'leaf.pem': pemOf(certificate) }
    const run = await openssl(
      ['verify', '-x509_strict', ...AT, '-CAfile', 'old.pem', '-untrusted', 'cross.pem', 'leaf.pem'],
      files,
    )
    expect(run).toMatchObject({ exitCode: 0 })
    expect(await findings(cross)).toEqual([])
  })

  it('ok: the certificate for tls-alpn-01 is read by openssl (RFC 8737 §3)', async () => {
    const digest = new Uint8Array(32).fill(0xab)
    const { certificateDer } = await buildChallengeCertificate({
      name: NAMES[0],
      keyAuthorizationDigest: digest,
      nowMs: NOW_MS,
    })
    const run = await openssl(['x509', '-in', '0.pem', '-noout', '-text'], {
      '0.pem': formatPem('CERTIFICATE', certificateDer),
    })
    expect(run.stdout).toMatch(/1\.3\.6\.1\.5\.5\.7\.1\.31: critical\n\s+\. ?\./)
    expect(run.stdout).toContain('DNS:www.example.com')
  })
})
