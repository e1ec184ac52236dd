/** Building and signing leaves of the internal PKI. Who may have which names is decided before; what is signed is stored by the caller. */
import { type Bytes, toHex } from '../../core/bytes.ts'
import { type AltName, formatAltName } from '../../pki/alt-name.ts'
import { buildLeaf } from '../../pki/build-certificate.ts'
import type { KeyUsage } from '../../pki/extensions.ts'
import { formatCertificatesPem } from '../../pki/pem.ts'
import type { PublicKeyKind } from '../../pki/public-key.ts'
import { newSerial } from '../../pki/serial.ts'
import type { CertificateNames } from '../../store/certificate-json.ts'
import { displayNameOf } from '../../store/certificate-row.ts'
import type { NewVersion } from '../../store/certificates.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { locationsBelow } from '../locations.ts'
import { requireNamesWithin, type Signer } from '../signer.ts'

export interface LeafPlan {
  readonly subjectDer: Bytes
  readonly commonName: string | null
  readonly altNames: readonly AltName[]
  readonly spkiDer: Bytes
  readonly key: PublicKeyKind
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** Object identifiers. */
  readonly extKeyUsage: readonly string[]
  /** Null: what the kind of key is used for. */
  readonly keyUsages: readonly KeyUsage[] | null
  /** RFC 9608: no revocation of it will ever be published. */
  readonly noRevocation?: boolean
}

/** A leaf that is signed and not stored yet. */
export type SignedLeaf = Omit<NewVersion, 'sealedPrivateKey'>

/** Signs it. Throws `policy_violation` where a CA above forbids a name. */
export async function signLeaf(
  { settings }: AuthorityDependencies,
  signer: Signer,
  plan: LeafPlan,
): Promise<SignedLeaf> {
  const serialNumber = newSerial()
  const serialHex = toHex(serialNumber)
  const locations = locationsBelow(settings, signer.ca, serialHex)
  const { der } = await buildLeaf(
    {
      subjectDer: plan.subjectDer,
      altNames: plan.altNames,
      spkiDer: plan.spkiDer,
      notBeforeMs: plan.notBeforeMs,
      notAfterMs: plan.notAfterMs,
      extKeyUsage: plan.extKeyUsage,
      ...(plan.keyUsages === null ? {} : { keyUsage: plan.keyUsages }),
      serialNumber,
      ...locations,
      ...(plan.noRevocation === true ? { noRevocation: true, crlUris: [], ocspUris: [] } : {}),
    },
    signer.issuer,
  )
  requireNamesWithin(signer, der)
  const named = { commonName: plan.commonName, names: namesOf(plan.altNames), serialNumber: serialHex }
  return {
    ...named,
    displayName: displayNameOf(named),
    notBeforeMs: plan.notBeforeMs,
    notAfterMs: plan.notAfterMs,
    keyType: plan.key.type,
    keySize: plan.key.size,
    leafPem: formatCertificatesPem([der]),
    chainPem: signer.chainPems.join(''),
  }
}

/** Alternative names by type, as text. */
export function namesOf(altNames: readonly AltName[]): CertificateNames {
  const of = (type: AltName['type']): string[] => altNames.filter((name) => name.type === type).map(formatAltName)
  return { dns: of('dns'), ip: of('ip'), email: of('email'), uri: of('uri') }
}
