/** openssl as the other side: the certificates as it reads them, and what it can be made to ask for. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { reviewCsr } from '../../../../src/authority/issuing/csr-review.ts'
import {
  CSR_PATHS,
  namesOfCsr,
  type RequestedNames,
  resolveNames,
} from '../../../../src/authority/roles/requested-names.ts'
import { checkNames } from '../../../../src/authority/roles/role-names.ts'
import { checkRolePolicy } from '../../../../src/authority/roles/role-policy.ts'
import { formatAltName } from '../../../../src/pki/alt-name.ts'
import { buildLeaf } from '../../../../src/pki/build-certificate.ts'
import { parseCsr, verifyCsrSignature } from '../../../../src/pki/csr.ts'
import { EKU } from '../../../../src/pki/oids.ts'
import { formatCertificatesPem, parsePemOf } from '../../../../src/pki/pem.ts'
import type { RolePolicy } from '../../../../src/store/role-policy.ts'
import { openssl, opensslFile } from '../../../support/openssl.ts'
import { DAY_MS, NOW_MS, nameDer, type TestAuthority, testRoot } from '../../../support/pki-hierarchy.ts'
import { policies, requests } from '../roles/arbitrary-roles.ts'
import { comparable, isAllowed, type ReadBack } from '../roles/naive-rules.ts'

const SAMPLES = 30
const PATHS = { commonName: 'common_name', dns: 'dns', ip: 'ip', email: 'email', uri: 'uri' }
const TYPES: Readonly<Record<string, string>> = { DNS: 'dns', 'IP Address': 'ip', email: 'email', URI: 'url' }

describe('a certificate as openssl reads it', () => {
  let root: TestAuthority
  beforeAll(async () => {
    root = await testRoot({ type: 'ec', size: 256 })
  })

  async function read(pem: string): Promise<ReadBack> {
    const args = [
      'x509',
      '-in',
      'leaf.pem',
      '-noout',
      '-subject',
      '-nameopt',
      'multiline,utf8,-esc_msb',
      '-ext',
      'subjectAltName',
    ]
    const { stdout } = await openssl(args, { 'leaf.pem': pem })
    const lines = stdout.split('\n').map((line) => line.trim())
    const title = lines.findIndex((line) => line.startsWith('X509v3 Subject Alternative Name'))
    const items = title < 0 ? [] : (lines[title + 1] ?? '').split(', ')
    return {
      commonName: /commonName += (.*)/.exec(stdout)?.[1] ?? null,
      items: items.map((item) => {
        const [kind = '', ...value] = item.split(':')
        return { type: TYPES[kind] ?? kind, value: value.join(':') }
      }),
    }
  }

  it(`ok: ${SAMPLES} that roles allow, as their rules say`, async () => {
    const allowed = fc.sample(fc.tuple(policies, requests), 1_000).flatMap(([written, request]) => {
      const policy = checkRolePolicy(written)
      const names = resolveNames(request, PATHS)
      if (!policy.ok || !names.ok || checkNames(policy.value, names.value).length > 0) return []
      return [{ policy: policy.value, names: names.value, request }]
    })
    for (const { policy, names, request } of allowed.slice(0, SAMPLES)) {
      const { der } = await buildLeaf(
        {
          subjectDer: nameDer(names.commonName === null ? {} : { commonName: names.commonName }),
          spkiDer: root.keyPair.spkiDer,
          notBeforeMs: NOW_MS,
          notAfterMs: NOW_MS + DAY_MS,
          altNames: names.altNames,
          extKeyUsage: [EKU.serverAuth],
        },
        root.issuer,
      )
      const readBack = await read(formatCertificatesPem([der]))
      const told = { policy, request, readBack }
      expect({ ...told, allowed: isAllowed(policy, readBack) }).toEqual({ ...told, allowed: true })
      expect(readBack.items.map(({ value }) => comparable(value))).toEqual(
        names.altNames.map((name) => comparable(formatAltName(name))),
      )
      expect(readBack.commonName).toBe(names.commonName)
    }
    expect(allowed.length).toBeGreaterThanOrEqual(SAMPLES)
  })
})

const ROLE: RolePolicy = {
  allowedDomains: ['*.example.com'],
  allowSubdomains: false,
  allowBareDomains: true,
  allowWildcardCertificates: true,
  allowAnyName: false,
  allowLocalhost: false,
  allowIpSans: true,
  allowedIpRanges: ['10.0.0.0/8', '::/0'],
  allowedUriSans: ['spiffe://example.org/ns/*'],
  allowedEmailDomains: ['example.com'],
  maxTtlSeconds: 3_600,
  defaultTtlSeconds: 3_600,
  keyType: 'ec',
  keyBits: 256,
  requireCn: false,
  storePrivateKeys: false,
  serverAuth: true,
  clientAuth: false,
  keyUsages: null,
  notBeforeBackdateSeconds: 30,
  hasDefaultTtl: true,
  subject: {},
  extKeyUsages: [],
  noRevAvail: false,
}

describe('a request as openssl writes it', () => {
  /** What refuses it; empty where a certificate would follow. */
  async function refusals(extensions: readonly string[], subject: readonly string[]): Promise<readonly string[]> {
    const config = [
      '[req]',
      'prompt = no',
      'utf8 = yes',
      'distinguished_name = subject',
      ...(extensions.length === 0 ? [] : ['req_extensions = extensions']),
      '[subject]',
      ...subject,
      '[extensions]',
      ...extensions,
      '[directory]',
      'CN = example.com',
      '[constraints]',
      'permitted;DNS.0 = example.com',
    ]
    const args = ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', 'key.pem']
    const pem = await opensslFile([...args, '-config', 'req.cnf', '-out', 'csr.pem'], 'csr.pem', {
      'req.cnf': config.join('\n'),
    })
    const ders = parsePemOf('CERTIFICATE REQUEST', new TextDecoder().decode(pem))
    if (!ders.ok) throw ders.error
    const parsed = parseCsr(ders.value[0] ?? new Uint8Array())
    if (!parsed.ok) throw parsed.error
    const csr = parsed.value
    expect((await verifyCsrSignature(csr)).ok).toBe(true)
    const review = reviewCsr(csr, { extKeyUsage: [EKU.serverAuth], subject: 'common-name' })
    const requested: RequestedNames = namesOfCsr(csr)
    const names = resolveNames(requested, CSR_PATHS)
    const wrong = (names.ok ? checkNames(ROLE, names.value) : names.error).map(({ message }) => message)
    return [...review.refusals, ...wrong]
  }

  it.each<[string, readonly string[], readonly string[]]>([
    ['a common name alone', [], ['CN = a.example.com']],
    ['a name beside it', ['subjectAltName = DNS:b.example.com'], ['CN = a.example.com']],
    ['no subject name of its own', ['subjectAltName = critical,DNS:b.example.com'], ['O = Example']],
    ['a wildcard of the pattern', ['subjectAltName = DNS:*.example.com'], ['CN = *.example.com']],
    [
      'every kind',
      ['subjectAltName = IP:10.0.0.1,IP:fd00::1,email:a@example.com,URI:spiffe://example.org/ns/a'],
      ['O = Example'],
    ],
    [
      'usages of a leaf',
      ['basicConstraints = CA:FALSE', 'keyUsage = critical,digitalSignature', 'extendedKeyUsage = serverAuth'],
      ['CN = a.example.com'],
    ],
  ])('ok: %s', async (_, extensions, subject) => {
    expect(await refusals(extensions, subject)).toEqual([])
  })

  const SUBJECT = ['CN = a.example.com']
  it.each<[string, readonly string[], readonly string[], string]>([
    ['a wildcard above the pattern', ['subjectAltName = DNS:*.com'], SUBJECT, '*.com: '],
    ['a wildcard above it by common name', [], ['CN = *.com'], '*.com: '],
    ['a wildcard below it', ['subjectAltName = DNS:*.a.example.com'], SUBJECT, '*.a.example.com: '],
    ['half a wildcard', ['subjectAltName = DNS:f*.example.com'], SUBJECT, 'left-most label'],
    ['half a wildcard by common name', [], ['CN = f*.example.com'], 'left-most label'],
    ['the bare name', ['subjectAltName = DNS:example.com'], SUBJECT, 'example.com: '],
    ['a trailing dot', ['subjectAltName = DNS:b.example.com.'], SUBJECT, 'empty label'],
    ['an address as dNSName', ['subjectAltName = DNS:10.0.0.1'], SUBJECT, 'belongs to the IP names'],
    ['another common name', ['subjectAltName = DNS:a.example.com'], ['CN = evil.test'], 'evil.test: '],
    ['two common names', [], ['0.CN = a.example.com', '1.CN = b.example.com'], 'more than one common name'],
    ['a mapped address', ['subjectAltName = IP:::ffff:192.0.2.1'], SUBJECT, '::ffff:192.0.2.1: '],
    ['a mailbox with its owner', ['subjectAltName = email:A <a@example.com>'], SUBJECT, 'e-mail address'],
    ['a user in a URI', ['subjectAltName = URI:spiffe://u@example.org/ns/a'], SUBJECT, 'allowed_uri_sans'],
    ['a segment of dots', ['subjectAltName = URI:spiffe://example.org/ns/../a'], SUBJECT, 'allowed_uri_sans'],
    ['otherName', ['subjectAltName = otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@example.com'], SUBJECT, 'otherName'],
    ['directoryName', ['subjectAltName = dirName:directory'], SUBJECT, 'directoryName'],
    ['registeredID', ['subjectAltName = RID:1.2.3.4'], SUBJECT, 'registeredID'],
    ['a CA', ['basicConstraints = critical,CA:TRUE,pathlen:0'], SUBJECT, 'CA:TRUE'],
    ['signing certificates', ['keyUsage = keyCertSign'], SUBJECT, 'keyCertSign'],
    ['signing CRLs', ['keyUsage = cRLSign'], SUBJECT, 'cRLSign'],
    ['a purpose of another role', ['extendedKeyUsage = serverAuth,clientAuth'], SUBJECT, 'clientAuth'],
    ['signing code', ['extendedKeyUsage = codeSigning'], SUBJECT, 'codeSigning'],
    ['any purpose', ['extendedKeyUsage = anyExtendedKeyUsage'], SUBJECT, 'usage any'],
    ['name constraints', ['nameConstraints = @constraints'], SUBJECT, 'nameConstraints'],
    ['a critical unknown extension', ['1.3.6.1.4.1.99999.1 = critical,DER:0500'], SUBJECT, '1.3.6.1.4.1.99999.1'],
  ])('fail: %s', async (_, extensions, subject, text) => {
    expect(await refusals(extensions, subject)).toEqual([expect.stringContaining(text)])
  })
})
