import { constants, createSign, generateKeyPairSync, sign as nodeSign, verify as nodeVerify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, utf8 } from '../../../src/core/bytes.ts'
import {
  type AlgorithmIdentifier,
  parseAlgorithmIdentifier,
  parseSubjectPublicKeyInfo,
  type SubjectPublicKeyInfo,
} from '../../../src/pki/certificate.ts'
import { derExplicit, derInteger, derNull, derOid, derSequence, derUnsigned } from '../../../src/pki/der/writer.ts'
import { generateKeyPair, type KeySpec } from '../../../src/pki/keys.ts'
import { ecdsaFromDer, ecdsaToDer, sign, signatureAlgorithmDerOf, verifySignature } from '../../../src/pki/signature.ts'

const message = utf8('to be signed')
const spkiOf = (der: Bytes): SubjectPublicKeyInfo => {
  const parsed = parseSubjectPublicKeyInfo(der)
  if (!parsed.ok) throw parsed.error
  return parsed.value
}
const algorithmOf = (der: Bytes): AlgorithmIdentifier => {
  const parsed = parseAlgorithmIdentifier(der)
  if (!parsed.ok) throw parsed.error
  return parsed.value
}

describe('signatures', () => {
  it.each<[string, KeySpec, string | null]>([
    ['RSA', { type: 'rsa', size: 2048 }, 'sha256'],
    ['P-256', { type: 'ec', size: 256 }, 'sha256'],
    ['P-384', { type: 'ec', size: 384 }, 'sha384'],
    ['P-521', { type: 'ec', size: 521 }, 'sha512'],
    ['Ed25519', { type: 'ed25519' }, null],
  ])('ok: %s signatures verify here and in Node; changed messages do not', async (_, spec, digest) => {
    const { privateKey, spkiDer } = await generateKeyPair(spec)
    const signature = await sign(message, privateKey)
    const key = { key: Buffer.from(spkiDer), format: 'der', type: 'spki' } as const
    expect(nodeVerify(digest, message, key, signature)).toBe(true)
    const algorithm = algorithmOf(signatureAlgorithmDerOf(privateKey))
    expect(algorithm.parametersDer).toEqual(spec.type === 'rsa' ? derNull() : null)
    const spki = spkiOf(spkiDer)
    expect(await verifySignature({ message, algorithm, signature }, spki)).toEqual({ ok: true, value: undefined })
    expect(await verifySignature({ message: utf8('another'), algorithm, signature }, spki)).toMatchObject({
      error: { reason: 'bad_signature' },
    })
  })

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rsaSpki = spkiOf(new Uint8Array(rsa.publicKey.export({ type: 'spki', format: 'der' })))
  const SHA = { 256: '2.16.840.1.101.3.4.2.1', 384: '2.16.840.1.101.3.4.2.2', 512: '2.16.840.1.101.3.4.2.3' } as const
  const pss = (hash: 256 | 384 | 512, maskHash: 256 | 384 | 512, salt: number): Bytes => {
    const hashDer = (size: 256 | 384 | 512) => derSequence(derOid(SHA[size]), derNull())
    return derSequence(
      derOid('1.2.840.113549.1.1.10'),
      derSequence(
        derExplicit(0, hashDer(hash)),
        derExplicit(1, derSequence(derOid('1.2.840.113549.1.1.8'), hashDer(maskHash))),
        derExplicit(2, derInteger(salt)),
      ),
    )
  }

  it.each([256, 384, 512] as const)('ok: RSA with SHA-%i, both paddings', async (size) => {
    const suffix = { 256: 11, 384: 12, 512: 13 }[size]
    const withNull = derSequence(derOid(`1.2.840.113549.1.1.${suffix}`), derNull())
    const without = derSequence(derOid(`1.2.840.113549.1.1.${suffix}`))
    const signature = new Uint8Array(createSign(`sha${size}`).update(message).sign(rsa.privateKey))
    for (const der of [withNull, without]) {
      const algorithm = algorithmOf(der)
      expect(await verifySignature({ message, algorithm, signature }, rsaSpki)).toMatchObject({ ok: true })
    }
    const padded = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: size / 8 }
    const pssSignature = new Uint8Array(nodeSign(`sha${size}`, message, padded))
    const algorithm = algorithmOf(pss(size, size, size / 8))
    expect(await verifySignature({ message, algorithm, signature: pssSignature }, rsaSpki)).toMatchObject({ ok: true })
    expect(await verifySignature({ message, algorithm, signature }, rsaSpki)).toMatchObject({ ok: false })
  })

  it.each([
    ['two hashes in RSASSA-PSS', pss(256, 384, 32), 'unsupported_algorithm'],
    ['SHA-1', derSequence(derOid('1.2.840.113549.1.1.5'), derNull()), 'unsupported_algorithm'],
    [
      'a parameter that is no NULL',
      derSequence(derOid('1.2.840.113549.1.1.11'), derInteger(1)),
      'unsupported_algorithm',
    ],
    ['ECDSA with parameters', derSequence(derOid('1.2.840.10045.4.3.2'), derNull()), 'unsupported_algorithm'],
    ['an ECDSA signature for an RSA key', derSequence(derOid('1.2.840.10045.4.3.2')), 'bad_signature'],
  ])('fail: %s', async (_, der, reason) => {
    const result = await verifySignature(
      { message, algorithm: algorithmOf(der), signature: new Uint8Array(256) },
      rsaSpki,
    )
    expect(result).toMatchObject({ ok: false, error: { reason } })
  })

  it.each([0, 20, 33, 222])('ok: RSASSA-PSS with a salt of %i octets', async (salt) => {
    const padded = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt }
    const signature = new Uint8Array(nodeSign('sha256', message, padded))
    const algorithm = algorithmOf(pss(256, 256, salt))
    expect(await verifySignature({ message, algorithm, signature }, rsaSpki)).toMatchObject({ ok: true })
  })
  it.each([31, 223, 300, 65_535, 2_147_483_647])('fail: RSASSA-PSS that says %i octets of salt', async (salt) => {
    const padded = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
    const signature = new Uint8Array(nodeSign('sha256', message, padded))
    const result = await verifySignature({ message, algorithm: algorithmOf(pss(256, 256, salt)), signature }, rsaSpki)
    expect(result).toMatchObject({ ok: false, error: { reason: 'bad_signature' } })
  })

  it('fail: a point that is not on the curve, and a key of 16,384 bits', async () => {
    const { spkiDer, privateKey } = await generateKeyPair({ type: 'ec', size: 256 })
    const algorithm = algorithmOf(signatureAlgorithmDerOf(privateKey))
    const off = new Uint8Array(spkiDer)
    off[off.length - 1] = (off.at(-1) as number) ^ 1
    const signature = await sign(message, privateKey)
    expect(await verifySignature({ message, algorithm, signature }, spkiOf(off))).toMatchObject({
      ok: false,
      error: { reason: 'unusable_key' },
    })
    const huge = {
      ...rsaSpki,
      publicKeyBits: derSequence(derUnsigned(new Uint8Array(2_048).fill(0xff)), derInteger(65_537)),
    }
    expect(await verifySignature({ message, algorithm, signature }, huge)).toMatchObject({
      ok: false,
      error: { reason: 'unusable_key' },
    })
  })
})

describe('ECDSA values', () => {
  it.each([32, 48, 66])('ok: r‖s of two times %i octets survives DER', (half) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2 * half, maxLength: 2 * half }), (raw) => {
        expect(ecdsaFromDer(ecdsaToDer(raw), half)).toEqual(raw)
      }),
    )
  })

  it.each([
    ['too long for the curve', derSequence(derUnsigned(new Uint8Array(33).fill(1)), derInteger(1))],
    ['one number', derSequence(derInteger(1))],
    ['three numbers', derSequence(derInteger(1), derInteger(1), derInteger(1))],
    ['a negative number', new Uint8Array([0x30, 6, 2, 1, 0x80, 2, 1, 1])],
    ['a padded number', new Uint8Array([0x30, 7, 2, 2, 0, 1, 2, 1, 1])],
    ['bytes at the end', new Uint8Array([0x30, 6, 2, 1, 1, 2, 1, 1, 0])],
  ])('fail: %s', (_, der) => {
    expect(ecdsaFromDer(der, 32)).toBeNull()
  })
})
