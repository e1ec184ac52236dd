import { X509Certificate as NodeCertificate } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Bytes, concatBytes } from '../../../src/core/bytes.ts'
import { derExtension, keyUsageExtension, subjectAltNameExtension } from '../../../src/pki/build-extensions.ts'
import { type Certificate, parseCertificate } from '../../../src/pki/certificate.ts'
import { DerError } from '../../../src/pki/der/errors.ts'
import {
  derBitString,
  derBoolean,
  derExplicit,
  derInteger,
  derNamedBits,
  derNull,
  derOctetString,
  derOid,
  derSequence,
  derSetOf,
  derTime,
  derUtf8String,
  derValue,
} from '../../../src/pki/der/writer.ts'
import { generateKeyPair } from '../../../src/pki/keys.ts'
import { EXTENSION } from '../../../src/pki/oids.ts'
import { formatSerial } from '../../../src/pki/serial.ts'
import { NOW_MS, nameDer, testLeaf, testRoot } from '../../support/pki-hierarchy.ts'

const ALGORITHM = derSequence(derOid('1.2.840.10045.4.3.2'))
const NAME = nameDer({ commonName: 'x' })

interface Parts {
  readonly version?: readonly Bytes[]
  readonly serial?: Bytes
  readonly inner?: Bytes
  readonly subject?: Bytes
  readonly times?: readonly Bytes[]
  readonly after?: readonly Bytes[]
}

describe('parseCertificate', () => {
  let spkiDer: Bytes
  let leaf: Certificate
  beforeAll(async () => {
    spkiDer = (await generateKeyPair({ type: 'ec', size: 256 })).spkiDer
    leaf = (await testLeaf(await testRoot({ type: 'ec', size: 256 }), { type: 'ec', size: 256 })).certificate
  })

  const V3 = derExplicit(0, derInteger(2))
  /** A certificate of the given parts; nobody signed it. */
  const make = (parts: Parts): Bytes =>
    derSequence(
      derSequence(
        ...(parts.version ?? [V3]),
        parts.serial ?? derInteger(1),
        parts.inner ?? ALGORITHM,
        NAME,
        derSequence(...(parts.times ?? [derTime(NOW_MS), derTime(NOW_MS + 1_000)])),
        parts.subject ?? NAME,
        spkiDer,
        ...(parts.after ?? []),
      ),
      ALGORITHM,
      derBitString(new Uint8Array(8)),
    )
  const withExtensions = (...extensions: Bytes[]): Bytes =>
    make({ after: [derExplicit(3, derSequence(...extensions))] })
  const readDer = (der: Bytes): Certificate => {
    const parsed = parseCertificate(der)
    if (!parsed.ok) throw parsed.error
    return parsed.value
  }

  it('ok: every root that Node trusts is read as Node reads it', () => {
    const ours = rootCertificates.map((pem) => {
      const node = new NodeCertificate(pem)
      const certificate = readDer(new Uint8Array(node.raw))
      return {
        serial: BigInt(`0x${formatSerial(certificate.serialNumber).replaceAll(':', '')}`),
        notBefore: certificate.notBeforeMs,
        notAfter: certificate.notAfterMs,
        isCa: certificate.basicConstraints?.isCa ?? false,
      }
    })
    const theirs = rootCertificates.map((pem) => {
      const node = new NodeCertificate(pem)
      return {
        serial: BigInt(`0x${node.serialNumber}`),
        notBefore: Date.parse(node.validFrom),
        notAfter: Date.parse(node.validTo),
        isCa: node.ca,
      }
    })
    expect(ours.length).toBeGreaterThan(100)
    expect(ours).toEqual(theirs)
  })

  it('ok: unknown extensions are kept with their critical flag', () => {
    const certificate = readDer(
      withExtensions(derExtension('1.2.3.4', true, derNull()), derExtension('1.2.3.5', false, derNull())),
    )
    expect(certificate.extensions).toEqual([
      { oid: '1.2.3.4', critical: true, valueDer: derNull() },
      { oid: '1.2.3.5', critical: false, valueDer: derNull() },
    ])
    expect(certificate.subjectAltNames).toBeNull()
  })

  it('ok: versions 1 and 2, without extensions', () => {
    expect(readDer(make({ version: [] })).version).toBe(1)
    const second = readDer(
      make({ version: [derExplicit(0, derInteger(1))], after: [derValue(0x81, new Uint8Array([0, 1]))] }),
    )
    expect(second).toMatchObject({ version: 2, hasUniqueIds: true, extensions: [] })
  })

  it('ok: odd serials and times are read as they are: judging them is for path validation', () => {
    const negative = readDer(make({ serial: new Uint8Array([2, 1, 0x80]) }))
    expect([...negative.serialNumber]).toEqual([0x80])
    expect(readDer(make({ serial: derInteger(0) })).serialNumber).toEqual(new Uint8Array([0]))
    const early = readDer(
      make({ times: [derTime(NOW_MS), derValue(0x18, new TextEncoder().encode('20300101000000Z'))] }),
    )
    expect(early).toMatchObject({ timeFormsConform: false, notAfterMs: Date.UTC(2030, 0, 1) })
  })

  it('ok: all kinds of names', () => {
    const other = derExplicit(0, derOid('1.3.6.1.4.1.311.20.2.3'), derExplicit(0, derUtf8String('user@example')))
    const directory = derExplicit(4, NAME)
    const registered = derValue(0x88, new Uint8Array([0x2a, 3]))
    const x400 = derExplicit(3)
    const value = derSequence(other, directory, registered, x400)
    const names = readDer(withExtensions(derExtension(EXTENSION.subjectAltName, false, value))).subjectAltNames
    expect(names).toMatchObject([
      { type: 'other', oid: '1.3.6.1.4.1.311.20.2.3', valueDer: derUtf8String('user@example') },
      { type: 'directory', value: { der: NAME } },
      { type: 'registered-id', oid: '1.2.3' },
      { type: 'unsupported', tag: 0xa3 },
    ])
  })

  const san = (...names: Bytes[]) => derExtension(EXTENSION.subjectAltName, false, derSequence(...names))
  const tree = (base: Bytes, ...more: Bytes[]) => derExplicit(0, derSequence(base, ...more))
  const constraints = (...parts: Bytes[]) => derExtension(EXTENSION.nameConstraints, true, derSequence(...parts))
  const dns = subjectAltNameExtension([{ type: 'dns', value: 'a.example' }], false)
  const bad: readonly (readonly [string, () => Bytes])[] = [
    ['two algorithms', () => make({ inner: derSequence(derOid('1.2.840.10045.4.3.3')) })],
    [
      'an algorithm with another parameter inside',
      () => make({ inner: derSequence(derOid('1.2.840.10045.4.3.2'), derNull()) }),
    ],
    ['version 4', () => make({ version: [derExplicit(0, derInteger(3))] })],
    ['version 1 written out', () => make({ version: [derExplicit(0, derInteger(0))] })],
    ['extensions in version 1', () => make({ version: [], after: [derExplicit(3, derSequence(dns))] })],
    ['unique identifiers in version 1', () => make({ version: [], after: [derValue(0x81, new Uint8Array([0, 1]))] })],
    ['one time', () => make({ times: [derTime(NOW_MS)] })],
    ['three times', () => make({ times: [derTime(NOW_MS), derTime(NOW_MS), derTime(NOW_MS)] })],
    ['an empty set in a name', () => make({ subject: derSequence(derSetOf()) })],
    ['no extension in the list', () => withExtensions()],
    ['an extension twice', () => withExtensions(dns, dns)],
    [
      'critical FALSE written out',
      () => withExtensions(derSequence(derOid('1.2.3'), derBoolean(false), derOctetString(derNull()))),
    ],
    [
      'bytes after an extension value',
      () =>
        withExtensions(
          derExtension(
            EXTENSION.subjectKeyIdentifier,
            false,
            concatBytes(derOctetString(new Uint8Array(4)), derNull()),
          ),
        ),
    ],
    ['no name', () => withExtensions(san())],
    ['an IP address of five octets', () => withExtensions(san(derValue(0x87, new Uint8Array(5))))],
    ['a DNS name that is not ASCII', () => withExtensions(san(derValue(0x82, new Uint8Array([0xe4]))))],
    ['a name with an unknown tag', () => withExtensions(san(derValue(0x89, new Uint8Array(1))))],
    ['no key usage', () => withExtensions(derExtension(EXTENSION.keyUsage, true, derNamedBits([])))],
    ['no extended key usage', () => withExtensions(derExtension(EXTENSION.extKeyUsage, false, derSequence()))],
    [
      'cA FALSE written out',
      () => withExtensions(derExtension(EXTENSION.basicConstraints, true, derSequence(derBoolean(false)))),
    ],
    [
      'a negative path length',
      () =>
        withExtensions(
          derExtension(EXTENSION.basicConstraints, true, derSequence(derBoolean(true), new Uint8Array([2, 1, 0xff]))),
        ),
    ],
    [
      'half of an issuer and serial',
      () =>
        withExtensions(
          derExtension(EXTENSION.authorityKeyIdentifier, false, derSequence(derValue(0x82, new Uint8Array([1])))),
        ),
    ],
    ['empty name constraints', () => withExtensions(constraints())],
    ['an empty subtree', () => withExtensions(constraints(derExplicit(0)))],
    [
      'a constraint with a minimum',
      () =>
        withExtensions(constraints(tree(derValue(0x82, new Uint8Array([0x61])), derValue(0x80, new Uint8Array([1]))))),
    ],
    [
      'a constraint on an IP address without mask',
      () => withExtensions(constraints(tree(derValue(0x87, new Uint8Array(4))))),
    ],
    [
      'a distribution point of nothing',
      () => withExtensions(derExtension(EXTENSION.crlDistributionPoints, false, derSequence(derSequence()))),
    ],
    [
      'no distribution point',
      () => withExtensions(derExtension(EXTENSION.crlDistributionPoints, false, derSequence())),
    ],
    ['no access description', () => withExtensions(derExtension(EXTENSION.authorityInfoAccess, false, derSequence()))],
    ['bytes after the certificate', () => concatBytes(make({}), derNull())],
    ['bytes after the extensions', () => make({ after: [derExplicit(3, derSequence(dns)), derNull()] })],
    [
      'extensions before unique identifiers',
      () => make({ after: [derExplicit(3, derSequence(dns)), derValue(0x81, new Uint8Array([0, 1]))] }),
    ],
  ]
  it.each(bad)('fail: %s', (_, build) => {
    expect(
      parseCertificate(make({ after: [derExplicit(3, derSequence(dns, keyUsageExtension(['digitalSignature'])))] })).ok,
    ).toBe(true)
    expect(parseCertificate(build())).toMatchObject({ ok: false, error: { name: 'DerError' } })
  })

  it('ok: no change, cut or growth makes it throw', () => {
    const der = leaf.der
    const edits = fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(edits, fc.nat(der.length), fc.uint8Array({ maxLength: 3 }), (changes, length, tail) => {
        const changed = new Uint8Array(der)
        for (const [at, octet] of changes) changed[at] = octet
        const results = [changed, changed.slice(0, length), concatBytes(changed, tail)].map(parseCertificate)
        expect(results.every((result) => result.ok || result.error instanceof DerError)).toBe(true)
        expect(results[1]?.ok === true && length < der.length).toBe(false)
      }),
      { numRuns: 1_000 },
    )
  })
})
