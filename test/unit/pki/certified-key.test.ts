/** Keys that are certified, and keys whose private half everybody can have. */
import { generateKeyPairSync, generatePrimeSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Bytes, fromHex } from '../../../src/core/bytes.ts'
import { checkCertifiedKeyDer } from '../../../src/pki/certified-key.ts'
import { derBitString, derInteger, derNull, derOid, derSequence, derUnsigned } from '../../../src/pki/der/writer.ts'
import { generateKeyPair, type KeySpec } from '../../../src/pki/keys.ts'

const hex = (text: string): Bytes => fromHex(text) ?? new Uint8Array()
const spki = (algorithm: readonly Bytes[], bits: Bytes): Bytes =>
  derSequence(derSequence(...algorithm), derBitString(bits))
const octetsOf = (number: bigint): Bytes => {
  const text = number.toString(16)
  return hex(text.length % 2 === 1 ? `0${text}` : text)
}
const rsa = (modulus: bigint, exponent = 65_537): Bytes =>
  spki([derOid('1.2.840.113549.1.1.1'), derNull()], derSequence(derUnsigned(octetsOf(modulus)), derInteger(exponent)))
const prime = (bits: number): bigint => generatePrimeSync(bits, { bigint: true })
const rsaOfBits = (bits: number): Bytes =>
  new Uint8Array(generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ type: 'spki', format: 'der' }))
const ed25519 = (bits: Bytes): Bytes => spki([derOid('1.3.101.112')], bits)
const ec = (curve: string, bits: Bytes): Bytes => spki([derOid('1.2.840.10045.2.1'), derOid(curve)], bits)
const P256 = '1.2.840.10045.3.1.7'

/** A number of that many bits, whose highest two are set. */
const near = (bits: number): bigint => 3n << BigInt(bits - 2)
/** The next number from there that no prime below 752 divides. */
function sieved(start: bigint): bigint {
  const small = Array.from({ length: 750 }, (_, i) => BigInt(i + 2))
  for (let candidate = start | 1n; ; candidate += 2n) if (small.every((p) => candidate % p !== 0n)) return candidate
}
/** As the library of the chips does it: k times the product of the primes up to 167, plus a power of 65537. */
const PRIMORIAL = Array.from({ length: 166 }, (_, i) => i + 2)
  .filter((n) => Array.from({ length: n - 2 }, (_, i) => i + 2).every((d) => n % d !== 0))
  .reduce((product, p) => product * BigInt(p), 1n)
const rocaFactor = (power: bigint): bigint => {
  const rest = 65_537n ** power % PRIMORIAL
  const start = near(1024) / PRIMORIAL
  for (let k = start; ; k += 1n) {
    const candidate = k * PRIMORIAL + rest
    if (sieved(candidate) === candidate) return candidate
  }
}

describe('keys that may be certified', () => {
  it.each<[string, KeySpec]>([
    ['RSA 2048', { type: 'rsa', size: 2048 }],
    ['RSA 4096', { type: 'rsa', size: 4096 }],
    ['P-256', { type: 'ec', size: 256 }],
    ['P-384', { type: 'ec', size: 384 }],
    ['P-521', { type: 'ec', size: 521 }],
    ['Ed25519', { type: 'ed25519' }],
  ])('ok: %s, new ones', async (_, spec) => {
    for (let i = 0; i < (spec.type === 'rsa' ? 1 : 20); i += 1) {
      const { spkiDer, kind } = await generateKeyPair(spec)
      expect(checkCertifiedKeyDer(spkiDer)).toEqual({ ok: true, value: kind })
    }
  })
  it('ok: RSA with two primes that share nothing, and a larger exponent', () => {
    const modulus = near(2048) | 1n
    expect(checkCertifiedKeyDer(rsa(sieved(modulus)))).toMatchObject({ ok: true })
    expect(checkCertifiedKeyDer(rsa(sieved(modulus), 4_294_967_297))).toMatchObject({ ok: true })
  })

  it.each<[string, Bytes, string]>([
    ['RSA 1024', rsaOfBits(1024), '1024 bits'],
    ['RSA 1536', rsaOfBits(1536), '1536 bits'],
    ['RSA 2047', rsa(sieved(near(2047))), '2047 bits'],
    ['RSA 2049', rsa(sieved(near(2049))), 'no multiple of 8'],
    ['an even modulus', rsa(near(2048)), '2 divides'],
    ['a modulus that 3 divides', rsa((sieved(near(2046)) * 3n) | 1n), 'divides its modulus'],
    ['a modulus that 751 divides', rsa(sieved(near(2038)) * 751n), '751 divides'],
    ['an exponent of 3', rsa(sieved(near(2048)), 3), 'exponent below 65537'],
    ['an exponent of 17', rsa(sieved(near(2048)), 17), 'exponent below 65537'],
    ['an even exponent', rsa(sieved(near(2048)), 65_538), 'unusable exponent'],
    ['an exponent of 1', rsa(sieved(near(2048)), 1), 'unusable exponent'],
    ['a key of the ROCA chips', rsa(rocaFactor(7_919n) * rocaFactor(104_729n)), 'ROCA'],
    ['two primes that are neighbours', rsa(sieved(near(1024)) * sieved(sieved(near(1024)) + 2n)), 'too close'],
    ['the square of a prime', rsa(sieved(near(1024)) ** 2n), 'too close'],
    ['Ed25519: the identity', ed25519(hex(`01${'00'.repeat(31)}`)), 'small order'],
    ['Ed25519: the identity with a sign', ed25519(hex(`01${'00'.repeat(30)}80`)), 'small order'],
    ['Ed25519: order 2', ed25519(hex(`ec${'ff'.repeat(30)}7f`)), 'small order'],
    ['Ed25519: order 4', ed25519(new Uint8Array(32)), 'small order'],
    [
      'Ed25519: order 8',
      ed25519(hex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')),
      'small order',
    ],
    [
      'Ed25519: another of order 8',
      ed25519(hex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa')),
      'small order',
    ],
    ['Ed25519: a y that is not reduced', ed25519(hex(`ee${'ff'.repeat(30)}7f`)), 'not a point'],
    ['Ed25519: no point', ed25519(hex(`02${'00'.repeat(31)}`)), 'not a point'],
    ['P-256: no point', ec(P256, hex(`04${'01'.repeat(64)}`)), 'not a point'],
    ['P-256: zeros', ec(P256, hex(`04${'00'.repeat(64)}`)), 'not a point'],
    ['P-256: infinity', ec(P256, hex('00')), 'point at infinity'],
    ['P-384: no point', ec('1.3.132.0.34', hex(`04${'01'.repeat(96)}`)), 'not a point'],
    ['P-521: no point', ec('1.3.132.0.35', hex(`04${'01'.repeat(132)}`)), 'not a point'],
    ['another algorithm', spki([derOid('1.3.101.113')], new Uint8Array(57)), 'not supported'],
  ])('fail: %s', (_, der, text) => {
    expect(checkCertifiedKeyDer(der)).toMatchObject({ ok: false, error: { message: expect.stringContaining(text) } })
  })

  it('ok: products of random primes are not taken for weak ones', () => {
    for (let i = 0; i < 5; i += 1) {
      const modulus = prime(1024) * prime(1024)
      expect(modulus.toString(2)).toHaveLength(2048)
      expect(checkCertifiedKeyDer(rsa(modulus))).toMatchObject({ ok: true })
    }
  })
})
