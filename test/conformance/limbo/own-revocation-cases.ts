/** Cases about revocation: what a list may say, and that a list which may not say anything never says "good". */
import type { Bytes } from '../../../src/core/bytes.ts'
import { buildCrl, type RevokedCertificate } from '../../../src/pki/build-crl.ts'
import { authorityInfoAccessExtension, derExtension, noRevAvailExtension } from '../../../src/pki/build-extensions.ts'
import { derExplicit, derNull } from '../../../src/pki/der/writer.ts'
import { newSerial } from '../../../src/pki/serial.ts'
import {
  CASE_TIME_MS,
  DAY_MS,
  deltaIndicator,
  directory,
  distributionPoint,
  type Entity,
  type ForgeCrlOptions,
  forgeCa,
  forgeCrl,
  forgeLeaf,
  forgeRoot,
  issuingDistributionPoint,
  type LeafOptions,
  newEntity,
  pointName,
  scopeOf,
  someReasons,
} from './forge.ts'
import type { OwnCase } from './limbo-cases.ts'
import { type CaseAnswer, ownCase } from './own-case.ts'

const partitionUri = (index: number): string => `https://certwright.example/v1/pki/ca/ca_1/crl/${index}`
const PARTITION = partitionUri(3)
const OTHER_PARTITION = partitionUri(4)

const GOOD: CaseAnswer = { notRevoked: true }
const REVOKED: CaseAnswer = { errors: ['revoked@0'], notRevoked: false }
const UNKNOWN: CaseAnswer = { errors: ['revocation_unknown@0'], notRevoked: null }

export async function revocationCases(): Promise<OwnCase[]> {
  const [root, ca, stranger, leaf] = [
    await newEntity('Revocation Root'),
    await newEntity('Revocation CA'),
    await newEntity('A stranger'),
    await newEntity({}),
  ]
  const [caSerial, leafSerial] = [newSerial(), newSerial()]
  const anchors = [await forgeRoot(root)]
  const above = [await forgeCa(ca, root, { serialNumber: caSerial })]
  const rootCrl = await forgeCrl(root)
  const leafRevoked = [{ serialNumber: leafSerial }]
  const leafDer = (options: LeafOptions = {}): Promise<Bytes> =>
    forgeLeaf(leaf, ca, { serialNumber: leafSerial, crlUris: [PARTITION], ...options })

  /** A leaf, and lists of its CA beside a good one of the root. */
  const one = async (
    id: string,
    description: string,
    lists: readonly (ForgeCrlOptions | Bytes)[],
    answer: CaseAnswer,
    options: LeafOptions = {},
  ): Promise<OwnCase> => {
    const crls = [rootCrl]
    for (const list of lists) crls.push(list instanceof Uint8Array ? list : await forgeCrl(ca, list))
    return ownCase(`own::crl::${id}`, description, { leaf: await leafDer(options), above, anchors, crls }, answer)
  }
  const built = async (
    revoked: readonly RevokedCertificate[],
    uri: string | null,
    issuer: Entity = ca,
  ): Promise<Bytes> => {
    const { subjectDer, keyIdentifier, keyPair } = issuer
    const times = { thisUpdateMs: CASE_TIME_MS - DAY_MS, nextUpdateMs: CASE_TIME_MS + DAY_MS }
    const partition = uri === null ? {} : { partition: { uris: [uri] } }
    const input = { issuer: { subjectDer, keyIdentifier, privateKey: keyPair.privateKey }, crlNumber: 7, ...times }
    return (await buildCrl({ ...input, pages: [revoked], ...partition })).der
  }
  const entry = (serialNumber: Bytes): RevokedCertificate => ({
    serialNumber,
    revokedAtMs: CASE_TIME_MS - 2 * DAY_MS,
    reason: 'key_compromise',
  })
  const future = { thisUpdateMs: CASE_TIME_MS + 1_000 }
  const named = pointName(directory({ commonName: 'Point 3' }))
  const stale = { thisUpdateMs: CASE_TIME_MS - 9 * DAY_MS, nextUpdateMs: CASE_TIME_MS - DAY_MS }
  const unknownCritical = derExtension('1.3.6.1.4.1.55555.1', true, derNull())

  return [
    await one('good', 'current lists of both CAs, empty', [{}], GOOD),
    await one(
      'good-among-others',
      'the leaf is not among those that are revoked',
      [await built([entry(newSerial())], null)],
      GOOD,
    ),
    await one('leaf-revoked', 'the full list has the leaf', [{ revoked: leafRevoked }], REVOKED),
    ownCase(
      'own::crl::intermediate-revoked',
      'the root revoked the CA',
      {
        leaf: await leafDer(),
        above,
        anchors,
        crls: [await forgeCrl(root, { revoked: [{ serialNumber: caSerial }] }), await forgeCrl(ca)],
      },
      { errors: ['revoked@1'], notRevoked: false },
    ),
    ownCase(
      'own::crl::leaf-good-intermediate-unknown',
      'a list of the CA alone leaves the CA itself open',
      { leaf: await leafDer(), above, anchors, crls: [await forgeCrl(ca)] },
      { errors: ['revocation_unknown@1'], notRevoked: null },
    ),
    await one('missing', 'no list of the CA', [], UNKNOWN),
    await one('stale', 'the next list was due yesterday', [stale], UNKNOWN),
    await one(
      'stale-but-revoked',
      'a revocation in an old list is one still',
      [{ ...stale, revoked: leafRevoked }],
      REVOKED,
    ),
    await one(
      'stale-hold',
      'a hold in an old list may have ended',
      [{ ...stale, revoked: [{ serialNumber: leafSerial, reasonCode: 6 }] }],
      UNKNOWN,
    ),
    await one(
      'stale-hold-then-good',
      'a hold in an old list that a current one does not have any more',
      [{ ...stale, revoked: [{ serialNumber: leafSerial, reasonCode: 6 }] }, {}],
      GOOD,
    ),
    await one(
      'hold',
      'a hold in a current list',
      [{ revoked: [{ serialNumber: leafSerial, reasonCode: 6 }] }],
      REVOKED,
    ),
    await one('good-then-revoked', 'the list that revokes comes second', [{}, { revoked: leafRevoked }], REVOKED),
    await one('future', 'the list is not valid yet', [future], UNKNOWN),
    await one('no-next-update', 'a list that does not say when the next one comes', [{ nextUpdateMs: null }], UNKNOWN),
    await one(
      'signed-by-another',
      "the name of the CA, and a stranger's signature",
      [await forgeCrl({ ...stranger, subjectDer: ca.subjectDer })],
      UNKNOWN,
    ),
    await one(
      'revoked-by-another',
      'nobody but the CA can revoke',
      [await forgeCrl({ ...stranger, subjectDer: ca.subjectDer }, { revoked: leafRevoked }), {}],
      GOOD,
    ),
    await one('of-another-ca', 'the list of another CA', [await forgeCrl(stranger, { revoked: leafRevoked })], UNKNOWN),
    await one('own-partition', 'the partition of the leaf', [await built([], PARTITION)], GOOD),
    await one(
      'own-partition-revoked',
      'the partition of the leaf has it',
      [await built([entry(leafSerial)], PARTITION)],
      REVOKED,
    ),
    await one(
      'another-partition',
      'a partition that is not the one of the leaf',
      [await built([], OTHER_PARTITION)],
      UNKNOWN,
    ),
    await one(
      'all-partitions',
      'all partitions at once',
      await Promise.all(
        [1, 2, 3, 4].map((index) => built(index === 3 ? [entry(leafSerial)] : [], partitionUri(index))),
      ),
      REVOKED,
    ),
    await one('full-for-partitioned', 'the full list does for a leaf of a partition', [await built([], null)], GOOD),
    await one(
      'partition-without-point',
      'the leaf names no distribution point',
      [await built([], PARTITION)],
      UNKNOWN,
      {
        crlUris: [],
      },
    ),
    await one('full-without-point', 'the leaf names no distribution point', [await built([], null)], GOOD, {
      crlUris: [],
    }),
    await one(
      'user-certificates',
      'a list of leaves alone',
      [{ more: [issuingDistributionPoint([], 'userCertificates')] }],
      GOOD,
    ),
    await one(
      'ca-certificates',
      'a list of CAs alone',
      [{ more: [issuingDistributionPoint([], 'caCertificates')] }],
      UNKNOWN,
    ),
    await one(
      'attribute-certificates',
      'a list of attribute certificates',
      [{ more: [issuingDistributionPoint([], 'attributeCertificates')] }],
      UNKNOWN,
    ),
    await one('indirect', 'an indirect list', [{ more: [issuingDistributionPoint([PARTITION], 'indirect')] }], UNKNOWN),
    await one('delta', 'a delta list alone', [{ more: [deltaIndicator()] }], UNKNOWN),
    await one('no-number', 'a list without a number', [{ withoutNumber: true }], UNKNOWN),
    await one('critical-unknown', 'a critical extension that nobody knows', [{ more: [unknownCritical] }], UNKNOWN),
    await one('never-revoked', 'noRevAvail takes the place of a list (RFC 9608)', [], GOOD, {
      crlUris: [],
      more: [noRevAvailExtension()],
    }),
    await one('never-revoked-with-point', 'noRevAvail beside a distribution point is a contradiction', [], UNKNOWN, {
      more: [noRevAvailExtension()],
    }),
    await one('never-revoked-with-ocsp', 'noRevAvail beside an OCSP responder is one too', [], UNKNOWN, {
      crlUris: [],
      more: [
        noRevAvailExtension(),
        authorityInfoAccessExtension({ ocspUris: ['http://ocsp.example.com'], caIssuerUris: [] }),
      ],
    }),
    ownCase(
      'own::crl::never-revoked-ca',
      'noRevAvail is not for CAs',
      {
        leaf: await leafDer(),
        above: [await forgeCa(ca, root, { more: [noRevAvailExtension()] })],
        anchors,
        crls: [await forgeCrl(ca)],
      },
      { errors: ['revocation_unknown@1'], notRevoked: null },
    ),
    await one('future-revoked', 'a list of tomorrow has the leaf', [{ ...future, revoked: leafRevoked }], UNKNOWN),
    await one('first-second', 'the list starts now', [{ thisUpdateMs: CASE_TIME_MS }], GOOD),
    await one('last-second', 'the next list is due now', [{ nextUpdateMs: CASE_TIME_MS }], GOOD),
    await one('some-reasons', 'a list of some reasons alone', [{ more: [scopeOf(someReasons(3))] }], UNKNOWN),
    ownCase(
      'own::crl::user-certificates-for-ca',
      'a list of leaves alone says nothing of a CA',
      {
        leaf: await leafDer(),
        above,
        anchors,
        crls: [await forgeCrl(root, { more: [issuingDistributionPoint([], 'userCertificates')] }), await forgeCrl(ca)],
      },
      { errors: ['revocation_unknown@1'], notRevoked: null },
    ),
    await one(
      'one-uri-of-two',
      'the list has two addresses, and the leaf has one of them',
      [{ more: [issuingDistributionPoint([OTHER_PARTITION, PARTITION])] }],
      GOOD,
    ),
    await one('point-by-name', 'both name the point by a directory name', [{ more: [scopeOf(named)] }], GOOD, {
      crlUris: [],
      more: [distributionPoint(named)],
    }),
    await one(
      'point-of-some-reasons',
      'the point of the leaf is for some reasons',
      [{ more: [scopeOf(named)] }],
      UNKNOWN,
      {
        crlUris: [],
        more: [distributionPoint(named, someReasons(1))],
      },
    ),
    await one('point-of-another-issuer', 'somebody else signs for that point', [{ more: [scopeOf(named)] }], UNKNOWN, {
      crlUris: [],
      more: [distributionPoint(named, derExplicit(2, directory({ commonName: 'A stranger' })))],
    }),
    ownCase(
      'own::crl::key-not-for-crls',
      'the key of the CA is for certificates alone',
      {
        leaf: await leafDer(),
        above: [await forgeCa(ca, root, { keyUsage: ['keyCertSign'] })],
        anchors,
        crls: [rootCrl, await forgeCrl(ca)],
      },
      UNKNOWN,
    ),
    ownCase(
      'own::crl::key-without-usages',
      'RFC 10007: the CA does not say that its key is for lists',
      {
        leaf: await leafDer(),
        above: [await forgeCa(ca, root, { keyUsage: null })],
        anchors,
        crls: [rootCrl, await forgeCrl(ca)],
      },
      UNKNOWN,
    ),
  ]
}
