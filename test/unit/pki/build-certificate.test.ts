import 'reflect-metadata'
import { X509Certificate as NodeCertificate } from 'node:crypto'
import { BasicConstraintsExtension, X509Certificate } from '@peculiar/x509'
import { beforeAll, describe, expect, it } from 'vitest'
import { equalBytes, toHex } from '../../../src/core/bytes.ts'
import { buildIntermediate, buildLeaf, issuerOf } from '../../../src/pki/build-certificate.ts'
import { isSelfIssued } from '../../../src/pki/certificate.ts'
import { derOid, derPrintableString, derSequence, derSetOf, derUtf8String } from '../../../src/pki/der/writer.ts'
import { generateKeyPair } from '../../../src/pki/keys.ts'
import { EKU, EXTENSION } from '../../../src/pki/oids.ts'
import { formatSerial } from '../../../src/pki/serial.ts'
import { verifySignature } from '../../../src/pki/signature.ts'
import {
  DAY_MS,
  LEAF_NAMES,
  LOCATIONS,
  NOW_MS,
  nameDer,
  parsed,
  type TestAuthority,
  testIntermediate,
  testLeaf,
  testRoot,
} from '../../support/pki-hierarchy.ts'

describe('certificates', () => {
  let root: TestAuthority
  let intermediate: TestAuthority
  beforeAll(async () => {
    root = await testRoot({ type: 'ec', size: 256 })
    intermediate = await testIntermediate(root, { type: 'ec', size: 256 })
  })

  it('ok: a root signs itself and says what a CA has to say (RFC 5280 §4.2.1)', async () => {
    const { certificate } = root
    expect(certificate.version).toBe(3)
    expect(isSelfIssued(certificate)).toBe(true)
    expect(certificate.basicConstraints).toEqual({ isCa: true, pathLength: null })
    expect(certificate.keyUsage).toEqual(new Set(['digitalSignature', 'keyCertSign', 'cRLSign']))
    expect(certificate.extKeyUsage).toBeNull()
    expect(certificate.subjectKeyIdentifier).toHaveLength(20)
    expect(certificate.authorityKeyIdentifier?.keyIdentifier).toEqual(certificate.subjectKeyIdentifier)
    const critical = certificate.extensions.filter((extension) => extension.critical).map(({ oid }) => oid)
    expect(critical.sort()).toEqual([EXTENSION.basicConstraints, EXTENSION.keyUsage].sort())
    const signed = {
      message: certificate.tbsDer,
      algorithm: certificate.signatureAlgorithm,
      signature: certificate.signature,
    }
    expect(await verifySignature(signed, certificate.subjectPublicKeyInfo)).toMatchObject({ ok: true })
  })

  it('ok: an intermediate carries the name of its issuer byte for byte, and says where to find it', () => {
    const { certificate } = intermediate
    expect(certificate.issuer.der).toEqual(root.certificate.subject.der)
    expect(certificate.authorityKeyIdentifier?.keyIdentifier).toEqual(root.certificate.subjectKeyIdentifier)
    expect(certificate.basicConstraints).toEqual({ isCa: true, pathLength: 0 })
    expect(certificate.crlDistributionPoints?.map(({ fullName }) => fullName)).toEqual([
      [{ type: 'uri', value: LOCATIONS.crlUris[0] }],
    ])
    expect(certificate.authorityInfoAccess).toEqual({ ocspUris: [], caIssuerUris: LOCATIONS.caIssuerUris })
  })

  it('ok: a subject in an unusual encoding is copied, not written anew', async () => {
    const odd = derSequence(
      derSetOf(derSequence(derOid('2.5.4.3'), derUtf8String('Plain'))),
      derSetOf(derSequence(derOid('2.5.4.10'), derPrintableString('Order'))),
    )
    const authority = await testRoot({ type: 'ec', size: 256 }, { subjectDer: odd })
    const { certificate } = await testLeaf(authority, { type: 'ec', size: 256 })
    expect(toHex(certificate.issuer.der)).toBe(toHex(odd))
  })

  it('ok: a leaf has its names, uses and a serial of 159 bits', async () => {
    const { certificate } = await testLeaf(intermediate, { type: 'ec', size: 256 })
    expect(certificate.subjectAltNames).toEqual(LEAF_NAMES)
    expect(certificate.extKeyUsage).toEqual([EKU.serverAuth, EKU.clientAuth])
    expect(certificate.basicConstraints).toEqual({ isCa: false, pathLength: null })
    expect(certificate.serialNumber).toHaveLength(20)
    expect(certificate.notAfterMs - certificate.notBeforeMs).toBe(90 * DAY_MS - 1_000)
    const critical = certificate.extensions.filter((extension) => extension.critical).map(({ oid }) => oid)
    expect(critical).toEqual([EXTENSION.keyUsage, EXTENSION.basicConstraints])
  })

  it('ok: without a subject the names are critical (RFC 5280 §4.2.1.6)', async () => {
    const { certificate } = await testLeaf(intermediate, { type: 'ec', size: 256 }, { subjectDer: nameDer({}) })
    expect(certificate.extensions.find(({ oid }) => oid === EXTENSION.subjectAltName)?.critical).toBe(true)
  })

  it.each([
    ['rsa', { type: 'rsa', size: 2048 }, ['digitalSignature', 'keyEncipherment']],
    ['ec', { type: 'ec', size: 384 }, ['digitalSignature']],
    ['ed25519', { type: 'ed25519' }, ['digitalSignature']],
  ] as const)('ok: the key usage fits the kind of key: %s (RFC 8813 §3)', async (_, spec, usages) => {
    const { certificate } = await testLeaf(intermediate, spec)
    expect(certificate.keyUsage).toEqual(new Set(usages))
    const asked = await testLeaf(intermediate, spec, {
      keyUsage: ['keyEncipherment', 'digitalSignature', 'keyCertSign'],
    })
    expect(asked.certificate.keyUsage).toEqual(new Set(usages))
  })

  it('ok: noRevAvail takes the place of addresses (RFC 9608)', async () => {
    const { certificate } = await testLeaf(intermediate, { type: 'ec', size: 256 }, { noRevocation: true, crlUris: [] })
    expect(certificate.extensions.find(({ oid }) => oid === EXTENSION.noRevAvail)).toMatchObject({ critical: false })
    await expect(testLeaf(intermediate, { type: 'ec', size: 256 }, { noRevocation: true })).rejects.toThrow('no CRL')
  })

  it('ok: name constraints are critical and come back (RFC 5280 §4.2.1.10)', async () => {
    const nameConstraints = {
      permitted: [{ type: 'dns', value: 'example.com' }],
      excluded: [
        { type: 'dns', value: 'bad.example.com' },
        { type: 'ip', value: new Uint8Array(8) },
        { type: 'ip', value: new Uint8Array(32) },
      ],
    } as const
    const { certificate } = await testIntermediate(root, { type: 'ec', size: 256 }, { nameConstraints })
    expect(certificate.nameConstraints).toEqual(nameConstraints)
    expect(certificate.extensions.find(({ oid }) => oid === EXTENSION.nameConstraints)?.critical).toBe(true)
  })

  it('ok: a cross-certificate has the subject and key of the other root', async () => {
    const other = await testRoot({ type: 'ec', size: 384 }, { subjectDer: nameDer({ commonName: 'Other Root' }) })
    const { der } = await buildIntermediate(
      {
        subjectDer: other.certificate.subject.der,
        spkiDer: other.keyPair.spkiDer,
        notBeforeMs: NOW_MS,
        notAfterMs: NOW_MS + DAY_MS,
        pathLength: null,
      },
      root.issuer,
    )
    const cross = parsed(der)
    expect(equalBytes(cross.subject.der, other.certificate.subject.der)).toBe(true)
    expect(cross.subjectKeyIdentifier).toEqual(other.certificate.subjectKeyIdentifier)
    expect(cross.issuer.der).toEqual(root.certificate.subject.der)
  })

  it('ok: the key identifier of a foreign CA is taken from its certificate, not computed', async () => {
    const foreign = { ...root.certificate, subjectKeyIdentifier: new Uint8Array([1, 2, 3]) }
    expect((await issuerOf(foreign, root.keyPair.privateKey)).keyIdentifier).toEqual(new Uint8Array([1, 2, 3]))
    const without = { ...root.certificate, subjectKeyIdentifier: null }
    expect((await issuerOf(without, root.keyPair.privateKey)).keyIdentifier).toEqual(
      root.certificate.subjectKeyIdentifier,
    )
  })

  it.each([
    [Date.UTC(2049, 11, 31, 23, 59, 59), 0x17],
    [Date.UTC(2050, 0, 1), 0x18],
    [Date.UTC(9999, 11, 31, 23, 59, 59), 0x18],
  ])('ok: an end at %i is written with tag %i (RFC 5280 §4.1.2.5)', async (notAfterMs, tag) => {
    const { certificate } = await testRoot({ type: 'ec', size: 256 }, { notAfterMs })
    expect(certificate.notAfterMs).toBe(notAfterMs)
    expect(certificate.timeFormsConform).toBe(true)
    const validityAt = Buffer.from(certificate.tbsDer).indexOf(Buffer.from('261120120000Z'))
    expect(certificate.tbsDer[validityAt + 13]).toBe(tag)
  })

  it('ok: independent parsers read the same', async () => {
    const { certificate } = await testLeaf(intermediate, { type: 'rsa', size: 2048 })
    const node = new NodeCertificate(certificate.der)
    expect(node.subjectAltName).toBe('DNS:www.example.com, DNS:*.example.com, IP Address:192.0.2.1')
    expect(formatSerial(certificate.serialNumber).replaceAll(':', '')).toBe(node.serialNumber)
    expect(new Date(node.validTo).getTime()).toBe(certificate.notAfterMs)
    expect(node.ca).toBe(false)
    expect(node.checkIssued(new NodeCertificate(intermediate.certificate.der))).toBe(true)
    const peculiar = new X509Certificate(intermediate.certificate.der)
    expect(
      await peculiar.verify({
        publicKey: await new X509Certificate(root.certificate.der).publicKey.export(),
        signatureOnly: true,
      }),
    ).toBe(true)
    expect(peculiar.getExtension(BasicConstraintsExtension)).toMatchObject({ ca: true, pathLength: 0, critical: true })
  })

  it('fail: what can only be a mistake of the caller', async () => {
    const leaf = await generateKeyPair({ type: 'ec', size: 256 })
    const input = {
      subjectDer: nameDer({ commonName: 'x' }),
      spkiDer: leaf.spkiDer,
      notBeforeMs: NOW_MS,
      notAfterMs: NOW_MS + DAY_MS,
      altNames: LEAF_NAMES,
      extKeyUsage: [EKU.serverAuth],
    }
    const build = (changes: object) => buildLeaf({ ...input, ...changes }, root.issuer)
    await expect(build({ extKeyUsage: [] })).rejects.toThrow('extended key usage')
    await expect(build({ subjectDer: nameDer({}), altNames: [] })).rejects.toThrow('a subject or a name')
    await expect(build({ notAfterMs: NOW_MS - 1_000 })).rejects.toThrow('ends before')
    await expect(build({ spkiDer: derSequence() })).rejects.toThrow('public key')
    await expect(buildLeaf(input, { ...root.issuer, subjectDer: nameDer({}) })).rejects.toThrow('needs a subject')
    await expect(
      testIntermediate(root, { type: 'ec', size: 256 }, { nameConstraints: { permitted: [], excluded: [] } }),
    ).rejects.toThrow('constrain nothing')
  })
})
