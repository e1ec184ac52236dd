/** Small hierarchies of the project's own certificates, for tests. */
import type { Bytes } from '../../src/core/bytes.ts'
import type { AltName } from '../../src/pki/alt-name.ts'
import {
  buildIntermediate,
  buildLeaf,
  buildRoot,
  type CaInput,
  type Issuer,
  issuerOf,
  type LeafInput,
} from '../../src/pki/build-certificate.ts'
import { type Certificate, parseCertificate } from '../../src/pki/certificate.ts'
import { buildName, type SubjectFields } from '../../src/pki/distinguished-name.ts'
import { generateKeyPair, type KeyPair, type KeySpec } from '../../src/pki/keys.ts'
import { EKU } from '../../src/pki/oids.ts'

export interface TestAuthority {
  readonly certificate: Certificate
  readonly keyPair: KeyPair
  readonly issuer: Issuer
}

export const DAY_MS = 86_400_000

/** A whole second, so that times survive encoding. */
export const NOW_MS = Date.UTC(2026, 10, 20, 12, 0, 0)

export const LOCATIONS = {
  crlUris: ['http://pki.example.com/ca/root.crl'],
  caIssuerUris: ['http://pki.example.com/ca/root.cer'],
} as const

export function nameDer(fields: SubjectFields): Bytes {
  const name = buildName(fields)
  if (!name.ok) throw new TypeError(`${name.error.field} ${name.error.message}`)
  return name.value
}

export function parsed(der: Bytes): Certificate {
  const certificate = parseCertificate(der)
  if (!certificate.ok) throw certificate.error
  return certificate.value
}

export async function testRoot(spec: KeySpec, options: Partial<CaInput> = {}): Promise<TestAuthority> {
  const keyPair = await generateKeyPair(spec)
  const { der } = await buildRoot({
    subjectDer: nameDer({ country: 'CH', organization: 'Example', commonName: 'Example Root R1' }),
    spkiDer: keyPair.spkiDer,
    privateKey: keyPair.privateKey,
    notBeforeMs: NOW_MS,
    notAfterMs: NOW_MS + 3_650 * DAY_MS - 1_000,
    pathLength: null,
    ...options,
  })
  return authority(der, keyPair)
}

export async function testIntermediate(
  parent: TestAuthority,
  spec: KeySpec,
  options: Partial<CaInput> = {},
): Promise<TestAuthority> {
  const keyPair = await generateKeyPair(spec)
  const { der } = await buildIntermediate(
    {
      subjectDer: nameDer({ country: 'CH', organization: 'Example', commonName: 'Example Issuing CA I1' }),
      spkiDer: keyPair.spkiDer,
      notBeforeMs: NOW_MS,
      notAfterMs: NOW_MS + 1_825 * DAY_MS - 1_000,
      pathLength: 0,
      ...LOCATIONS,
      ...options,
    },
    parent.issuer,
  )
  return authority(der, keyPair)
}

async function authority(der: Bytes, keyPair: KeyPair): Promise<TestAuthority> {
  const certificate = parsed(der)
  return { certificate, keyPair, issuer: await issuerOf(certificate, keyPair.privateKey) }
}

export const LEAF_NAMES: readonly AltName[] = [
  { type: 'dns', value: 'www.example.com' },
  { type: 'dns', value: '*.example.com' },
  { type: 'ip', value: new Uint8Array([192, 0, 2, 1]) },
]

export async function testLeaf(
  parent: TestAuthority,
  spec: KeySpec,
  options: Partial<LeafInput> = {},
): Promise<{ certificate: Certificate; keyPair: KeyPair }> {
  const keyPair = await generateKeyPair(spec)
  const { der } = await buildLeaf(
    {
      subjectDer: nameDer({ commonName: 'www.example.com' }),
      spkiDer: keyPair.spkiDer,
      notBeforeMs: NOW_MS - 30_000,
      notAfterMs: NOW_MS + 90 * DAY_MS - 31_000,
      altNames: LEAF_NAMES,
      extKeyUsage: [EKU.serverAuth, EKU.clientAuth],
      ...LOCATIONS,
      ...options,
    },
    parent.issuer,
  )
  return { certificate: parsed(der), keyPair }
}
