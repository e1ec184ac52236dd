import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Bytes } from '../../../src/core/bytes.ts'
import { parseSubjectPublicKeyInfo } from '../../../src/pki/certificate.ts'
import { derBitString, derInteger, derNull, derOid, derSequence, derUnsigned } from '../../../src/pki/der/writer.ts'
import { generateKeyPair } from '../../../src/pki/keys.ts'
import { describePublicKeyDer, keyIdentifierOf } from '../../../src/pki/public-key.ts'

const spki = (algorithm: readonly Bytes[], bits: Bytes): Bytes =>
  derSequence(derSequence(...algorithm), derBitString(bits))
const RSA = [derOid('1.2.840.113549.1.1.1'), derNull()]
const EC = derOid('1.2.840.10045.2.1')
const P256 = [EC, derOid('1.2.840.10045.3.1.7')]
const ED25519 = derOid('1.3.101.112')
const rsa = (modulusOctets: number, first: number, exponent: Bytes): Bytes => {
  const modulus = new Uint8Array(modulusOctets).fill(0xff)
  modulus[0] = first
  return spki(RSA, derSequence(derUnsigned(modulus), exponent))
}
const point = (first: number, octets: number): Bytes => {
  const bytes = new Uint8Array(octets).fill(1)
  bytes[0] = first
  return bytes
}

describe('public keys', () => {
  it.each([
    ['RSA of 2,048 bits', rsa(256, 0x80, derInteger(65_537)), { type: 'rsa', size: 2_048 }],
    ['RSA of 2,041 bits', rsa(256, 0x01, derInteger(3)), { type: 'rsa', size: 2_041 }],
    ['RSA of 8,192 bits', rsa(1_024, 0xff, derInteger(65_537)), { type: 'rsa', size: 8_192 }],
    ['P-256', spki(P256, point(4, 65)), { type: 'ec', size: 256 }],
    ['Ed25519', spki([ED25519], point(9, 32)), { type: 'ed25519', size: 256 }],
  ])('ok: %s', (_, der, value) => {
    expect(describePublicKeyDer(der)).toEqual({ ok: true, value })
  })

  it.each([
    ['RSA of 8,193 bits', rsa(1_025, 0x01, derInteger(65_537)), 'unsupported'],
    ['an even exponent', rsa(256, 0x80, derInteger(65_536)), 'malformed'],
    ['an exponent of 1', rsa(256, 0x80, derInteger(1)), 'malformed'],
    ['an exponent of nine octets', rsa(256, 0x80, derUnsigned(new Uint8Array(9).fill(0xff))), 'malformed'],
    ['a negative modulus', spki(RSA, derSequence(new Uint8Array([2, 1, 0x80]), derInteger(3))), 'malformed'],
    ['an RSA key of one number', spki(RSA, derSequence(derInteger(3))), 'malformed'],
    ['a compressed point', spki(P256, point(2, 33)), 'malformed'],
    ['a hybrid point', spki(P256, point(6, 65)), 'malformed'],
    ['a point that is too short', spki(P256, point(4, 64)), 'malformed'],
    ['another curve', spki([EC, derOid('1.3.132.0.10')], point(4, 65)), 'unsupported'],
    ['a curve by its parameters', spki([EC, derSequence()], point(4, 65)), 'unsupported'],
    ['no curve', spki([EC], point(4, 65)), 'unsupported'],
    ['Ed25519 with parameters', spki([ED25519, derNull()], point(9, 32)), 'malformed'],
    ['Ed25519 of 33 octets', spki([ED25519], point(9, 33)), 'malformed'],
    ['Ed448', spki([derOid('1.3.101.113')], point(9, 57)), 'unsupported'],
    ['no SubjectPublicKeyInfo', derNull(), 'malformed'],
  ])('fail: %s', (_, der, reason) => {
    expect(describePublicKeyDer(der)).toMatchObject({ ok: false, error: { reason } })
  })

  it('ok: the key identifier is the SHA-1 of the bits (RFC 5280 §4.2.1.2)', async () => {
    const { spkiDer } = await generateKeyPair({ type: 'ec', size: 256 })
    const parsed = parseSubjectPublicKeyInfo(spkiDer)
    const identifier = parsed.ok ? await keyIdentifierOf(parsed.value) : null
    expect(identifier).toEqual(new Uint8Array(createHash('sha1').update(spkiDer.subarray(-65)).digest()))
  })
})
