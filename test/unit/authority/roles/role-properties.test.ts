/** Whatever a role allows: the certificate is built, read by a parser that is not this project's, and judged by other rules. */
import 'reflect-metadata'
import { X509Certificate } from '@peculiar/x509'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type RequestedNames, resolveNames } from '../../../../src/authority/roles/requested-names.ts'
import { checkNames } from '../../../../src/authority/roles/role-names.ts'
import { checkRolePolicy } from '../../../../src/authority/roles/role-policy.ts'
import { buildLeaf } from '../../../../src/pki/build-certificate.ts'
import { buildName } from '../../../../src/pki/distinguished-name.ts'
import { EKU } from '../../../../src/pki/oids.ts'
import { DAY_MS, NOW_MS, type TestAuthority, testRoot } from '../../../support/pki-hierarchy.ts'
import { policies, requests } from './arbitrary-roles.ts'
import { isAllowed, readNames } from './naive-rules.ts'

describe('what a role allows', () => {
  let root: TestAuthority
  beforeAll(async () => {
    root = await testRoot({ type: 'ec', size: 256 })
  })

  async function certify(request: RequestedNames) {
    const paths = { commonName: 'common_name', dns: 'dns', ip: 'ip', email: 'email', uri: 'uri' }
    const names = resolveNames(request, paths)
    if (!names.ok) return null
    const { commonName, altNames } = names.value
    const subject = buildName(commonName === null ? {} : { commonName })
    if (!subject.ok) throw new Error(subject.error.message)
    const { der } = await buildLeaf(
      {
        subjectDer: subject.value,
        spkiDer: root.keyPair.spkiDer,
        notBeforeMs: NOW_MS,
        notAfterMs: NOW_MS + DAY_MS,
        altNames,
        extKeyUsage: [EKU.serverAuth],
      },
      root.issuer,
    )
    return { names: names.value, readBack: readNames(new X509Certificate(der)) }
  }

  it('ok: is what its rules say of the certificate, no more and no less', async () => {
    const tally = { allowed: 0, refused: 0, 'not a request': 0 }
    await fc.assert(
      fc.asyncProperty(policies, requests, async (written, request) => {
        const policy = checkRolePolicy(written)
        const certified = await certify(request)
        if (!policy.ok || certified === null) {
          tally['not a request'] += 1
          fc.pre(false)
          return
        }
        const refusals = checkNames(policy.value, certified.names)
        tally[refusals.length === 0 ? 'allowed' : 'refused'] += 1
        expect({ ...certified.readBack, allowed: refusals.length === 0 }).toEqual({
          ...certified.readBack,
          allowed: isAllowed(policy.value, certified.readBack),
        })
      }),
      { numRuns: 2_000, maxSkipsPerRun: 20 },
    )
    // Of 2000, some 350 are allowed: the comparison says something about both answers.
    expect(tally.allowed).toBeGreaterThan(150)
    expect(tally.refused).toBeGreaterThan(500)
  })

  it('ok: every name that is checked is in the certificate, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const certified = await certify(request)
        fc.pre(certified !== null)
        const kinds = certified?.names.altNames.map(({ type }) => (type === 'uri' ? 'url' : type))
        expect(certified?.readBack.items.map(({ type }) => type)).toEqual(kinds)
        expect(certified?.readBack.commonName).toBe(certified?.names.commonName)
      }),
      { numRuns: 200 },
    )
  })
})
