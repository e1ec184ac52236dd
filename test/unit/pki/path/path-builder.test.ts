/** What the answer says beside the verdict; the verdicts themselves are in test/conformance/limbo. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { Bytes } from '../../../../src/core/bytes.ts'
import { buildAndCheckPath, type PathInput } from '../../../../src/pki/path/path-builder.ts'
import type { PathResult } from '../../../../src/pki/path/path-result.ts'
import { newSerial } from '../../../../src/pki/serial.ts'
import {
  CASE_TIME_MS,
  DAY_MS,
  type Entity,
  email,
  forgeCa,
  forgeCrl,
  forgeLeaf,
  forgeRoot,
  nameConstraints,
  nameDer,
  newEntity,
  rekeyed,
} from '../../../conformance/limbo/forge.ts'

let root: Entity
let ca: Entity
let subject: Entity
let rootDer: Bytes
let caDer: Bytes
let leafDer: Bytes
const leafSerial = newSerial()

beforeAll(async () => {
  root = await newEntity({ organization: 'Example', commonName: 'Root' })
  ca = await newEntity('CA')
  subject = await newEntity({})
  rootDer = await forgeRoot(root)
  caDer = await forgeCa(ca, root)
  leafDer = await forgeLeaf(subject, ca, { serialNumber: leafSerial })
})

const check = (more: Partial<PathInput> = {}): Promise<PathResult> =>
  buildAndCheckPath({
    leafDer,
    intermediates: [caDer],
    anchors: [{ id: 'ca_root', der: rootDer }],
    atMs: CASE_TIME_MS,
    purpose: 'server_auth',
    checkRevocation: false,
    ...more,
  })
const codes = ({ errors }: PathResult): string[] => errors.map(({ code }) => code)
const warnings = (result: PathResult): string[] => result.warnings.map(({ code }) => code)

describe('the answer', () => {
  it('ok: a path that stands, from the leaf to the anchor', async () => {
    const result = await check()
    expect(result).toMatchObject({
      valid: true,
      chainValid: true,
      notExpired: true,
      notRevoked: null,
      anchorId: 'ca_root',
    })
    expect(result.chain.map(({ der }) => der)).toEqual([leafDer, caDer, rootDer])
    expect(result.chain.map(({ subject: name, issuer }) => [name, issuer])).toEqual([
      ['', 'CN=CA'],
      ['CN=CA', 'CN=Root,O=Example'],
      ['CN=Root,O=Example', 'CN=Root,O=Example'],
    ])
    expect([result.errors, result.warnings]).toEqual([[], []])
  })

  it('fail: a leaf that is no certificate', async () => {
    const result = await check({ leafDer: leafDer.subarray(1) })
    expect(result).toMatchObject({
      valid: false,
      chainValid: false,
      notExpired: false,
      notRevoked: null,
      anchorId: null,
      chain: [],
    })
    expect(result.errors).toMatchObject([{ code: 'certificate_malformed', depth: 0 }])
  })

  it('fail: an expired path is a path, and the times are the evidence', async () => {
    const atMs = CASE_TIME_MS + 91 * DAY_MS
    const result = await check({ atMs })
    expect(result).toMatchObject({ valid: false, chainValid: true, notExpired: false, anchorId: 'ca_root' })
    expect(result.errors[0]).toMatchObject({
      code: 'expired',
      depth: 0,
      evidence: { atMs, notAfterMs: CASE_TIME_MS + 90 * DAY_MS },
    })
  })

  it('fail: another name is no fault of the chain, and both names are the evidence', async () => {
    const result = await check({ name: { kind: 'dns', value: 'www.example.net' } })
    expect(result).toMatchObject({ valid: false, chainValid: true })
    const evidence = { expected: 'www.example.net', presented: 'www.example.com', presentedCount: 1 }
    expect(result.errors).toMatchObject([{ code: 'name_mismatch', depth: 0, evidence }])
  })

  it('fail: without an issuer, as far as the search came', async () => {
    const result = await check({ intermediates: [] })
    expect(result).toMatchObject({ valid: false, chainValid: false, notExpired: true, anchorId: null })
    expect(result.chain).toHaveLength(1)
    expect(result.errors).toMatchObject([{ code: 'issuer_not_found', depth: 0, evidence: { issuer: 'CN=CA' } }])
  })

  it('fail: of several failed paths, the one that came farthest', async () => {
    const expired = await forgeCa(ca, root, {
      notBeforeMs: CASE_TIME_MS - 9 * DAY_MS,
      notAfterMs: CASE_TIME_MS - DAY_MS,
    })
    const refused = await forgeCa(ca, root, { keyUsage: ['cRLSign'] })
    for (const intermediates of [
      [expired, refused],
      [refused, expired],
    ]) {
      expect(codes(await check({ intermediates }))).toEqual(['expired'])
    }
  })

  it('fail: of two that came equally far, the one with fewer errors', async () => {
    const past = { notBeforeMs: CASE_TIME_MS - 9 * DAY_MS, notAfterMs: CASE_TIME_MS - DAY_MS }
    const other = await newEntity('Other CA')
    const short = [await forgeCa(ca, root, past)]
    const long = [await forgeCa(ca, other, past), await forgeCa(other, root, past)]
    for (const intermediates of [
      [...short, ...long],
      [...long, ...short],
    ]) {
      const result = await check({ intermediates })
      expect(codes(result)).toEqual(['expired'])
      expect(result.chain).toHaveLength(3)
    }
  })

  it('ok: no purpose is asked for', async () => {
    const forMail = await forgeLeaf(subject, ca, {
      extKeyUsage: ['1.3.6.1.5.5.7.3.4'],
      names: [email('ann@example.com')],
    })
    const name = { kind: 'email', value: 'ann@example.com' } as const
    expect(await check({ leafDer: forMail, purpose: 'any', name })).toMatchObject({ valid: true })
    expect(codes(await check({ leafDer: forMail, name }))).toEqual(['purpose_refused'])
  })

  it('ok: a path outlives what was passed over, and says what that was', async () => {
    const result = await check({
      intermediates: [new Uint8Array([0x30]), caDer],
      anchors: [
        { id: 'ca_broken', der: new Uint8Array() },
        { id: 'ca_root', der: rootDer },
      ],
      checkRevocation: true,
      crls: [await forgeCrl(root), new Uint8Array([0x30, 0x00]), await forgeCrl(ca)],
    })
    expect(result).toMatchObject({ valid: true, notRevoked: true })
    expect(result.warnings).toMatchObject([
      { code: 'anchor_ignored', evidence: { anchorId: 'ca_broken' } },
      { code: 'intermediate_ignored', evidence: { index: 0 } },
      { code: 'crl_ignored', evidence: { index: 1 } },
    ])
  })

  it('fail: more certificates than are taken', async () => {
    const others = Array.from({ length: 200 }, (_, index) => new Uint8Array([0x30, 0x01, index]))
    const result = await check({ intermediates: [...others, caDer] })
    expect(codes(result)).toEqual(['issuer_not_found'])
    expect(result.warnings.at(-1)).toMatchObject({ code: 'intermediate_ignored', evidence: { index: 200 } })
  })

  it('ok: warnings about a common name and purposes leave the path standing', async () => {
    const odd = await forgeLeaf({ ...subject, subjectDer: nameDer({ commonName: 'Printer' }) }, ca, { extKeyUsage: [] })
    const result = await check({ leafDer: odd })
    expect(result.valid).toBe(true)
    expect(warnings(result)).toEqual(['common_name_not_in_names', 'extended_key_usage_missing'])
  })
})

describe('revocation', () => {
  it.each([undefined, []])('fail: no list at all leaves it open, and open is an error (lists: %j)', async (crls) => {
    const result = await check({ checkRevocation: true, ...(crls === undefined ? {} : { crls }) })
    expect(result).toMatchObject({ valid: false, chainValid: true, notRevoked: null })
    expect(result.errors).toMatchObject([
      { code: 'revocation_unknown', depth: 0, evidence: { why: 'there is no CRL of its issuer' } },
      { code: 'revocation_unknown', depth: 1 },
    ])
  })

  it('fail: revoked, with time and reason', async () => {
    const crls = [await forgeCrl(root), await forgeCrl(ca, { revoked: [{ serialNumber: leafSerial, reasonCode: 1 }] })]
    const result = await check({ checkRevocation: true, crls })
    expect(result).toMatchObject({ valid: false, chainValid: true, notRevoked: false })
    const evidence = { revokedAtMs: CASE_TIME_MS - DAY_MS, reasonCode: 1 }
    expect(result.errors).toMatchObject([{ code: 'revoked', depth: 0, evidence }])
  })

  it('ok: lists that nobody asked about are not looked at', async () => {
    const crls = [await forgeCrl(ca, { revoked: [{ serialNumber: leafSerial }] }), new Uint8Array([0])]
    const result = await check({ crls })
    expect(result).toMatchObject({ valid: true, notRevoked: null, warnings: [] })
  })

  it('fail: a broken chain is never "not revoked"', async () => {
    const crls = [await forgeCrl(root), await forgeCrl(ca)]
    const limited = await forgeCa(ca, root, { pathLength: 0, more: [nameConstraints({ permitted: [] })] })
    const noServer = await forgeCa(ca, root, { extKeyUsage: ['1.3.6.1.5.5.7.3.2'] })
    expect(await check({ intermediates: [limited], checkRevocation: true, crls })).toMatchObject({
      valid: false,
      notRevoked: null,
    })
    expect(await check({ intermediates: [noServer], checkRevocation: true, crls })).toMatchObject({
      valid: false,
      notRevoked: null,
    })
  })
})

describe('the budget', () => {
  it.each([
    ['signatures', { signatures: 1, buildCalls: 9, nameComparisons: 9 }, 1],
    ['buildCalls', { signatures: 9, buildCalls: 1, nameComparisons: 9 }, 1],
  ] as const)('fail: %s run out', async (exhausted, budget, limit) => {
    const result = await check({ budget })
    expect(result).toMatchObject({ valid: false, chainValid: false })
    expect(result.errors.at(-1)).toMatchObject({ code: 'budget_exceeded', depth: null, evidence: { exhausted, limit } })
  })

  it('fail: name comparisons run out, and what was not compared does not pass', async () => {
    const subtree = new Uint8Array([0x82, 0x01, 0x78])
    const limited = await forgeCa(ca, root, { more: [nameConstraints({ excluded: [subtree] })] })
    const budget = { signatures: 9, buildCalls: 9, nameComparisons: 3 }
    expect(await check({ intermediates: [limited] })).toMatchObject({ valid: true })
    expect(await check({ intermediates: [limited], budget })).toMatchObject({ valid: true })
    for (let nameComparisons = 0; nameComparisons < 3; nameComparisons += 1) {
      const result = await check({ intermediates: [limited], budget: { ...budget, nameComparisons } })
      expect(result.valid).toBe(false)
      expect(codes(result)).toContain('budget_exceeded')
    }
  })

  it('ok: copies cost nothing', async () => {
    const past = { notBeforeMs: CASE_TIME_MS - 9 * DAY_MS, notAfterMs: CASE_TIME_MS - DAY_MS }
    const expired = await forgeCa(ca, root, past)
    const budget = { signatures: 2, buildCalls: 9, nameComparisons: 9 }
    const result = await check({ intermediates: [expired, expired.slice(), rootDer.slice(), expired.slice()], budget })
    expect(codes(result)).toEqual(['expired'])
  })

  it('ok: of namesakes, the one whose key identifier fits comes first (RFC 4158 §3.5.12)', async () => {
    const namesakes: Bytes[] = []
    for (let i = 0; i < 4; i += 1) namesakes.push(await forgeCa(await rekeyed(ca), root))
    const budget = { signatures: 2, buildCalls: 9, nameComparisons: 9 }
    expect(await check({ intermediates: [...namesakes, caDer], budget })).toMatchObject({ valid: true })
  })

  it('ok: a second list that says nothing new costs nothing', async () => {
    const crls = [await forgeCrl(root), await forgeCrl(ca), await forgeCrl(ca), await forgeCrl(root)]
    const budget = { signatures: 4, buildCalls: 9, nameComparisons: 9 }
    expect(await check({ checkRevocation: true, crls, budget })).toMatchObject({ valid: true, notRevoked: true })
  })

  it('fail: signatures of lists come out of it too', async () => {
    const crls = [await forgeCrl(root), await forgeCrl(ca)]
    const budget = { signatures: 3, buildCalls: 9, nameComparisons: 9 }
    const result = await check({ checkRevocation: true, crls, budget })
    expect(codes(result)).toEqual(['revocation_unknown', 'budget_exceeded'])
    const enough = { ...budget, signatures: 4 }
    expect(await check({ checkRevocation: true, crls, budget: enough })).toMatchObject({
      valid: true,
      notRevoked: true,
    })
  })
})
