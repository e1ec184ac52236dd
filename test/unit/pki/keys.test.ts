import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Bytes } from '../../../src/core/bytes.ts'
import { DerReader } from '../../../src/pki/der/reader.ts'
import {
  derBitString,
  derExplicit,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
} from '../../../src/pki/der/writer.ts'
import { readPrivateKey } from '../../../src/pki/key-formats.ts'
import {
  exportPkcs8,
  exportPrivateKeyPem,
  generateKeyPair,
  importPrivateKey,
  importPrivateKeyPem,
  type KeyPair,
  type KeySpec,
  privateKeyMatches,
  traditionalFormatOf,
} from '../../../src/pki/keys.ts'
import { formatPem, parsePem } from '../../../src/pki/pem.ts'
import { describePublicKeyDer } from '../../../src/pki/public-key.ts'

const SPECS: readonly KeySpec[] = [
  { type: 'rsa', size: 2048 },
  { type: 'rsa', size: 3072 },
  { type: 'ec', size: 256 },
  { type: 'ec', size: 384 },
  { type: 'ec', size: 521 },
  { type: 'ed25519' },
]
const nameOf = (spec: KeySpec): string => (spec.type === 'ed25519' ? 'ed25519' : `${spec.type} ${spec.size}`)

const nodeSpki = (pem: string): Bytes =>
  new Uint8Array(createPublicKey(createPrivateKey(pem)).export({ type: 'spki', format: 'der' }))

const outcome = async (result: ReturnType<typeof importPrivateKeyPem>): Promise<string> => {
  const imported = await result
  return imported.ok ? 'ok' : imported.error.reason
}

describe.each(SPECS.map((spec) => [nameOf(spec), spec] as const))('keys: %s', (_, spec) => {
  let pair: KeyPair
  beforeAll(async () => {
    pair = await generateKeyPair(spec)
  })

  it('ok: kind and size are in the public key', () => {
    const size = spec.type === 'ed25519' ? 256 : spec.size
    expect(pair.kind).toEqual({ type: spec.type, size })
    expect(describePublicKeyDer(pair.spkiDer)).toEqual({ ok: true, value: pair.kind })
  })

  it('ok: both exported forms are read by Node and by the importer as the same key', async () => {
    const format = traditionalFormatOf(pair.kind)
    for (const pem of [
      await exportPrivateKeyPem(pair.privateKey, 'pkcs8'),
      await exportPrivateKeyPem(pair.privateKey, format),
    ]) {
      expect(nodeSpki(pem)).toEqual(pair.spkiDer)
      const imported = await importPrivateKeyPem(pem, { extractable: false })
      expect(imported).toMatchObject({ ok: true, value: { kind: pair.kind, spkiDer: pair.spkiDer } })
    }
    const label = { rsa: 'RSA PRIVATE KEY', ec: 'EC PRIVATE KEY', ed25519: 'PRIVATE KEY' }[spec.type]
    expect(await exportPrivateKeyPem(pair.privateKey, format)).toContain(`-----BEGIN ${label}-----`)
  })

  it('ok: a key that is imported as not extractable does not come out', async () => {
    const imported = await importPrivateKey('pkcs8', await exportPkcs8(pair.privateKey), { extractable: false })
    expect(imported.ok).toBe(true)
    const key = (imported as { value: KeyPair }).value.privateKey
    expect(key.extractable).toBe(false)
    await expect(exportPkcs8(key)).rejects.toThrow('not extractable')
  })

  it('ok: matches its own public key, and no other', async () => {
    const other = await generateKeyPair({ type: 'ec', size: 256 })
    expect(await privateKeyMatches(pair.privateKey, pair.spkiDer)).toBe(true)
    expect(await privateKeyMatches(pair.privateKey, other.spkiDer)).toBe(false)
  })

  it('fail: every truncation of the key is refused, and none throws', async () => {
    const der = await exportPkcs8(pair.privateKey)
    const results = await Promise.all(
      Array.from({ length: Math.min(der.length, 90) }, (_, length) =>
        importPrivateKey('pkcs8', der.slice(0, length), { extractable: false }),
      ),
    )
    expect(results.filter((result) => result.ok)).toEqual([])
  })
})

describe('importing private keys', () => {
  it('ok: finds the key beside certificates and EC parameters', async () => {
    const pair = await generateKeyPair({ type: 'ec', size: 256 })
    const pem = `${formatPem('EC PARAMETERS', derOid('1.2.840.10045.3.1.7'))}${await exportPrivateKeyPem(pair.privateKey, 'sec1')}${formatPem('CERTIFICATE', derSequence())}`
    expect(await importPrivateKeyPem(pem, { extractable: false })).toMatchObject({ ok: true })
  })

  it('ok: keys that Node made, without a public half and with one', async () => {
    for (const namedCurve of ['P-256', 'P-384', 'P-521']) {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve })
      const pem = privateKey.export({ type: 'sec1', format: 'pem' }) as string
      const imported = await importPrivateKeyPem(pem, { extractable: true })
      expect(imported).toMatchObject({ ok: true, value: { spkiDer: nodeSpki(pem) } })
    }
  })

  it('ok: a scalar without its leading zeros is filled up (RFC 5915 §3)', async () => {
    const scalar = new Uint8Array([7])
    const der = derSequence(derInteger(1), derOctetString(scalar), derExplicit(0, derOid('1.2.840.10045.3.1.7')))
    const imported = await importPrivateKey('sec1', der, { extractable: true })
    expect(imported.ok).toBe(true)
    const again = readPrivateKey('pkcs8', await exportPkcs8((imported as { value: KeyPair }).value.privateKey))
    expect(again).toMatchObject({ ok: true, value: { scalar: new Uint8Array([...new Array<number>(31).fill(0), 7]) } })
  })

  it('ok: a lying public half in the file changes nothing', async () => {
    const [mine, other] = [
      await generateKeyPair({ type: 'ec', size: 256 }),
      await generateKeyPair({ type: 'ec', size: 256 }),
    ]
    const plain = readPrivateKey('pkcs8', await exportPkcs8(mine.privateKey))
    const scalar = plain.ok && plain.value.type === 'ec' ? plain.value.scalar : new Uint8Array(0)
    const lie = derSequence(
      derInteger(1),
      derOctetString(scalar),
      derExplicit(0, derOid('1.2.840.10045.3.1.7')),
      derExplicit(1, derBitString(other.spkiDer.subarray(-65))),
    )
    expect(await importPrivateKey('sec1', lie, { extractable: false })).toMatchObject({
      ok: true,
      value: { spkiDer: mine.spkiDer },
    })
  })

  const rsa = (size: number, type: 'pkcs1' | 'pkcs8', extra: object = {}): string =>
    generateKeyPairSync('rsa', { modulusLength: size }).privateKey.export({ type, format: 'pem', ...extra }) as string

  it('fail: encrypted keys, in both forms, are named as such', async () => {
    const cipher = { cipher: 'aes-256-cbc', passphrase: 'x' }
    expect(await outcome(importPrivateKeyPem(rsa(2048, 'pkcs8', cipher), { extractable: false }))).toBe('encrypted')
    expect(await outcome(importPrivateKeyPem(rsa(2048, 'pkcs1', cipher), { extractable: false }))).toBe('encrypted')
  })

  it('fail: weak, foreign and multiple keys', async () => {
    const x25519 = generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    const k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey.export({
      type: 'sec1',
      format: 'pem',
    }) as string
    const good = rsa(2048, 'pkcs8')
    expect(await outcome(importPrivateKeyPem(rsa(1024, 'pkcs8'), { extractable: false }))).toBe('unsupported')
    expect(await outcome(importPrivateKeyPem(x25519, { extractable: false }))).toBe('unsupported')
    expect(await outcome(importPrivateKeyPem(k1, { extractable: false }))).toBe('unsupported')
    expect(await outcome(importPrivateKeyPem(good + good, { extractable: false }))).toBe('malformed')
    expect(await outcome(importPrivateKeyPem(formatPem('CERTIFICATE', derSequence()), { extractable: false }))).toBe(
      'malformed',
    )
    expect(await outcome(importPrivateKeyPem('no key', { extractable: false }))).toBe('malformed')
  })

  it('fail: an RSA key whose numbers do not fit together', async () => {
    const [a, b] = [rsa(2048, 'pkcs1'), rsa(2048, 'pkcs1')].map((pem) => {
      const blocks = parsePem(pem)
      return blocks.ok ? (blocks.value[0]?.der as Bytes) : new Uint8Array(0)
    }) as [Bytes, Bytes]
    const numbersOf = (der: Bytes): Bytes[] => {
      const sequence = DerReader.over(der).sequence()
      return Array.from({ length: 9 }, () => sequence.raw())
    }
    const [mine, theirs] = [numbersOf(a), numbersOf(b)]
    expect(await outcome(importPrivateKey('pkcs1', derSequence(...mine), { extractable: false }))).toBe('ok')
    // Version, modulus, exponent, private exponent, two primes, two exponents, coefficient: each but the exponent of another key.
    const outcomes = await Promise.all(
      [1, 3, 4, 5, 6, 7, 8].map((place) => {
        const mixed = mine.map((number, at) => (at === place ? (theirs[at] as Bytes) : number))
        return outcome(importPrivateKey('pkcs1', derSequence(...mixed), { extractable: false }))
      }),
    )
    expect(outcomes).toEqual(new Array(7).fill('malformed'))
  })

  it('fail: a form that the kind does not have is a bug of the caller', async () => {
    const pair = await generateKeyPair({ type: 'ed25519' })
    await expect(exportPrivateKeyPem(pair.privateKey, 'sec1')).rejects.toThrow('has no sec1 form')
  })
})
