import { beforeAll, describe, expect, it } from 'vitest'
import { type Bytes, toBase64 } from '../../../src/core/bytes.ts'
import { checkIssued } from '../../../src/orders/issued-certificate.ts'
import type { AltName } from '../../../src/pki/alt-name.ts'
import { buildCsr } from '../../../src/pki/csr.ts'
import { parseIpAddress } from '../../../src/pki/ip-address.ts'
import { DAY_MS, NOW_MS, type TestAuthority, testLeaf, testRoot } from '../../support/pki-hierarchy.ts'

const SPEC = { type: 'ec', size: 256 } as const
const DOMAINS = ['a.example.com', 'b.example.com']
const ALT_NAMES: readonly AltName[] = DOMAINS.map((value) => ({ type: 'dns', value }))

let root: TestAuthority
let leafDer: Bytes
let csr: string
const check = (chain: readonly Bytes[], domains = DOMAINS, nowMs = NOW_MS) => checkIssued(chain, domains, csr, nowMs)

beforeAll(async () => {
  root = await testRoot(SPEC)
  const leaf = await testLeaf(root, SPEC, { altNames: ALT_NAMES })
  leafDer = leaf.certificate.der
  const { privateKey, spkiDer } = leaf.keyPair
  csr = toBase64(await buildCsr({ privateKey, spkiDer, altNames: ALT_NAMES }))
})

describe('checkIssued', () => {
  it('ok: the names of the order for the key of the CSR, with its chain', () => {
    const checked = check([leafDer, root.certificate.der])
    expect(checked).toMatchObject({ ok: true, value: { names: { dns: DOMAINS, ip: [] }, keyType: 'ec', keySize: 256 } })
  })

  it('fail: a certificate that has expired already, however often it is renewed', () => {
    const checked = check([leafDer, root.certificate.der], DOMAINS, NOW_MS + 91 * DAY_MS)
    expect(checked).toMatchObject({ ok: false, error: { reason: 'expired' } })
  })

  it('fail: names that are missing, or that nobody ordered', () => {
    const more = check([leafDer], [...DOMAINS, 'c.example.com'])
    expect(more).toMatchObject({
      ok: false,
      error: { reason: 'other_names', message: expect.stringContaining('c.example') },
    })
    const fewer = check([leafDer], DOMAINS.slice(1))
    expect(fewer).toMatchObject({
      ok: false,
      error: { reason: 'other_names', message: expect.stringContaining('a.example') },
    })
  })

  it('ok: addresses beside names, and each must be the one that was ordered (RFC 8738 §3)', async () => {
    const altNames: readonly AltName[] = [
      { type: 'dns', value: 'a.example.com' },
      { type: 'ip', value: new Uint8Array([192, 0, 2, 1]) },
      { type: 'ip', value: parseIpAddress('2001:db8::1') ?? new Uint8Array() },
    ]
    const leaf = await testLeaf(root, SPEC, { altNames })
    const { privateKey, spkiDer } = leaf.keyPair
    const request = toBase64(await buildCsr({ privateKey, spkiDer, altNames }))
    const against = (domains: readonly string[]) => checkIssued([leaf.certificate.der], domains, request, NOW_MS)
    expect(against(['a.example.com', '192.0.2.1', '2001:db8::1'])).toMatchObject({
      ok: true,
      value: { names: { dns: ['a.example.com'], ip: ['192.0.2.1', '2001:db8::1'] } },
    })
    expect(against(['a.example.com', '192.0.2.2', '2001:db8::1'])).toMatchObject({
      ok: false,
      error: { reason: 'other_names', message: expect.stringContaining('192.0.2.2') },
    })
    expect(against(['a.example.com', '192.0.2.1'])).toMatchObject({
      ok: false,
      error: { reason: 'other_names', message: expect.stringContaining('2001:db8::1') },
    })
  })

  it('fail: another key, which is another order of the same account', async () => {
    const other = await testLeaf(root, SPEC, { altNames: ALT_NAMES })
    expect(check([other.certificate.der])).toMatchObject({ ok: false, error: { reason: 'other_key' } })
  })

  it('fail: a chain that is none', () => {
    expect(check([])).toMatchObject({ ok: false, error: { reason: 'malformed' } })
    expect(check([leafDer.subarray(1) as Bytes])).toMatchObject({ ok: false, error: { reason: 'malformed' } })
    expect(check([leafDer, leafDer])).toMatchObject({ ok: false, error: { reason: 'malformed' } })
    expect(check([leafDer, new Uint8Array([0x30, 0])])).toMatchObject({ ok: false, error: { reason: 'malformed' } })
  })
})
