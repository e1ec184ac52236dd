/**
 * A CA as issuing needs it: its certificate, those above it, and its key, which WebCrypto never gives out again. Kept in the
 * isolate, since opening a key costs more than a signature: a batch that commits what was signed requires that the CA and all above
 * it are still as they were read (`mustHaveSigner`).
 */
import type { Bytes } from '../core/bytes.ts'
import { AppError, invalidField } from '../core/errors.ts'
import { IsolateCache } from '../core/isolate-cache.ts'
import { type Issuer, issuerOf } from '../pki/build-certificate.ts'
import { type Certificate, parseCertificate } from '../pki/certificate.ts'
import { importPrivateKey } from '../pki/keys.ts'
import { PathBudget } from '../pki/path/budget.ts'
import { checkNameConstraints } from '../pki/path/name-constraints.ts'
import { parsePemOf } from '../pki/pem.ts'
import { type CaRow, type CaState, findCa, findLineage, openCaKey } from '../store/authorities.ts'
import type { Store } from '../store/store.ts'

export interface Signer {
  readonly ca: CaRow
  /** The CA and those above it that are here, from itself up: the precondition of whatever it signs. */
  readonly lineage: readonly [CaRow, ...CaRow[]]
  readonly issuer: Issuer
  /** From the CA itself up to its root, as far as it is known. */
  readonly chain: readonly Certificate[]
  /** PEM, one certificate each, in the same order. */
  readonly chainPems: readonly string[]
  /** The last beginning of a certificate of the chain: nothing signed now may begin earlier. */
  readonly notBeforeMs: number
  /** The first end of a certificate of the chain: nothing signed now may end later. */
  readonly notAfterMs: number
}

const signers = new IsolateCache<Signer>()

/** The CA, from memory unless `fresh`. Null where there is none. Does not look whether it may sign. */
export function findSigner(store: Store, tenantId: string, caId: string, fresh: boolean): Promise<Signer | null> {
  return signers.get(store, `${tenantId}/${caId}`, fresh, () => loadSigner(store, tenantId, caId))
}

/** The CA where it may sign; throws `policy_violation` where it may not. */
export async function requireSigner(store: Store, tenantId: string, caId: string, fresh: boolean): Promise<Signer> {
  const signer = await findSigner(store, tenantId, caId, fresh)
  if (signer === null) throw new AppError('policy_violation', `There is no CA ${caId}`)
  const revoked = signer.lineage.find(({ status }) => status !== 'active')
  if (revoked !== undefined) {
    const what = revoked === signer.ca ? '' : `, and with it ${signer.ca.name},`
    throw new AppError('policy_violation', `The CA ${revoked.name} is revoked${what} and signs nothing more`)
  }
  return signer
}

/** The CA that a field of a request names, whether it may sign or not; throws `invalid_request` where there is none. */
export async function requireNamedCa(store: Store, tenantId: string, field: string, caId: string): Promise<CaRow> {
  const ca = await findCa(store, tenantId, caId)
  if (ca === null) throw invalidField(field, 'there is no such CA')
  return ca
}

async function loadSigner(store: Store, tenantId: string, caId: string): Promise<Signer | null> {
  const [ca, ...above] = await findLineage(store, tenantId, caId)
  if (ca === undefined) return null
  const lineage = [ca, ...above] as const
  const chainPems = pemsOf(lineage)
  const chain = chainPems.map(parseStored)
  const issuer = await openIssuer(store, ca)
  const notBeforeMs = Math.max(...chain.map((each) => each.notBeforeMs))
  const notAfterMs = Math.min(...chain.map((each) => each.notAfterMs))
  return { ca, lineage, issuer, chain, chainPems, notBeforeMs, notAfterMs }
}

/** The CA as its CRLs need it: what is above it, and the JSON in its row, stop no CRL. */
export async function openIssuer(store: Store, ca: CaState): Promise<Issuer> {
  const key = await importPrivateKey('pkcs8', await openCaKey(store, ca), { extractable: false })
  if (!key.ok) throw new Error(`the key of ${ca.id} does not import: ${key.error.reason}`)
  return issuerOf(parseStored(ca.certificatePem), key.value.privateKey)
}

/** The CA's certificate and those above it, as `Signer.chainPems`, to be shown: opens no key. */
export async function findChainPems(store: Store, tenantId: string, caId: string): Promise<readonly string[]> {
  return pemsOf(await findLineage(store, tenantId, caId))
}

const pemsOf = (lineage: readonly CaRow[]): string[] => [
  ...lineage.map(({ certificatePem }) => certificatePem),
  ...splitPem(lineage.at(-1)?.foreignChainPem ?? ''),
]

/** One PEM text for each certificate of a text. */
export function splitPem(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? []
}

/** A certificate that was checked when it was stored. */
export function parseStored(pem: string): Certificate {
  const certificate = tryParseStored(pem)
  if (certificate === null) throw new Error('a stored certificate does not parse')
  return certificate
}

/** The same, null for one that does not parse. */
export function tryParseStored(pem: string): Certificate | null {
  const ders = parsePemOf('CERTIFICATE', pem)
  const [der] = ders.ok ? ders.value : []
  const parsed = der === undefined ? null : parseCertificate(der)
  return parsed?.ok === true ? parsed.value : null
}

/**
 * Throws `policy_violation` where the name constraints of a CA above forbid a name: no relying party would take the
 * certificate (RFC 5280 §4.2.1.10).
 */
export function requireNamesWithin(signer: Signer, leafDer: Bytes): void {
  if (signer.chain.every(({ nameConstraints }) => nameConstraints === null)) return
  const leaf = parseCertificate(leafDer)
  if (!leaf.ok) throw new Error(`a certificate that was built does not parse: ${leaf.error.message}`)
  // Malformed constraints too: relying parties refuse everything below constraints that they cannot read.
  const [first] = checkNameConstraints([leaf.value, ...signer.chain], new PathBudget())
  if (first === undefined) return
  const name = typeof first.evidence.name === 'string' ? ` (${first.evidence.name})` : ''
  throw new AppError('policy_violation', `A CA above does not let this CA certify such a name${name}: ${first.message}`)
}
