/**
 * What holds for all bytes. The DER reader is strict and ECDSA signatures are over everything but themselves, so that of a leaf,
 * an intermediate or a list with one octet changed nothing stands any more: there is no octet that means nothing. An anchor's
 * signature is not looked at, so anchors are not changed here.
 */
import fc from 'fast-check'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Bytes, equalBytes } from '../../../../src/core/bytes.ts'
import { buildAndCheckPath, type PathInput } from '../../../../src/pki/path/path-builder.ts'
import type { PathResult } from '../../../../src/pki/path/path-result.ts'
import {
  base,
  CASE_TIME_MS,
  dns,
  forgeCa,
  forgeCrl,
  forgeLeaf,
  forgeRoot,
  ip,
  nameConstraints,
  newEntity,
} from '../../../conformance/limbo/forge.ts'

let valid: PathInput
let leafCrl: Bytes
let caCrl: Bytes

beforeAll(async () => {
  const [root, ca, subject] = [await newEntity('Root'), await newEntity('CA'), await newEntity({})]
  const constraints = nameConstraints({ permitted: [base(dns('example.com'))] })
  leafCrl = await forgeCrl(ca, { revoked: [{ serialNumber: new Uint8Array([0x5a]), reasonCode: 1 }] })
  caCrl = await forgeCrl(root)
  valid = {
    leafDer: await forgeLeaf(subject, ca, { names: [dns('www.example.com'), ip('192.0.2.1')] }),
    intermediates: [await forgeCa(ca, root, { pathLength: 0, more: [constraints] })],
    anchors: [{ id: 'root', der: await forgeRoot(root) }],
    atMs: CASE_TIME_MS,
    purpose: 'server_auth',
    name: { kind: 'dns', value: 'www.example.com' },
    crls: [caCrl, leafCrl],
    checkRevocation: true,
  }
})
afterEach(() => vi.restoreAllMocks())

const intermediate = (): Bytes => valid.intermediates[0] as Bytes

/** Three ways in which one octet can differ: its lowest bit, its highest bit, all bits. */
const FLIPS = [0x01, 0x80, 0xff]

function changed(der: Bytes, position: number, flip: number): Bytes {
  const copy = der.slice()
  copy[position] = (copy[position] as number) ^ flip
  return copy
}

/** The positions, with the flip, at which the answer still stands. */
async function survivors(der: Bytes, ask: (changedDer: Bytes) => Promise<PathResult>): Promise<[number, number][]> {
  const found: [number, number][] = []
  for (const flip of FLIPS) {
    for (let position = 0; position < der.length; position += 1) {
      const { valid: stands, notRevoked } = await ask(changed(der, position, flip))
      if (stands || notRevoked === true) found.push([position, flip])
    }
  }
  return found
}

describe('a path that stands', () => {
  it('ok: stands as it is', async () => {
    expect(await buildAndCheckPath(valid)).toMatchObject({ valid: true, notRevoked: true })
  })

  it('fail: no octet of the leaf can be changed', async () => {
    expect(await survivors(valid.leafDer, (leafDer) => buildAndCheckPath({ ...valid, leafDer }))).toEqual([])
  })

  it('fail: no octet of the intermediate can be changed', async () => {
    expect(await survivors(intermediate(), (der) => buildAndCheckPath({ ...valid, intermediates: [der] }))).toEqual([])
  })

  it('fail: no octet of a list can be changed', async () => {
    expect(await survivors(leafCrl, (der) => buildAndCheckPath({ ...valid, crls: [caCrl, der] }))).toEqual([])
    expect(await survivors(caCrl, (der) => buildAndCheckPath({ ...valid, crls: [der, leafCrl] }))).toEqual([])
  })

  it('ok: stands in any order, whatever else is given', async () => {
    const junk = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.slice()),
        fc.constant('leaf' as const),
        fc.constant('anchor' as const),
        fc.tuple(fc.nat({ max: 300 }), fc.integer({ min: 1, max: 255 })),
      ),
      { maxLength: 6 },
    )
    await fc.assert(
      fc.asyncProperty(junk, fc.nat({ max: 6 }), async (others, place) => {
        const intermediates = others.map((other) => {
          if (other === 'leaf') return valid.leafDer
          if (other === 'anchor') return (valid.anchors[0] as { der: Bytes }).der
          return other instanceof Uint8Array ? other : changed(intermediate(), ...other)
        })
        intermediates.splice(place, 0, intermediate())
        expect(await buildAndCheckPath({ ...valid, intermediates })).toMatchObject({ valid: true, notRevoked: true })
      }),
      { numRuns: 100 },
    )
  })
})

describe('any bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => array.slice())

  /** Several octets replaced, or the end cut off, so that it differs: much of this gets past the outer shape. */
  const damaged = (der: () => Bytes): fc.Arbitrary<Bytes> =>
    fc
      .tuple(fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }), fc.nat({ max: 20 }))
      .map(([edits, cut]) => {
        const copy = der().slice()
        for (const [position, octet] of edits) copy[position % copy.length] = octet
        return cut > 15 ? copy.slice(0, copy.length - cut) : copy
      })
      .filter((copy) => !equalBytes(copy, der()))

  const budget = { signatures: 3, buildCalls: 4, nameComparisons: 5 }

  it('fail: as leaf, intermediates and lists at once they end in an answer within the budget', async () => {
    const verify = vi.spyOn(crypto.subtle, 'verify')
    const leaf = fc.oneof(
      bytes,
      damaged(() => valid.leafDer),
      fc.constant(null),
    )
    const others = fc.array(fc.oneof(bytes, damaged(intermediate), fc.constant(null)), { maxLength: 5 })
    const lists = fc.array(
      fc.oneof(
        bytes,
        damaged(() => leafCrl),
        damaged(() => caCrl),
      ),
      { maxLength: 3 },
    )
    await fc.assert(
      fc.asyncProperty(leaf, others, lists, async (leafDer, intermediates, crls) => {
        verify.mockClear()
        const input = {
          ...valid,
          leafDer: leafDer ?? valid.leafDer,
          intermediates: intermediates.map((der) => der ?? intermediate()),
          crls,
          budget,
        }
        const result = await buildAndCheckPath(input)
        // Even where leaf and intermediate are whole, no list is.
        expect(result).toMatchObject({ valid: false, errors: [{}, ...result.errors.slice(1)] })
        expect(result.notRevoked).not.toBe(true)
        expect(verify.mock.calls.length).toBeLessThanOrEqual(budget.signatures)
      }),
      { numRuns: 1_500 },
    )
  })

  it('fail: as the name that was asked for they match nothing that is not there', async () => {
    const kind = fc.constantFrom('dns' as const, 'ip' as const, 'email' as const)
    await fc.assert(
      fc.asyncProperty(kind, fc.string({ unit: 'binary', maxLength: 30 }), async (asked, value) => {
        const result = await buildAndCheckPath({ ...valid, name: { kind: asked, value } })
        expect(result.errors).toMatchObject([{ code: 'name_mismatch', evidence: { expected: value } }])
      }),
      { numRuns: 200 },
    )
  })

  it('fail: as anchors they are passed over', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          bytes,
          damaged(() => valid.leafDer),
        ),
        async (der) => {
          const result = await buildAndCheckPath({ ...valid, anchors: [{ id: 'odd', der }] })
          expect(result.valid).toBe(false)
        },
      ),
      { numRuns: 300 },
    )
  })
})
