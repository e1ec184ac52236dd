/**
 * Whatever is signed for a CSR: the request is written by another library, with what attackers ask for; the certificate is read by that
 * library and judged by the second statement of the rules. Nothing of the request but its key and its names is in it.
 */
import 'reflect-metadata'
import type { webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  type JsonGeneralName,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from '@peculiar/x509'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { reviewCsr } from '../../../../src/authority/issuing/csr-review.ts'
import {
  CSR_PATHS,
  namesOfCsr,
  type RequestedNames,
  resolveNames,
  SAN_PATHS,
} from '../../../../src/authority/roles/requested-names.ts'
import { checkNames } from '../../../../src/authority/roles/role-names.ts'
import { checkRolePolicy } from '../../../../src/authority/roles/role-policy.ts'
import { buildLeaf } from '../../../../src/pki/build-certificate.ts'
import { parseCsr } from '../../../../src/pki/csr.ts'
import { EKU } from '../../../../src/pki/oids.ts'
import type { RolePolicy } from '../../../../src/store/role-policy.ts'
import { DAY_MS, NOW_MS, nameDer, type TestAuthority, testRoot } from '../../../support/pki-hierarchy.ts'
import { dnsName, email, ipName, policies, requests, uri } from '../roles/arbitrary-roles.ts'
import { isAllowed, type ReadBack, readNames } from '../roles/naive-rules.ts'

/** What a role lets a leaf be for. */
const extKeyUsagesOf = ({ serverAuth, clientAuth }: RolePolicy): string[] => [
  ...(serverAuth ? [EKU.serverAuth] : []),
  ...(clientAuth ? [EKU.clientAuth] : []),
]
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const NAME_CONSTRAINTS = '2.5.29.30'
const UNKNOWN = '1.3.6.1.4.1.99999.1'
const CONSTRAINTS_DER = Uint8Array.of(0x30, 0x05, 0xa0, 0x03, 0x30, 0x01, 0x05)

interface Request {
  readonly subject: JsonName
  readonly names: readonly JsonGeneralName[]
  readonly extensions: readonly Extension[]
}

/** One edit that turns a name into one that some reader takes for another. */
const hostile = fc
  .tuple(
    dnsName,
    fc.constantFrom(
      (name: string) => `${name}.`,
      (name: string) => ` ${name}`,
      (name: string) => `${name}\0.evil.test`,
      (name: string) => `evil.test\0.${name}`,
      (name: string) => `f*.${name}`,
      (name: string) => `*.*.${name}`,
      (name: string) => `evil${name}`,
      (name: string) => `${name}.evil.test`,
      (name: string) => `evil.test,${name}`,
      (name: string) => `evil.test/${name}`,
      (name: string) => `evil.test#.${name}`,
      (name: string) => `xn--a.${name}`,
      (name: string) => `xn--${name}`,
      (name: string) => `..${name}`,
      (name: string) => `${name}\n`,
      (name: string) => `user@${name}`,
      (name: string) => `A <a@${name}>`,
      (name: string) => `https://user@${name}/..//?q#f`,
    ),
  )
  .map(([name, edit]) => edit(name.replace(/\u00fc/i, 'u')))
const plainDns = dnsName.filter((name) => /^[\x20-\x7e]*$/.test(name))
const plainEmail = email.filter((name) => /^[\x20-\x7e]*$/.test(name))
const named = (type: JsonGeneralName['type'], value: fc.Arbitrary<string>): fc.Arbitrary<JsonGeneralName> =>
  value.map((text) => ({ type, value: text }))
const altName: fc.Arbitrary<JsonGeneralName> = fc.oneof(
  { weight: 8, arbitrary: named('dns', plainDns) },
  // The library writes mixed notation as another address.
  {
    weight: 2,
    arbitrary: named(
      'ip',
      ipName.filter((address) => !/:.*\./.test(address)),
    ),
  },
  { weight: 2, arbitrary: named('email', plainEmail) },
  { weight: 2, arbitrary: named('url', uri) },
  { weight: 1, arbitrary: named('dns', fc.oneof(hostile, ipName)) },
  { weight: 1, arbitrary: named('email', hostile) },
  { weight: 1, arbitrary: named('url', hostile) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<JsonGeneralName>(
      { type: 'dn', value: 'CN=example.com' },
      { type: 'upn', value: 'a@example.com' },
      { type: 'id', value: '1.2.3.4' },
    ),
  },
)
const subject: fc.Arbitrary<JsonName> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<JsonName>([]) },
  {
    weight: 4,
    arbitrary: fc.oneof(dnsName, ipName, hostile, fc.constant('Billing Service')).map((name) => [{ CN: [name] }]),
  },
  { weight: 1, arbitrary: dnsName.map((name) => [{ O: ['Example Bank'] }, { CN: [name] }]) },
  { weight: 1, arbitrary: fc.tuple(dnsName, dnsName).map((names) => names.map((name) => ({ CN: [name] }))) },
)
const harmless: readonly Extension[] = [
  new BasicConstraintsExtension(false),
  new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyAgreement, true),
  new ExtendedKeyUsageExtension([EKU.serverAuth]),
  new Extension(UNKNOWN, false, Uint8Array.of(5, 0)),
]
const forbidden: readonly Extension[] = [
  new BasicConstraintsExtension(true, 3, true),
  new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign, true),
  new KeyUsagesExtension(KeyUsageFlags.cRLSign, false),
  new ExtendedKeyUsageExtension([EKU.serverAuth, EKU.codeSigning]),
  new ExtendedKeyUsageExtension([EKU.ocspSigning]),
  new ExtendedKeyUsageExtension([EKU.any]),
  new Extension(UNKNOWN, true, Uint8Array.of(5, 0)),
  new Extension(NAME_CONSTRAINTS, false, CONSTRAINTS_DER),
]
const csrs: fc.Arbitrary<Request> = fc.record({
  subject,
  names: fc.array(altName, { maxLength: 2 }),
  extensions: fc.oneof(
    { weight: 12, arbitrary: fc.constant([]) },
    { weight: 4, arbitrary: fc.constantFrom(...harmless).map((extension) => [extension]) },
    { weight: 2, arbitrary: fc.constantFrom(...forbidden).map((extension) => [extension]) },
  ),
})

describe('what is signed for a CSR', () => {
  let root: TestAuthority
  let keys: webcrypto.CryptoKeyPair
  beforeAll(async () => {
    root = await testRoot({ type: 'ec', size: 256 })
    keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  })

  async function write({ subject: name, names, extensions }: Request) {
    const altNames = names.length === 0 ? [] : [new SubjectAlternativeNameExtension([...names])]
    const request = { name, keys, signingAlgorithm: ALGORITHM, extensions: [...altNames, ...extensions] }
    return Pkcs10CertificateRequestGenerator.create(request)
  }

  /** The steps of signing under a role: the certificate, or what refused it. */
  async function sign(policy: RolePolicy, der: ArrayBuffer, override: RequestedNames | null) {
    const csr = parseCsr(new Uint8Array(der))
    if (!csr.ok) return { refused: 'malformed' } as const
    const { refusals } = reviewCsr(csr.value, { extKeyUsage: extKeyUsagesOf(policy), subject: 'common-name' })
    if (refusals.length > 0) return { refused: 'review' } as const
    const requested = namesOfCsr(csr.value)
    const names =
      override === null
        ? resolveNames(requested, CSR_PATHS)
        : resolveNames({ ...override, commonName: requested.commonName }, SAN_PATHS)
    if (!names.ok) return { refused: 'names' } as const
    if (checkNames(policy, names.value).length > 0) return { refused: 'role' } as const
    const { commonName, altNames } = names.value
    const leaf = await buildLeaf(
      {
        subjectDer: nameDer(commonName === null ? {} : { commonName }),
        spkiDer: csr.value.subjectPublicKeyInfo.der,
        notBeforeMs: NOW_MS,
        notAfterMs: NOW_MS + DAY_MS,
        altNames,
        extKeyUsage: extKeyUsagesOf(policy),
      },
      root.issuer,
    )
    return { certificate: new X509Certificate(leaf.der) } as const
  }

  /** RFC 5280 §4.2: each extension that a leaf has here, and what those that matter say. */
  function powersOf(certificate: X509Certificate) {
    return {
      types: certificate.extensions.map(({ type }) => type).filter((type) => !LEAF_EXTENSIONS.includes(type)),
      isCa: certificate.getExtension(BasicConstraintsExtension)?.ca ?? false,
      usages:
        (certificate.getExtension(KeyUsagesExtension)?.usages ?? 0) &
        (KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign),
      purposes: certificate.getExtension(ExtendedKeyUsageExtension)?.usages,
    }
  }
  const harmlessFor = (policy: RolePolicy) => ({ types: [], isCa: false, usages: 0, purposes: extKeyUsagesOf(policy) })

  it('ok: is within the role, and nothing but names of the request, all of them', async () => {
    const tally = { signed: 0, malformed: 0, review: 0, names: 0, role: 0 }
    await fc.assert(
      fc.asyncProperty(policies, csrs, async (written, request) => {
        const policy = checkRolePolicy(written)
        fc.pre(policy.ok)
        if (!policy.ok) return
        const csr = await write(request)
        const outcome = await sign(policy.value, csr.rawData, null)
        tally[outcome.refused ?? 'signed'] += 1
        const { certificate } = outcome
        if (certificate === undefined) return
        const names = readNames(certificate)
        expect({ request, names, isAllowed: isAllowed(policy.value, names) }).toMatchObject({ isAllowed: true })
        expect(names.items.filter((item) => !isWellFormed(item))).toEqual([])
        expect(powersOf(certificate)).toEqual(harmlessFor(policy.value))
        expect(request.extensions.filter((extension) => forbidden.includes(extension))).toEqual([])
        expect(new Set(names.items.map(({ value }) => value))).toEqual(new Set(wanted(request)))
      }),
      { numRuns: 1_500, maxSkipsPerRun: 20 },
    )
    expect(Math.min(tally.signed, tally.review, tally.names, tally.role)).toBeGreaterThan(50)
  })

  it('ok: with names given in place of those of the request, its common name counts all the same', async () => {
    const tally = { signed: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(policies, csrs, requests, async (written, request, override) => {
        const policy = checkRolePolicy(written)
        fc.pre(policy.ok)
        if (!policy.ok) return
        const csr = await write({ ...request, names: [] })
        const { certificate } = await sign(policy.value, csr.rawData, override)
        tally[certificate === undefined ? 'refused' : 'signed'] += 1
        if (certificate === undefined) return
        const names = readNames(certificate)
        expect({ request, names, isAllowed: isAllowed(policy.value, names) }).toMatchObject({ isAllowed: true })
        expect(names.items.map(({ value }) => value)).toEqual(expect.arrayContaining(wanted({ ...request, names: [] })))
        expect(powersOf(certificate)).toEqual(harmlessFor(policy.value))
      }),
      { numRuns: 500, maxSkipsPerRun: 20 },
    )
    // About fifty are signed: by chance seldom fewer than thirty, and never ten.
    expect(Math.min(tally.signed, tally.refused)).toBeGreaterThan(10)
  })
})

/** authorityKeyIdentifier, subjectKeyIdentifier, keyUsage, extKeyUsage, basicConstraints, subjectAltName. */
const LEAF_EXTENSIONS: readonly string[] = [
  '2.5.29.35',
  '2.5.29.14',
  '2.5.29.15',
  '2.5.29.37',
  '2.5.29.19',
  '2.5.29.17',
]

/** Text with a space inside, as `Billing Service` or `A <a@example.com>`, is in the subject alone: no reader takes it for a host. */
const FREE_TEXT = /^\S+ \S+$/

/** The names of a request as they have to stand in the certificate. */
function wanted({ subject: rdns, names }: Request): string[] {
  const common = rdns.flatMap(({ CN }) => (Array.isArray(CN) ? CN : [])).filter((text) => !FREE_TEXT.test(text))
  const domains = [...common, ...names.filter(({ type }) => type === 'dns' || type === 'ip').map(({ value }) => value)]
  const mailboxes = names.filter(({ type }) => type === 'email').map(({ value }) => value)
  return [
    ...domains.map((text) =>
      text.includes(':') ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text.toLowerCase(),
    ),
    ...mailboxes.map((text) => text.replace(/@.*/, (domain) => domain.toLowerCase())),
    ...names.filter(({ type }) => type === 'url').map(({ value }) => value),
  ].map((text) => text.replace('b\u00fccher', 'xn--bcher-kva'))
}

/** What a careful reader would take for a name of that type at all. */
function isWellFormed({ type, value }: ReadBack['items'][number]): boolean {
  const host = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/
  if (type === 'dns') return host.test(value.replace(/^\*\./, ''))
  if (type === 'email')
    return /^[A-Za-z.]+$/.test(value.split('@')[0] ?? '') && host.test(value.split('@').slice(1).join('@'))
  if (type === 'url') return /^(spiffe|https):\/\/[a-z.]+(\/[a-z]+)*$/.test(value)
  return type === 'ip'
}
