/** Every combination of key, purposes and key usages that a role may have, as the linters judge the certificate. */
import { beforeAll, describe, expect, it } from 'vitest'
import { extKeyUsagesOf } from '../../../src/authority/roles/purposes.ts'
import { checkRolePolicy } from '../../../src/authority/roles/role-policy.ts'
import { buildLeaf } from '../../../src/pki/build-certificate.ts'
import type { KeyUsage } from '../../../src/pki/extensions.ts'
import { generateKeyPair, type KeyPair } from '../../../src/pki/keys.ts'
import { EKU } from '../../../src/pki/oids.ts'
import { formatCertificatesPem } from '../../../src/pki/pem.ts'
import type { RolePolicy } from '../../../src/store/role-policy.ts'
import { pkilint, zlint } from '../../support/linters.ts'
import { DAY_MS, LOCATIONS, NOW_MS, nameDer, type TestAuthority, testRoot } from '../../support/pki-hierarchy.ts'

const ROLE: Omit<RolePolicy, 'keyType' | 'keyBits' | 'serverAuth' | 'clientAuth' | 'keyUsages'> = {
  allowedDomains: ['example.com'],
  allowSubdomains: true,
  allowBareDomains: true,
  allowWildcardCertificates: true,
  allowAnyName: false,
  allowLocalhost: false,
  allowIpSans: false,
  allowedIpRanges: [],
  allowedUriSans: [],
  allowedEmailDomains: [],
  maxTtlSeconds: 3_600,
  defaultTtlSeconds: 3_600,
  requireCn: false,
  storePrivateKeys: false,
  notBeforeBackdateSeconds: 30,
  hasDefaultTtl: true,
  subject: {},
  extKeyUsages: [],
  noRevAvail: false,
}
const KEYS = [
  {
    keyType: 'rsa',
    keyBits: 2048,
    usages: ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment'],
  },
  { keyType: 'ec', keyBits: 256, usages: ['digitalSignature', 'nonRepudiation', 'keyAgreement'] },
  { keyType: 'ed25519', keyBits: 256, usages: ['digitalSignature', 'nonRepudiation'] },
] as const satisfies readonly { keyType: string; keyBits: number; usages: readonly KeyUsage[] }[]

const subsets = <T>(all: readonly T[]): T[][] =>
  Array.from({ length: 2 ** all.length }, (_, bits) => all.filter((_one, index) => ((bits >> index) & 1) === 1))

/** Server and client by themselves, then the further ones. */
const PURPOSES = subsets([
  EKU.serverAuth,
  EKU.clientAuth,
  EKU.codeSigning,
  EKU.emailProtection,
  EKU.timeStamping,
] as string[])

describe('purposes and key usages of roles', () => {
  let root: TestAuthority
  beforeAll(async () => {
    root = await testRoot({ type: 'ec', size: 256 })
  })

  async function leafOf(policy: RolePolicy, pair: KeyPair): Promise<string> {
    const { der } = await buildLeaf(
      {
        subjectDer: nameDer({ organization: 'Example', commonName: 'a.example.com' }),
        spkiDer: pair.spkiDer,
        notBeforeMs: NOW_MS,
        notAfterMs: NOW_MS + DAY_MS,
        altNames: [{ type: 'dns', value: 'a.example.com' }],
        extKeyUsage: extKeyUsagesOf(policy),
        ...(policy.keyUsages === null ? {} : { keyUsage: policy.keyUsages }),
        ...LOCATIONS,
      },
      root.issuer,
    )
    return formatCertificatesPem([der])
  }

  it.each(KEYS)(
    'ok: with $keyType keys, nothing that a role may be has an error',
    async ({ keyType, keyBits, usages }) => {
      const pair = await generateKeyPair(
        keyType === 'ed25519'
          ? { type: keyType }
          : keyType === 'rsa'
            ? { type: keyType, size: keyBits }
            : { type: keyType, size: keyBits },
      )
      const roles = PURPOSES.flatMap((purposes) =>
        [null, ...subsets<KeyUsage>(usages).filter((set) => set.length > 0)].flatMap((keyUsages) => {
          const policy: RolePolicy = {
            ...ROLE,
            keyType,
            keyBits,
            serverAuth: purposes.includes(EKU.serverAuth),
            clientAuth: purposes.includes(EKU.clientAuth),
            extKeyUsages: purposes.filter((oid) => oid !== EKU.serverAuth && oid !== EKU.clientAuth),
            keyUsages,
          }
          return checkRolePolicy(policy).ok ? [policy] : []
        }),
      )
      expect(roles.length).toBeGreaterThan(20)
      const pems = await Promise.all(roles.map((policy) => leafOf(policy, pair)))
      const errors: unknown[] = []
      for (const [index, pem] of pems.entries()) {
        const { keyUsages, extKeyUsages, serverAuth, clientAuth } = roles[index] as RolePolicy
        const found = (await zlint(pem)).filter((finding) => /^(error|fatal)/.test(finding))
        if (found.length > 0) errors.push({ keyUsages, extKeyUsages, serverAuth, clientAuth, found })
      }
      expect(errors).toEqual([])
      const [first, last] = [pems[0] as string, pems.at(-1) as string]
      for (const pem of [first, last]) {
        expect((await pkilint('lint_pkix_cert', [], pem)).filter((finding) => /^(ERROR|FATAL)/.test(finding))).toEqual(
          [],
        )
      }
    },
  )
})
