/** `POST /v1/pki/certificates/validate` over the CAs, trust anchors and CRLs of a tenant. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { Bytes } from '../../../src/core/bytes.ts'
import { exportPrivateKeyPem } from '../../../src/pki/keys.ts'
import { formatPem } from '../../../src/pki/pem.ts'
import { dns, type Entity, forgeCa, forgeLeaf, forgeRoot, newEntity, rekeyed } from '../../conformance/limbo/forge.ts'
import { bodyOf, codeOf, freshName, issue, newCa, newRole, revoke } from '../support/pki-world.ts'
import { newTestToken, type TestAnswer, type TestApp, testApp } from '../support/worker-app.ts'

let app: TestApp

beforeAll(async () => {
  app = await testApp()
})

const pem = (...ders: readonly Bytes[]): string => ders.map((der) => formatPem('CERTIFICATE', der)).join('')

const validate = (body: Readonly<Record<string, unknown>>, token?: string): Promise<TestAnswer> =>
  app.request('POST', '/v1/pki/certificates/validate', { body, ...(token === undefined ? {} : { token }) })

const codes = ({ json }: TestAnswer): string[] => json.errors.map(({ code }: { code: string }) => code)

async function importCa(entity: Entity, certificate: Bytes, chain: readonly Bytes[] = []): Promise<string> {
  const body = {
    ...(chain.length === 0 ? {} : { chain_pem: pem(...chain) }),
    name: freshName('imported'),
    certificate_pem: pem(certificate),
    private_key_pem: await exportPrivateKeyPem(entity.keyPair.privateKey, 'pkcs8'),
  }
  return bodyOf(await app.request('POST', '/v1/pki/ca/import', { body }), 201).id
}

/** As `openssl ca` and `openssl x509 -set_serial` begin. */
const FIRST = new Uint8Array([1])

describe('CAs whose serial numbers are the same', () => {
  it('ok: two intermediates of one path do not hide each other', async () => {
    const [root, outer, inner, leaf] = await Promise.all(
      ['Serial Root', 'Serial Outer', 'Serial Inner', 'leaf'].map(newEntity),
    )
    if (root === undefined || outer === undefined || inner === undefined || leaf === undefined) throw new Error('none')
    const rootId = await importCa(root, await forgeRoot(root, { serialNumber: FIRST }))
    await importCa(outer, await forgeCa(outer, root, { serialNumber: FIRST }))
    await importCa(inner, await forgeCa(inner, outer, { serialNumber: FIRST }))
    const answer = bodyOf(await validate({ certificate_pem: pem(await forgeLeaf(leaf, inner)) }))
    expect(answer).toMatchObject({ valid: true, trusted_anchor: rootId, errors: [] })
    expect(answer.chain.map(({ subject }: { subject: string }) => subject)).toEqual([
      'CN=leaf',
      'CN=Serial Inner',
      'CN=Serial Outer',
      'CN=Serial Root',
    ])
  })

  it('ok: two roots of one name with two keys do not hide each other, and each is taken over', async () => {
    const old = await newEntity('Rekeyed Root')
    const fresh = await rekeyed(old)
    const ids: string[] = []
    for (const root of [old, fresh]) ids.push(await importCa(root, await forgeRoot(root, { serialNumber: FIRST })))
    const answers: TestAnswer[] = []
    for (const root of [old, fresh]) {
      const leaf = await forgeLeaf(await newEntity('leaf'), root, { names: [dns('www.example.com')] })
      answers.push(await validate({ certificate_pem: pem(leaf), hostname: 'www.example.com' }))
    }
    expect(answers.map((answer) => [codes(answer), bodyOf(answer).trusted_anchor])).toEqual(ids.map((id) => [[], id]))
  })

  it('fail: the certificate of one CA is revoked, that of the other with the same number is not', async () => {
    const [root, one, other] = [
      await newEntity('Two Lists'),
      await newEntity('List One'),
      await newEntity('List Other'),
    ]
    await importCa(root, await forgeRoot(root, { serialNumber: FIRST }))
    const ids: string[] = []
    for (const [index, ca] of [one, other].entries()) {
      const serialNumber = new Uint8Array([index + 2])
      ids.push(await importCa(ca, await forgeCa(ca, root, { serialNumber })))
    }
    const leaves: Bytes[] = []
    for (const ca of [one, other]) leaves.push(await forgeLeaf(await newEntity('leaf'), ca, { serialNumber: FIRST }))
    for (const leaf of leaves) {
      bodyOf(await app.request('POST', '/v1/pki/certificates/import', { body: { certificate_pem: pem(leaf) } }), 201)
    }
    const body = { serial_number: '01', ca_id: ids[0], reason: 'superseded' }
    bodyOf(await app.request('POST', '/v1/pki/revoke', { body }))
    const answers: boolean[] = []
    for (const leaf of leaves) {
      answers.push(bodyOf(await validate({ certificate_pem: pem(leaf), check_revocation: true })).not_revoked)
    }
    expect(answers).toEqual([false, true])
  })
})

describe('a CA that was imported with CAs from elsewhere above it', () => {
  it('ok: they are intermediates of the path, to a root that is trusted', async () => {
    const [root, middle, ca, below] = [
      await newEntity(freshName('Foreign Root')),
      await newEntity(freshName('Foreign Middle')),
      await newEntity(freshName('Imported CA')),
      await newEntity(freshName('Below')),
    ]
    const rootDer = await forgeRoot(root)
    const chain = [await forgeCa(middle, root), rootDer]
    const caId = await importCa(ca, await forgeCa(ca, middle), chain)
    await importCa(below, await forgeCa(below, ca))
    const leaves = [await forgeLeaf(await newEntity('leaf'), ca), await forgeLeaf(await newEntity('leaf'), below)]
    const verdicts = async (token?: string) => {
      const answers = await Promise.all(leaves.map((leaf) => validate({ certificate_pem: pem(leaf) }, token)))
      return answers.map((answer) => bodyOf(answer).valid)
    }
    // What a CA brought is no anchor.
    expect(await verdicts()).toEqual([false, false])
    const anchor = { name: freshName('foreign'), certificate_pem: pem(rootDer) }
    const { id } = bodyOf(await app.request('POST', '/v1/pki/trust-anchors', { body: anchor }), 201)
    expect(await verdicts()).toEqual([true, true])
    // A token that does not see the CA does not see what came with it.
    const blind = await newTestToken(app, ['pki:read'], { paths: [`pki/trust-anchors/${id}`] })
    expect(await verdicts(blind)).toEqual([false, false])
    const seeing = await newTestToken(app, ['pki:read'], { paths: [`pki/trust-anchors/${id}`, `pki/ca/${caId}`] })
    expect(await verdicts(seeing)).toEqual([true, false])
  })
})

describe('max_intermediates', () => {
  it('fail: a path with more than that, as x509-limbo pathlen::max-chain-depth wants it', async () => {
    const [root, outer, inner] = [await newEntity('Depth Root'), await newEntity('Outer'), await newEntity('Inner')]
    const anchor = { name: freshName('depth'), certificate_pem: pem(await forgeRoot(root)) }
    bodyOf(await app.request('POST', '/v1/pki/trust-anchors', { body: anchor }), 201)
    const outerDer = await forgeCa(outer, root)
    const innerDer = await forgeCa(inner, outer)
    const selfIssued = await rekeyed(outer)
    const chains: readonly (readonly [Bytes, ...Bytes[]])[] = [
      [await forgeLeaf(await newEntity('leaf'), root)],
      [await forgeLeaf(await newEntity('leaf'), outer), outerDer],
      [await forgeLeaf(await newEntity('leaf'), inner), innerDer, outerDer],
      // RFC 5280 §6.1.4 (l): one that is self-issued is not counted.
      [await forgeLeaf(await newEntity('leaf'), selfIssued), await forgeCa(selfIssued, outer), outerDer],
    ]
    const verdicts: string[][] = []
    for (const max of [0, 1, 2, undefined]) {
      const line: string[] = []
      for (const [leaf, ...above] of chains) {
        const chain = above.length === 0 ? {} : { chain_pem: pem(...above) }
        const limit = max === undefined ? {} : { max_intermediates: max }
        line.push(codes(await validate({ certificate_pem: pem(leaf), ...chain, ...limit })).join() || 'ok')
      }
      verdicts.push(line)
    }
    const LONG = 'path_too_long'
    expect(verdicts).toEqual([
      ['ok', LONG, LONG, LONG],
      ['ok', 'ok', LONG, 'ok'],
      ['ok', 'ok', 'ok', 'ok'],
      ['ok', 'ok', 'ok', 'ok'],
    ])
  })

  it('fail: is a number from 0', async () => {
    const certificate_pem = pem(await forgeRoot(await newEntity('x')))
    const answers = await Promise.all(
      [-1, 1.5, '1', 51].map((max) => validate({ certificate_pem, max_intermediates: max })),
    )
    expect(answers.map((answer) => [answer.status, codeOf(answer)])).toEqual(
      answers.map(() => [400, 'invalid_request']),
    )
  })
})

describe('a token with paths', () => {
  it('fail: what lies outside of them is as if it were not there', async () => {
    const root = await newCa(app)
    const issuing = await newCa(app, { parent: root })
    const { id, certificate } = bodyOf(await issue(app, await newRole(app, issuing)), 201)
    const foreign = await newEntity('Foreign Root')
    const anchor = { name: freshName('foreign'), certificate_pem: pem(await forgeRoot(foreign)) }
    const anchorId = bodyOf(await app.request('POST', '/v1/pki/trust-anchors', { body: anchor }), 201).id as string
    const below = pem(await forgeLeaf(await newEntity('leaf'), foreign))
    bodyOf(await revoke(app, id))
    const ask = async (paths: readonly string[]) => {
      const token = await newTestToken(app, ['pki:read'], { paths })
      const [own, others] = [
        await validate({ certificate_pem: certificate, check_revocation: true }, token),
        await validate({ certificate_pem: below }, token),
      ]
      return [own, others].map((answer) => [codes(answer), bodyOf(answer).trusted_anchor, answer.json.not_revoked])
    }
    const nothing = [['issuer_not_found'], null, null]
    expect(await ask(['pki/certificates/*'])).toEqual([nothing, nothing])
    expect(await ask([`pki/ca/${root}`])).toEqual([nothing, nothing])
    expect(await ask([`pki/ca/${root}`, `pki/ca/${issuing}`])).toEqual([[['revoked'], root, false], nothing])
    expect(await ask([`pki/trust-anchors/${anchorId}`])).toEqual([nothing, [[], anchorId, null]])
    expect(await ask(['pki/**'])).toEqual([
      [['revoked'], root, false],
      [[], anchorId, null],
    ])
    // The same answer as where there is nothing to be found.
    const stranger = await newTestToken(app, ['pki:read'], { paths: ['pki/certificates/*'] })
    const unknown = pem(await forgeLeaf(await newEntity('leaf'), await newEntity('Nobody')))
    const [there, notThere] = [
      await validate({ certificate_pem: below }, stranger),
      await validate({ certificate_pem: unknown }, stranger),
    ]
    const shape = ({ json }: TestAnswer) =>
      json.errors.map(({ code, message, depth }: Record<string, unknown>) => [code, message, depth])
    expect(shape(there)).toEqual(shape(notThere))
  })
})

describe('the evidence of a finding', () => {
  it('ok: names, times and serial numbers are written as everywhere', async () => {
    const caId = await newCa(app)
    const leaf = await issue(app, await newRole(app, caId))
    const { id, certificate, serial_number } = bodyOf(leaf, 201)
    expect((await revoke(app, id)).status).toBe(200)
    const now = bodyOf(await validate({ certificate_pem: certificate, check_revocation: true }))
    expect(now.errors).toMatchObject([
      {
        code: 'revoked',
        evidence: {
          serial_number,
          revoked_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          reason_code: 4,
        },
      },
    ])
    const later = bodyOf(await validate({ certificate_pem: certificate, at: '2099-01-02T03:04:05Z' }))
    const expired = later.errors.find(({ code }: { code: string }) => code === 'expired')
    expect(expired.evidence).toEqual({
      at: '2099-01-02T03:04:05Z',
      not_before: expect.stringMatching(/Z$/),
      not_after: expect.stringMatching(/Z$/),
    })
  })
})
