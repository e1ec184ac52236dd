/** What is asked of the key of a request, wherever requests are taken, and of its signature. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { Bytes } from '../../../src/core/bytes.ts'
import { derExtension } from '../../../src/pki/build-extensions.ts'
import { contextPrimitive } from '../../../src/pki/der/tags.ts'
import { derExplicit, derInteger, derNull, derOid, derSequence, derValue } from '../../../src/pki/der/writer.ts'
import { EXTENSION } from '../../../src/pki/oids.ts'
import { findCsr } from '../../../src/store/csrs.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import { ascii, forgeCsr, rsaCsr, spkiOf } from '../../support/csr-forge.ts'
import { bindings } from '../support/bindings.ts'
import { bodyOf, newCa, newRole } from '../support/pki-world.ts'
import { type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

const SHA256_RSA = '1.2.840.113549.1.1.11'
const SHA1_RSA = '1.2.840.113549.1.1.5'

let app: TestApp
let ca: string
let role: string
beforeAll(async () => {
  app = await testApp()
  ca = await newCa(app)
  role = await newRole(app, ca, { key_type: 'rsa', key_bits: 2048, require_cn: false })
})

const byApproval = (csr_pem: string): Promise<TestAnswer> =>
  app.request('POST', '/v1/pki/csr/import', { body: { csr_pem } })
const byRole = (csr_pem: string): Promise<TestAnswer> =>
  app.request('POST', `/v1/pki/sign/${role}`, { body: { csr_pem } })

/** What both ways say. */
async function refusal(csr: string): Promise<string> {
  const [approval, signing] = [await byApproval(csr), await byRole(csr)]
  expect([approval.status, signing.status]).toEqual([400, 400])
  expect(signing.json.error.message).toBe(approval.json.error.message)
  return approval.json.error.message as string
}

describe('the key of a request', () => {
  it.each([1024, 1536])('fail: RSA of %i bits', async (size) => {
    expect(await refusal(await rsaCsr(size, 'SHA-256', SHA256_RSA))).toContain(`${size} bits`)
  })
  it('fail: an Ed25519 key that everybody can sign for', async () => {
    const identity = new Uint8Array(32)
    identity[0] = 1
    // R is the identity too, and S is 0: that signature fits every message.
    const signature = new Uint8Array(64)
    signature[0] = 1
    const csr = await forgeCsr({
      spkiDer: spkiOf(['1.3.101.112'], identity),
      algorithmDer: derSequence(derOid('1.3.101.112')),
      signWith: async () => signature,
    })
    expect(await refusal(csr)).toContain('small order')
  })
  it('fail: a point that is not on its curve', async () => {
    const point = new Uint8Array(65).fill(1)
    point[0] = 4
    const csr = await forgeCsr({ spkiDer: spkiOf(['1.2.840.10045.2.1', '1.2.840.10045.3.1.7'], point) })
    expect(await refusal(csr)).toContain('not a point of its curve')
  })

  it('fail: one that was approved when less was asked is not signed, and can still be read', async () => {
    const weak = await rsaCsr(1024, 'SHA-256', SHA256_RSA)
    const id = bodyOf(await byApproval(await forgeCsr()), 201).id as string
    await bindings.DB.prepare('UPDATE csrs SET csr_pem = ? WHERE id = ?').bind(weak, id).run()
    expect((await findCsr(app.store, DEFAULT_TENANT_ID, id))?.csrPem).toBe(weak)
    bodyOf(await app.request('POST', `/v1/pki/csr/${id}/approve`))
    const signed = await app.request('POST', `/v1/pki/csr/${id}/sign`, { body: { ca_id: ca } })
    expect([signed.status, signed.json.error.message]).toEqual([400, expect.stringContaining('1024 bits')])
    expect(bodyOf(await app.request('GET', `/v1/pki/csr/${id}`)).csr_pem).toBe(weak)
  })
})

describe('the names of a request', () => {
  const withNames = (...names: readonly Bytes[]): Promise<string> =>
    forgeCsr({ extensions: [derExtension(EXTENSION.subjectAltName, false, derSequence(...names))] })

  it('fail: none at all, and an address of eight octets: the message says so', async () => {
    expect(await refusal(await withNames())).toContain('a list of names is empty')
    const address = derValue(contextPrimitive(7), new Uint8Array(8))
    expect(await refusal(await withNames(address))).toContain('an IP address has 4 or 16 octets, and this one 8')
  })
})

describe('the signature of a request', () => {
  it('fail: SHA-1 is called by its name', async () => {
    const message = await refusal(await rsaCsr(2048, 'SHA-1', SHA1_RSA))
    expect(message).toBe(
      'csr_pem: the request is signed with SHA-1, which proves nothing any more: make it anew with SHA-256',
    )
  })
  it('fail: SHA-224 is not supported here, which says nothing against it', async () => {
    const algorithmDer = derSequence(derOid('1.2.840.10045.4.3.1'))
    expect(await refusal(await forgeCsr({ algorithmDer }))).toBe(
      'csr_pem: the request is signed with SHA-224, which is not supported: make it anew with SHA-256',
    )
  })
  it('fail: one that does not fit', async () => {
    const other = await forgeCsr({ signWith: async () => derSequence(derInteger(1), derInteger(1)) })
    expect(await refusal(other)).toBe('csr_pem: the request was not signed by the key that it is for')
  })

  const sha256 = derSequence(derOid('2.16.840.1.101.3.4.2.1'), derNull())
  const pss = (salt: number) =>
    derSequence(
      derOid('1.2.840.113549.1.1.10'),
      derSequence(
        derExplicit(0, sha256),
        derExplicit(1, derSequence(derOid('1.2.840.113549.1.1.8'), sha256)),
        derExplicit(2, derInteger(salt)),
      ),
    )
  async function pssCsr(saltLength: number, claimed: number): Promise<string> {
    const algorithm = {
      name: 'RSA-PSS',
      modulusLength: 2048,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: 'SHA-256',
    }
    const pair = (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair
    return forgeCsr({
      spkiDer: new Uint8Array((await crypto.subtle.exportKey('spki', pair.publicKey)) as ArrayBuffer),
      algorithmDer: pss(claimed),
      signWith: async (info) =>
        new Uint8Array(await crypto.subtle.sign({ name: 'RSA-PSS', saltLength }, pair.privateKey, info)),
    })
  }
  it.each([0, 20, 33, 222])('ok: RSA-PSS with a salt of %i octets', async (salt) => {
    expect((await byApproval(await pssCsr(salt, salt))).status).toBe(201)
    expect((await byRole(await pssCsr(salt, salt))).status).toBe(201)
  })
  it.each([31, 223, 256, 65_535, 2_147_483_647])('fail: RSA-PSS that says %i octets and has 32', async (salt) => {
    expect(await refusal(await pssCsr(32, salt))).toBe('csr_pem: the request was not signed by the key that it is for')
  })
  it('fail: bytes that are no request', async () => {
    expect((await byApproval(String.fromCharCode(...ascii('nothing')))).status).toBe(400)
  })
})
