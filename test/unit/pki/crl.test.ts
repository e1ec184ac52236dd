import 'reflect-metadata'
import { X509Crl } from '@peculiar/x509'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Bytes, concatBytes, toHex } from '../../../src/core/bytes.ts'
import { buildCrl, type RevokedCertificate } from '../../../src/pki/build-crl.ts'
import { derExtension } from '../../../src/pki/build-extensions.ts'
import { type Crl, crlEntries, parseCrl, verifyCrlSignature } from '../../../src/pki/crl.ts'
import { DerError } from '../../../src/pki/der/errors.ts'
import {
  derExplicit,
  derInteger,
  derNull,
  derOid,
  derSequence,
  derTime,
  derUnsigned,
  derValue,
} from '../../../src/pki/der/writer.ts'
import { EXTENSION } from '../../../src/pki/oids.ts'
import { REVOCATION_REASONS, type RevocationReason, revocationReasonOf } from '../../../src/pki/revocation-reason.ts'
import { newSerial } from '../../../src/pki/serial.ts'
import { signWhole } from '../../../src/pki/signature.ts'
import { DAY_MS, NOW_MS, type TestAuthority, testLeaf, testRoot } from '../../support/pki-hierarchy.ts'

const readDer = (der: Bytes): Crl => {
  const crl = parseCrl(der)
  if (!crl.ok) throw crl.error
  return crl.value
}
const REASONS = Object.keys(REVOCATION_REASONS) as RevocationReason[]

describe('CRLs', () => {
  let root: TestAuthority
  beforeAll(async () => {
    root = await testRoot({ type: 'ec', size: 256 })
  })
  const build = async (pages: readonly (readonly RevokedCertificate[])[], more: object = {}): Promise<Bytes> => {
    const input = { issuer: root.issuer, crlNumber: 7, thisUpdateMs: NOW_MS, nextUpdateMs: NOW_MS + DAY_MS, pages }
    return (await buildCrl({ ...input, ...more })).der
  }
  const revoked = (changes: Partial<RevokedCertificate> = {}): RevokedCertificate => ({
    serialNumber: newSerial(),
    revokedAtMs: NOW_MS - DAY_MS,
    reason: 'unspecified',
    ...changes,
  })

  it('ok: an empty list has no list of entries (RFC 5280 §5.1.2.6)', async () => {
    const crl = readDer(await build([]))
    expect(crl).toMatchObject({ revokedDer: null, revokedCount: 0, version: 2, isDelta: false })
    expect(crl.thisUpdateMs).toBe(NOW_MS)
    expect(crl.nextUpdateMs).toBe(NOW_MS + DAY_MS)
    expect(crl.issuer.der).toEqual(root.certificate.subject.der)
    expect(crl.crlNumber).toEqual(new Uint8Array([7]))
    expect(crl.authorityKeyIdentifier?.keyIdentifier).toEqual(root.certificate.subjectKeyIdentifier)
    expect(crl.extensions.map(({ oid, critical }) => [oid, critical])).toEqual([
      [EXTENSION.authorityKeyIdentifier, false],
      [EXTENSION.crlNumber, false],
    ])
    expect(await verifyCrlSignature(crl, root.certificate.subjectPublicKeyInfo)).toMatchObject({ ok: true })
    const other = await testRoot({ type: 'ec', size: 256 })
    expect(await verifyCrlSignature(crl, other.certificate.subjectPublicKeyInfo)).toMatchObject({ ok: false })
  })

  it('ok: entries of every reason come back, in their order and over page borders', async () => {
    const entries = REASONS.map((reason, i) =>
      revoked({
        reason,
        revokedAtMs: NOW_MS - i * 1_000,
        ...(i % 2 === 0 ? { invalidityDateMs: NOW_MS - i * DAY_MS } : {}),
      }),
    )
    const pages = async function* () {
      yield entries.slice(0, 4)
      yield []
      yield entries.slice(4)
    }
    const crl = readDer(await build([], { pages: pages() }))
    expect(crl.revokedCount).toBe(9)
    expect([...crlEntries(crl)]).toEqual(
      entries.map(({ serialNumber, revokedAtMs, reason, invalidityDateMs }) => ({
        serialNumber,
        revokedAtMs,
        reasonCode: REVOCATION_REASONS[reason],
        invalidityDateMs: invalidityDateMs ?? null,
      })),
    )
    expect(crl.unknownCriticalExtensions).toEqual([])
  })

  it('ok: 5,000 entries, which is more than one chunk of the builder', async () => {
    const entries = Array.from({ length: 5_000 }, () => revoked({ reason: 'superseded', invalidityDateMs: NOW_MS }))
    const crl = readDer(await build([entries]))
    expect([...crlEntries(crl)].map(({ serialNumber }) => toHex(serialNumber))).toEqual(
      entries.map(({ serialNumber }) => toHex(serialNumber)),
    )
  })

  it('ok: unspecified is not written, and an entry without extensions has no sequence of them (RFC 5280 §5.3.1)', async () => {
    const serialNumber = new Uint8Array([5])
    const crl = readDer(await build([[revoked({ serialNumber, revokedAtMs: NOW_MS })]]))
    expect(toHex(crl.revokedDer as Bytes)).toBe(toHex(derSequence(derSequence(derInteger(5), derTime(NOW_MS)))))
  })

  it('ok: a revocation from the future counts from the list on', async () => {
    const crl = readDer(await build([[revoked({ revokedAtMs: NOW_MS + DAY_MS })]]))
    expect([...crlEntries(crl)].map(({ revokedAtMs }) => revokedAtMs)).toEqual([NOW_MS])
  })

  it('ok: every serial number is on the list, sign octet and all', async () => {
    const serials = [new Uint8Array([0, 0x80]), new Uint8Array([0x12, 0x34]), newSerial()] as const
    const crl = readDer(
      await build([serials.map((serialNumber) => revoked({ serialNumber, reason: 'key_compromise' }))]),
    )
    expect([...crlEntries(crl)]).toEqual(
      serials.map((serialNumber) => expect.objectContaining({ serialNumber, reasonCode: 1 })),
    )
    expect([...crlEntries(readDer(await build([])))]).toEqual([])
  })

  it('ok: a partition says so critically, with the very name in its certificates (RFC 5280 §5.2.5)', async () => {
    const uri = 'http://pki.example.com/ca/root/3.crl'
    const crl = readDer(await build([], { partition: { uris: [uri], only: 'user-certificates' } }))
    expect(crl.extensions.at(-1)).toMatchObject({ oid: EXTENSION.issuingDistributionPoint, critical: true })
    expect(crl.issuingDistributionPoint).toMatchObject({
      fullName: [{ type: 'uri', value: uri }],
      onlyContainsUserCerts: true,
      onlyContainsCaCerts: false,
      isIndirect: false,
    })
    const { certificate } = await testLeaf(root, { type: 'ec', size: 256 }, { crlUris: [uri] })
    expect(crl.issuingDistributionPoint?.nameDer).toEqual(certificate.crlDistributionPoints?.[0]?.nameDer)
    const cas = readDer(await build([], { partition: { uris: [uri], only: 'ca-certificates' } }))
    expect(cas.issuingDistributionPoint).toMatchObject({ onlyContainsUserCerts: false, onlyContainsCaCerts: true })
    expect(cas.unknownCriticalExtensions).toEqual([])
  })

  it('ok: an independent parser reads the same', async () => {
    const entries = [revoked({ reason: 'key_compromise' }), revoked()]
    const crl = new X509Crl(await build([entries]))
    expect(crl.entries.map(({ serialNumber, reason }) => [serialNumber, reason])).toEqual([
      [toHex(entries[0]?.serialNumber as Bytes), 1],
      [toHex(entries[1]?.serialNumber as Bytes), undefined],
    ])
    expect(crl.nextUpdate?.getTime()).toBe(NOW_MS + DAY_MS)
  })

  it('ok: random lists survive', async () => {
    const entry = fc.record({
      serialNumber: fc.uint8Array({ minLength: 1, maxLength: 20 }).map((octets) => {
        const serial = new Uint8Array(octets)
        serial[0] = ((serial[0] as number) & 0x7f) | 1
        return serial
      }),
      revokedAtMs: fc.integer({ min: 0, max: NOW_MS / 1_000 }).map((seconds) => seconds * 1_000),
      reason: fc.constantFrom(...REASONS),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(entry, { maxLength: 40 }), { maxLength: 4 }), async (pages) => {
        const crl = readDer(await build(pages))
        expect(
          [...crlEntries(crl)].map(({ serialNumber, revokedAtMs, reasonCode }) => [
            toHex(serialNumber),
            revokedAtMs,
            reasonCode,
          ]),
        ).toEqual(
          pages
            .flat()
            .map(({ serialNumber, revokedAtMs, reason }) => [
              toHex(serialNumber),
              revokedAtMs,
              REVOCATION_REASONS[reason],
            ]),
        )
      }),
      { numRuns: 60 },
    )
  })

  it.each([
    ['an empty serial number', new Uint8Array(0)],
    ['a negative one', new Uint8Array([0x80])],
    ['a padded one', new Uint8Array([0, 1])],
    ['one of 22 octets', new Uint8Array(22).fill(1)],
  ])('fail: %s is a bug of the caller', async (_, serialNumber) => {
    await expect(build([[revoked({ serialNumber })]])).rejects.toThrow('serial number')
  })

  it('fail: an end before the start, and a partition without address', async () => {
    await expect(build([], { nextUpdateMs: NOW_MS })).rejects.toThrow('ends before')
    await expect(build([], { partition: { uris: [] } })).rejects.toThrow('address')
  })

  const ALGORITHM = derSequence(derOid('1.2.840.10045.4.3.2'))
  const entry = (serial: number, ...extensions: Bytes[]): Bytes =>
    derSequence(derInteger(serial), derTime(NOW_MS), ...(extensions.length === 0 ? [] : [derSequence(...extensions)]))
  /** A list of the given parts, signed by the root. */
  const signed = (parts: {
    version?: Bytes[]
    updates?: Bytes[]
    revoked?: Bytes[]
    extensions?: Bytes[]
  }): Promise<Bytes> =>
    signWhole(
      derSequence(
        ...(parts.version ?? [derInteger(1)]),
        ALGORITHM,
        root.certificate.subject.der,
        ...(parts.updates ?? [derTime(NOW_MS), derTime(NOW_MS + DAY_MS)]),
        ...(parts.revoked ?? []),
        ...(parts.extensions === undefined ? [] : [derExplicit(0, derSequence(...parts.extensions))]),
      ),
      root.keyPair.privateKey,
    )

  it('ok: without nextUpdate the entries are still there, and the absence is seen', async () => {
    const crl = readDer(await signed({ updates: [derTime(NOW_MS)], revoked: [derSequence(entry(5), entry(6))] }))
    expect(crl.nextUpdateMs).toBeNull()
    expect(crl.revokedCount).toBe(2)
    expect([...crlEntries(crl)].map(({ serialNumber }) => [...serialNumber])).toEqual([[5], [6]])
  })

  it('ok: version 1, and a list that is there and empty', async () => {
    expect(readDer(await signed({ version: [], revoked: [derSequence(entry(5))] }))).toMatchObject({
      version: 1,
      revokedCount: 1,
    })
    expect(readDer(await signed({ revoked: [derSequence()] })).revokedCount).toBe(0)
  })

  it('ok: critical extensions that are not understood are named, of the list and of entries', async () => {
    const crl = readDer(
      await signed({
        revoked: [derSequence(entry(5), entry(6, derExtension(EXTENSION.certificateIssuer, true, derSequence())))],
        extensions: [derExtension('1.2.3.4', true, derNull()), derExtension('1.2.3.5', false, derNull())],
      }),
    )
    expect([...crl.unknownCriticalExtensions].sort()).toEqual(['1.2.3.4', EXTENSION.certificateIssuer])
  })

  it('ok: a delta is seen as one', async () => {
    const extensions = [derExtension(EXTENSION.deltaCrlIndicator, true, derUnsigned(new Uint8Array([1])))]
    expect(readDer(await signed({ extensions }))).toMatchObject({ isDelta: true, unknownCriticalExtensions: [] })
  })

  const reason = (code: number): Bytes =>
    derExtension(EXTENSION.reasonCode, false, derValue(0x0a, new Uint8Array([code])))
  it.each<[string, () => Promise<Bytes>]>([
    ['version 3', () => signed({ version: [derInteger(2)] })],
    ['version 1 written out', () => signed({ version: [derInteger(0)] })],
    ['extensions in version 1', () => signed({ version: [], extensions: [derExtension('1.2.3', false, derNull())] })],
    ['extensions of an entry in version 1', () => signed({ version: [], revoked: [derSequence(entry(5, reason(1)))] })],
    ['the reason 7', () => signed({ revoked: [derSequence(entry(5, reason(7)))] })],
    ['the reason 11', () => signed({ revoked: [derSequence(entry(5, reason(11)))] })],
    ['the same extension twice', () => signed({ revoked: [derSequence(entry(5, reason(1), reason(1)))] })],
    [
      'an invalidity date as UTCTime',
      () =>
        signed({ revoked: [derSequence(entry(5, derExtension(EXTENSION.invalidityDate, false, derTime(NOW_MS))))] }),
    ],
    ['an entry without time', () => signed({ revoked: [derSequence(derSequence(derInteger(5)))] })],
    ['a last entry that is broken', () => signed({ revoked: [derSequence(entry(5), derSequence())] })],
    ['three times', () => signed({ updates: [derTime(NOW_MS), derTime(NOW_MS), derTime(NOW_MS)] })],
    ['bytes at the end', async () => concatBytes(await signed({}), derNull())],
    [
      'another signature algorithm outside',
      async () => {
        const der = await signed({})
        der[Buffer.from(der).lastIndexOf(Buffer.from(ALGORITHM)) + ALGORITHM.length - 1] = 3
        return der
      },
    ],
  ])('fail: %s', async (_, make) => {
    expect(parseCrl(await make())).toMatchObject({ ok: false, error: { name: 'DerError' } })
  })

  it('ok: no change of bytes makes it throw', async () => {
    const der = await build([[revoked({ reason: 'superseded' }), revoked({ invalidityDateMs: NOW_MS })]])
    const edits = fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(edits, fc.nat(der.length - 1), (changes, length) => {
        const changed = new Uint8Array(der)
        for (const [at, octet] of changes) changed[at] = octet
        const results = [parseCrl(changed), parseCrl(changed.slice(0, length))]
        expect(results.every((result) => result.ok || result.error instanceof DerError)).toBe(true)
        expect(results[1]?.ok).toBe(false)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('revocation reasons', () => {
  it('ok: names and codes belong together', () => {
    expect(REASONS.map((name) => revocationReasonOf(REVOCATION_REASONS[name]))).toEqual(REASONS)
    expect([7, 8, 11, -1].map(revocationReasonOf)).toEqual([null, null, null, null])
  })
})
