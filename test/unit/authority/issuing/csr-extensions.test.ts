/** What a CSR asks for beyond its key and names: refused by name, or left out and said. Nothing of it is copied. */

import { beforeAll, describe, expect, it } from 'vitest'
import { type CsrAllowance, reviewCsr } from '../../../../src/authority/issuing/csr-review.ts'
import type { Bytes } from '../../../../src/core/bytes.ts'
import {
  acmeIdentifierExtension,
  authorityInfoAccessExtension,
  authorityKeyIdentifierExtension,
  caConstraintsExtension,
  crlDistributionPointsExtension,
  derExtension,
  endEntityConstraintsExtension,
  extKeyUsageExtension,
  keyUsageExtension,
  nameConstraintsExtension,
  noRevAvailExtension,
  subjectAltNameExtension,
  subjectKeyIdentifierExtension,
} from '../../../../src/pki/build-extensions.ts'
import { readCsrPem } from '../../../../src/pki/csr.ts'
import { contextConstructed, contextPrimitive } from '../../../../src/pki/der/tags.ts'
import {
  derExplicit,
  derInteger,
  derNull,
  derOid,
  derSequence,
  derSetOf,
  derUtf8String,
  derValue,
} from '../../../../src/pki/der/writer.ts'
import { generateKeyPair, type KeyPair } from '../../../../src/pki/keys.ts'
import { ATTRIBUTE, EKU, EXTENSION } from '../../../../src/pki/oids.ts'
import { forgeCsr } from '../../../support/csr-forge.ts'

const UNKNOWN = '1.3.6.1.4.1.99999.1'
/** RFC 7633 §4.1. */
const TLS_FEATURE = '1.3.6.1.5.5.7.1.24'
const ROLE: CsrAllowance = { extKeyUsage: [EKU.serverAuth, EKU.clientAuth], subject: 'common-name' }
const attribute = (oid: string, value: Bytes): Bytes => derSetOf(derSequence(derOid(oid), value))
const COMMON_NAME = attribute(ATTRIBUTE.commonName, derUtf8String('example.com'))

describe('extensions of a CSR', () => {
  let pair: KeyPair
  beforeAll(async () => {
    pair = await generateKeyPair({ type: 'ec', size: 256 })
  })

  async function review(extensions: readonly Bytes[], rdns: readonly Bytes[] = [COMMON_NAME], allowance = ROLE) {
    const csr = readCsrPem(await forgeCsr({ subjectDer: derSequence(...rdns), extensions, pair }))
    if (!csr.ok) throw new Error(csr.error)
    return reviewCsr(csr.value, allowance)
  }
  const altNames = (...names: readonly Bytes[]): Bytes =>
    derExtension(EXTENSION.subjectAltName, false, derSequence(...names))

  it('ok: a CSR that asks for names alone has nothing to be said', async () => {
    const names = subjectAltNameExtension([{ type: 'dns', value: 'example.com' }], true)
    expect(await review([names])).toEqual({ refusals: [], warnings: [] })
    expect(await review([])).toEqual({ refusals: [], warnings: [] })
  })
  it('ok: an end entity says that it is one', async () => {
    expect(await review([endEntityConstraintsExtension()])).toEqual({ refusals: [], warnings: [] })
  })
  it('ok: usages that a leaf may have, even where they are critical', async () => {
    const usages = [keyUsageExtension(['digitalSignature', 'keyEncipherment']), extKeyUsageExtension([EKU.serverAuth])]
    expect(await review(usages)).toMatchObject({ refusals: [] })
  })
  it.each([
    ['extKeyUsage', extKeyUsageExtension([EKU.serverAuth, EKU.clientAuth])],
    ['keyUsage', derExtension(EXTENSION.keyUsage, false, new Uint8Array([3, 2, 7, 0x80]))],
    ['subjectKeyIdentifier', subjectKeyIdentifierExtension(new Uint8Array(20))],
    ['crlDistributionPoints', crlDistributionPointsExtension(['http://evil.test/crl'])],
    ['authorityInfoAccess', authorityInfoAccessExtension({ caIssuerUris: [], ocspUris: ['http://evil.test'] })],
    ['noRevAvail', noRevAvailExtension()],
    ['certificatePolicies', derExtension(EXTENSION.certificatePolicies, false, derSequence())],
    [TLS_FEATURE, derExtension(TLS_FEATURE, false, derSequence(derInteger(5)))],
    [UNKNOWN, derExtension(UNKNOWN, false, derNull())],
  ])('ok: %s is not copied, and named', async (name, extension) => {
    expect(await review([extension])).toEqual({
      refusals: [],
      warnings: [`The extension ${name} of the CSR is not copied: it follows from the role`],
    })
  })

  it.each([
    ['a CA', caConstraintsExtension(null), 'basicConstraints CA:TRUE'],
    ['a CA with a path length', caConstraintsExtension(0), 'basicConstraints CA:TRUE'],
    ['signing certificates', keyUsageExtension(['digitalSignature', 'keyCertSign']), 'keyCertSign'],
    ['signing CRLs', keyUsageExtension(['cRLSign']), 'cRLSign'],
    ['any purpose', extKeyUsageExtension([EKU.serverAuth, EKU.any]), 'usage any'],
    ['signing code', extKeyUsageExtension([EKU.codeSigning]), 'codeSigning'],
    ['signing OCSP answers', extKeyUsageExtension([EKU.ocspSigning]), 'ocspSigning'],
    ['an unknown purpose', extKeyUsageExtension([UNKNOWN]), UNKNOWN],
    [
      'name constraints',
      nameConstraintsExtension({ permitted: [{ type: 'dns', value: 'a' }], excluded: [] }),
      'nameConstraints',
    ],
    ['policy constraints', derExtension(EXTENSION.policyConstraints, false, derSequence()), 'policyConstraints'],
    ['policy mappings', derExtension(EXTENSION.policyMappings, false, derSequence()), 'policyMappings'],
    ['no other policy', derExtension(EXTENSION.inhibitAnyPolicy, true, derInteger(0)), 'inhibitAnyPolicy'],
    ['names of the issuer', derExtension(EXTENSION.issuerAltName, false, derSequence()), 'issuerAltName'],
    ['a key of the issuer', authorityKeyIdentifierExtension(new Uint8Array(20)), 'authorityKeyIdentifier'],
    ['an answer to a challenge', acmeIdentifierExtension(new Uint8Array(32)), 'acmeIdentifier'],
    ['one that is not critical', derExtension(EXTENSION.acmeIdentifier, false, derNull()), 'acmeIdentifier'],
    [
      'no other policy, not critical',
      derExtension(EXTENSION.inhibitAnyPolicy, false, derInteger(0)),
      'inhibitAnyPolicy',
    ],
    ['a critical unknown one', derExtension(UNKNOWN, true, derNull()), UNKNOWN],
    ['a critical TLS feature', derExtension(TLS_FEATURE, true, derSequence(derInteger(5))), TLS_FEATURE],
    ['critical policies', derExtension(EXTENSION.certificatePolicies, true, derSequence()), 'certificatePolicies'],
  ])('fail: %s', async (_, extension, name) => {
    expect((await review([extension])).refusals).toEqual([expect.stringContaining(name)])
  })
  it('fail: a purpose that the role does not have, though others have it', async () => {
    const forServers: CsrAllowance = { ...ROLE, extKeyUsage: [EKU.serverAuth] }
    const { refusals } = await review(
      [extKeyUsageExtension([EKU.serverAuth, EKU.clientAuth])],
      [COMMON_NAME],
      forServers,
    )
    expect(refusals).toEqual([expect.stringContaining('clientAuth')])
  })
  it('fail: everything is refused at once', async () => {
    const asked = [
      caConstraintsExtension(null),
      keyUsageExtension(['keyCertSign', 'cRLSign']),
      extKeyUsageExtension([EKU.any]),
    ]
    expect((await review(asked)).refusals).toHaveLength(4)
  })

  it('fail: of thousands of sentences the first are said', async () => {
    const oids = Array.from({ length: 2_000 }, (_, index) => `${UNKNOWN}.${index}`)
    const { refusals } = await review([extKeyUsageExtension(oids)])
    expect(refusals).toHaveLength(21)
    expect(refusals[0]).toContain(`${UNKNOWN}.0`)
    expect(refusals[20]).toBe('1980 more are not listed')
    const { warnings } = await review(oids.map((oid) => derExtension(oid, false, derNull())))
    expect(warnings).toHaveLength(21)
  })
  it('fail: the same sentence is said once', async () => {
    const ids = [UNKNOWN, `${UNKNOWN}.1`].map((oid) => derValue(contextPrimitive(8), derOid(oid).subarray(2)))
    expect((await review([altNames(...ids)])).refusals).toHaveLength(1)
  })

  it.each([
    [
      'otherName (1.3.6.1.4.1.311.20.2.3)',
      derValue(contextConstructed(0), derOid('1.3.6.1.4.1.311.20.2.3'), derExplicit(0, derUtf8String('a@b.test'))),
    ],
    ['directoryName', derExplicit(4, derSequence(COMMON_NAME))],
    ['registeredID', derValue(contextPrimitive(8), derOid(UNKNOWN).subarray(2))],
    ['x400Address or ediPartyName', derValue(contextConstructed(5), derNull())],
  ])('fail: an alternative name of the kind %s', async (kind, name) => {
    expect((await review([altNames(name)])).refusals).toEqual([
      `The CSR asks for an alternative name of the kind ${kind}, which is not issued here`,
    ])
  })

  it('ok: where no role is asked, none is named', async () => {
    const usage = extKeyUsageExtension([EKU.serverAuth])
    expect(await review([usage], [COMMON_NAME], { ...ROLE, subject: 'whole' })).toEqual({
      refusals: [],
      warnings: ['The extension extKeyUsage of the CSR is not copied'],
    })
  })

  const ORGANIZATION = attribute(ATTRIBUTE.organization, derUtf8String('Example Bank'))
  const MAILBOX = attribute(ATTRIBUTE.emailAddress, derUtf8String('a@example.com'))
  it('ok: under a role, the rest of the subject is left out and named', async () => {
    const { refusals, warnings } = await review([], [ORGANIZATION, MAILBOX, ORGANIZATION, COMMON_NAME])
    expect(refusals).toEqual([])
    expect(warnings).toEqual([
      'Of the subject of the CSR only the common name is certified, not: organization, emailAddress',
    ])
  })
  it('ok: where somebody approved the subject, all of it stays', async () => {
    expect(await review([], [ORGANIZATION, COMMON_NAME], { ...ROLE, subject: 'whole' })).toEqual({
      refusals: [],
      warnings: [],
    })
  })
  it.each([
    ['one after another', [COMMON_NAME, COMMON_NAME]],
    [
      'in one set',
      [
        derSetOf(
          derSequence(derOid(ATTRIBUTE.commonName), derUtf8String('a.test')),
          derSequence(derOid(ATTRIBUTE.commonName), derUtf8String('b.test')),
        ),
      ],
    ],
  ])('fail: several common names, %s', async (_, rdns) => {
    expect((await review([], rdns)).refusals).toEqual(['The CSR has more than one common name'])
  })
  it('fail: a common name of more than 64 characters, where the subject stays as it is (RFC 5280 Appendix A.1)', async () => {
    const host = (length: number) => [attribute(ATTRIBUTE.commonName, derUtf8String(`${'a'.repeat(length - 5)}.test`))]
    const whole: CsrAllowance = { ...ROLE, subject: 'whole' }
    expect((await review([], host(65), whole)).refusals).toEqual([
      'The common name of the CSR is longer than 64 characters',
    ])
    expect((await review([], host(64), whole)).refusals).toEqual([])
    expect((await review([], host(65))).refusals).toEqual([])
  })
  it('fail: a common name that is no text', async () => {
    expect((await review([], [attribute(ATTRIBUTE.commonName, derInteger(1))])).refusals).toEqual([
      'The common name of the CSR is not text',
    ])
  })
})
