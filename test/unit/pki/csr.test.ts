import 'reflect-metadata'
import { Pkcs10CertificateRequest, type SubjectAlternativeNameExtension } from '@peculiar/x509'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Bytes } from '../../../src/core/bytes.ts'
import { err } from '../../../src/core/result.ts'
import type { AltName } from '../../../src/pki/alt-name.ts'
import { keyUsageExtension, subjectAltNameExtension } from '../../../src/pki/build-extensions.ts'
import { buildCsr, type Csr, parseCsr, readProvenCsr, verifyCsrSignature } from '../../../src/pki/csr.ts'
import { DerError } from '../../../src/pki/der/errors.ts'
import { derExplicit, derInteger, derOid, derSequence, derSetOf } from '../../../src/pki/der/writer.ts'
import { buildName } from '../../../src/pki/distinguished-name.ts'
import { commonNameOf } from '../../../src/pki/general-name.ts'
import { generateKeyPair, type KeyPair } from '../../../src/pki/keys.ts'
import { formatPem } from '../../../src/pki/pem.ts'
import { signWhole } from '../../../src/pki/signature.ts'

const ALT_NAMES: readonly AltName[] = [
  { type: 'dns', value: 'example.com' },
  { type: 'dns', value: '*.example.com' },
  { type: 'ip', value: new Uint8Array([192, 0, 2, 1]) },
  { type: 'email', value: 'a@example.com' },
  { type: 'uri', value: 'spiffe://example.com/a' },
]
const parsed = (der: Bytes): Csr => {
  const csr = parseCsr(der)
  if (!csr.ok) throw csr.error
  return csr.value
}

describe('certification requests (RFC 2986)', () => {
  let pair: KeyPair
  beforeAll(async () => {
    pair = await generateKeyPair({ type: 'ec', size: 256 })
  })
  const build = (altNames: readonly AltName[], subjectDer?: Bytes): Promise<Bytes> =>
    buildCsr({ ...pair, altNames, ...(subjectDer === undefined ? {} : { subjectDer }) })

  it('ok: names, key and signature come back, and nothing else is asked for', async () => {
    const csr = parsed(await build(ALT_NAMES))
    expect(csr.subjectAltNames).toEqual(ALT_NAMES)
    expect(csr.subject.rdns).toEqual([])
    expect(csr.subjectPublicKeyInfo.der).toEqual(pair.spkiDer)
    expect(csr.extensions.map(({ oid, critical }) => [oid, critical])).toEqual([['2.5.29.17', true]])
    expect(csr.extKeyUsage).toBeNull()
    expect(await verifyCsrSignature(csr)).toMatchObject({ ok: true })
  })

  it('ok: an independent parser reads the same', async () => {
    const csr = new Pkcs10CertificateRequest(await build(ALT_NAMES))
    const extension = csr.getExtension('2.5.29.17') as SubjectAlternativeNameExtension
    expect(extension.names.items.map(({ type, value }) => ({ type, value }))).toEqual([
      { type: 'dns', value: 'example.com' },
      { type: 'dns', value: '*.example.com' },
      { type: 'ip', value: '192.0.2.1' },
      { type: 'email', value: 'a@example.com' },
      { type: 'url', value: 'spiffe://example.com/a' },
    ])
    expect(await csr.verify()).toBe(true)
  })

  it('ok: a subject, without names', async () => {
    const subject = buildName({ commonName: 'example.com', organization: 'Example' })
    const csr = parsed(await build([], subject.ok ? subject.value : derSequence()))
    expect(commonNameOf(csr.subject)).toBe('example.com')
    expect(csr.extensions).toEqual([])
    expect(csr.subjectAltNames).toBeNull()
  })

  it('ok: names under a subject are not critical (RFC 5280 §4.2.1.6)', async () => {
    const subject = buildName({ commonName: 'example.com' })
    const csr = parsed(await build(ALT_NAMES, subject.ok ? subject.value : derSequence()))
    expect(csr.extensions.map(({ critical }) => critical)).toEqual([false])
  })

  it('ok: a request without the field for attributes is read, as some writers leave it out', async () => {
    const info = derSequence(derInteger(0), derSequence(), pair.spkiDer)
    expect(parsed(await signWhole(info, pair.privateKey)).extensions).toEqual([])
  })

  it('ok: in PEM under either label (RFC 7468 §7), with the kind of its key', async () => {
    const der = await build(ALT_NAMES)
    for (const label of ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']) {
      const proven = await readProvenCsr(`a note\n${formatPem(label, der)}`)
      expect(proven).toMatchObject({ ok: true, value: { csr: { der }, key: { type: 'ec', size: 256 } } })
    }
  })

  it('fail: PEM without one request, or with one that its key did not sign, is told apart', async () => {
    const der = await build(ALT_NAMES)
    const pem = formatPem('CERTIFICATE REQUEST', der)
    const one = 'give one PEM block of the type CERTIFICATE REQUEST'
    expect(await readProvenCsr('no csr')).toEqual(err(one))
    expect(await readProvenCsr(pem + pem)).toEqual(err(one))
    expect(await readProvenCsr(formatPem('CERTIFICATE', der))).toEqual(
      err('found a CERTIFICATE block where CERTIFICATE REQUEST belongs'),
    )
    expect(await readProvenCsr(formatPem('CERTIFICATE REQUEST', der.slice(0, -1)))).toEqual(
      err(expect.stringMatching(/^the request is malformed: /)),
    )
    const forged = der.with(der.length - 1, (der.at(-1) ?? 0) ^ 1)
    expect(await readProvenCsr(formatPem('CERTIFICATE REQUEST', forged))).toEqual(
      err('the request was not signed by the key that it is for'),
    )
  })

  it('fail: a changed name breaks the signature', async () => {
    const der = await build([{ type: 'dns', value: 'example.com' }])
    const at = Buffer.from(der).indexOf('example.com')
    der[at] = 'E'.charCodeAt(0)
    const csr = parsed(der)
    expect(csr.subjectAltNames).toEqual([{ type: 'dns', value: 'Example.com' }])
    expect(await verifyCsrSignature(csr)).toMatchObject({ ok: false, error: { reason: 'bad_signature' } })
  })

  const attribute = (...extensions: Bytes[]) =>
    derSequence(derOid('1.2.840.113549.1.9.14'), derSetOf(derSequence(...extensions)))
  const san = subjectAltNameExtension([{ type: 'dns', value: 'a.example' }], true)
  it.each([
    ['extensions asked for twice', [attribute(san), attribute(keyUsageExtension(['digitalSignature']))], 'twice'],
    ['the same extension twice', [attribute(san, san)], 'there twice'],
    ['an empty list of extensions', [attribute()], 'missing'],
  ])('fail: %s', async (_, attributes, word) => {
    const info = derSequence(derInteger(0), derSequence(), pair.spkiDer, derExplicit(0, ...attributes))
    expect(parseCsr(await signWhole(info, pair.privateKey))).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining(word) },
    })
  })

  it('ok: no change of a byte makes the parser throw, and none passes the signature', async () => {
    const der = await build(ALT_NAMES)
    const mutation = fc.tuple(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }))
    const results = { refused: 0, parsed: 0 }
    await fc.assert(
      fc.asyncProperty(mutation, async ([at, flip]) => {
        const changed = new Uint8Array(der)
        changed[at] = (changed[at] as number) ^ flip
        const csr = parseCsr(changed)
        const verdict = csr.ok ? await verifyCsrSignature(csr.value) : csr
        results[csr.ok ? 'parsed' : 'refused'] += 1
        expect(verdict.ok).toBe(false)
        expect(csr.ok || csr.error instanceof DerError).toBe(true)
      }),
      { numRuns: 300 },
    )
    expect(Math.min(results.refused, results.parsed)).toBeGreaterThan(10)
  })
})
