/**
 * Issuing under a role: with a key made here, or for a CSR. Role and CA come from the isolate's memory; the batch that stores the
 * certificate requires that both are still as they were checked, and where they are not, everything is checked again.
 */

import type { Actor } from '../../core/actor.ts'
import type { Claims } from '../../core/claims.ts'
import { newId } from '../../core/ids.ts'
import { resourceName } from '../../core/resources.ts'
import type { PrivateKeyFormat } from '../../pki/key-formats.ts'
import { exportPkcs8, exportPrivateKeyPem, generateKeyPair, type KeyPair, traditionalFormatOf } from '../../pki/keys.ts'
import type { PublicKeyKind } from '../../pki/public-key.ts'
import { mustHaveSigner } from '../../store/authorities.ts'
import { sourceDetail, versionDetail } from '../../store/certificate-event.ts'
import { newCertificateRow } from '../../store/certificate-row.ts'
import { type CertificateRow, insertCertificate, sealPrivateKey } from '../../store/certificates.ts'
import { mustBeUncompromised } from '../../store/compromised-keys.ts'
import { entryBy } from '../../store/journal.ts'
import { mustHaveRole } from '../../store/roles.ts'
import { type Alongside, nothingElse, type Statement } from '../../store/transaction.ts'
import type { AuthorityDependencies } from '../dependencies.ts'
import { extKeyUsagesOf } from '../roles/purposes.ts'
import {
  CSR_PATHS,
  fieldOfName,
  type NamePaths,
  namesOfCsr,
  type RequestedNames,
  type ResolvedNames,
  requireNames,
  SAN_PATHS,
} from '../roles/requested-names.ts'
import { checkKey } from '../roles/role-policy.ts'
import { requireUncompromised } from '../uncompromised.ts'
import { reviewCsr } from './csr-review.ts'
import { requireCsr } from './csr-workflow.ts'
import { signLeaf } from './leaf.ts'
import {
  keySpecOf,
  type RoleContext,
  requireAllowed,
  requireSubject,
  requireTimes,
  violation,
  withRole,
} from './under-role.ts'

export interface IssueInput {
  readonly roleName: string
  readonly names: RequestedNames
  readonly ttlSeconds: number | null
  /** `traditional`: SEC1 for EC keys, PKCS#1 for RSA keys. */
  readonly keyFormat: 'traditional' | 'pkcs8'
  /** Of the caller, for the names that the role allows by them; null: the caller has none. */
  readonly claims: Claims | null
  /** What else has to hold when the certificate is stored: that the caller's token is still there. */
  readonly preconditions: readonly Statement[]
}

export interface SignInput {
  readonly roleName: string
  readonly csrPem: string
  readonly ttlSeconds: number | null
  /** In place of the CSR's alternative names. */
  readonly names: RequestedNames | null
  readonly claims: Claims | null
  readonly preconditions: readonly Statement[]
}

export interface Issued {
  readonly certificate: CertificateRow
  /** PEM; null where the caller has the key. */
  readonly privateKeyPem: string | null
  /** From the issuer up, PEM. */
  readonly chainPems: readonly string[]
  /** What was understood differently from what was written. */
  readonly warnings: readonly string[]
}

/** A certificate with a new key. Throws AppError. */
export function issueUnderRole(
  dependencies: AuthorityDependencies,
  actor: Actor,
  input: IssueInput,
  alongside: Alongside<Issued> = nothingElse,
): Promise<Issued> {
  return withRole(dependencies, actor, input.roleName, async ({ role, policy, signer }) => {
    const names = requireNames(input.names, ISSUE_PATHS)
    requireAllowed(policy, input.claims, names, (name) => fieldOfName(input.names, ISSUE_PATHS, name))
    const times = requireTimes(dependencies, policy, signer, input.ttlSeconds)
    const pair = await generateKeyPair(keySpecOf(policy))
    return signAndStore(dependencies, actor, {
      role,
      policy,
      signer,
      names,
      times,
      ttlSeconds: input.ttlSeconds ?? policy.defaultTtlSeconds,
      key: { spkiDer: pair.spkiDer, kind: pair.kind, pair: policy.storePrivateKeys ? pair : null },
      privateKeyPem: await showPrivateKey(pair, input.keyFormat),
      keyOrigin: 'generated',
      preconditions: input.preconditions,
      alongside,
    })
  })
}

/** A certificate for the key of a CSR. Throws AppError. */
export async function signUnderRole(
  dependencies: AuthorityDependencies,
  actor: Actor,
  input: SignInput,
  alongside: Alongside<Issued> = nothingElse,
): Promise<Issued> {
  const { csr, key } = await requireCsr(input.csrPem)
  const { der: spkiDer } = csr.subjectPublicKeyInfo
  const toCertify = { tenantId: actor.tenantId, spkiDer, certificateId: null }
  const preconditions = [...input.preconditions, ...(await mustBeUncompromised(dependencies.store, toCertify))]
  return withRole(dependencies, actor, input.roleName, async ({ role, policy, signer }) => {
    const review = reviewCsr(csr, { extKeyUsage: extKeyUsagesOf(policy), subject: 'common-name' })
    if (review.refusals.length > 0) throw violation(review.refusals, 'csr_pem')
    const refusal = checkKey(policy, key)
    if (refusal !== null) throw violation([refusal], 'csr_pem')
    await requireUncompromised(dependencies.store, toCertify, 'csr_pem')
    const requested = namesOfCsr(csr)
    const names =
      input.names === null
        ? requireNames(requested, CSR_PATHS)
        : requireNames({ ...input.names, commonName: requested.commonName }, SAN_PATHS)
    requireAllowed(policy, input.claims, names, () => (input.names === null ? 'csr_pem' : 'san'))
    const times = requireTimes(dependencies, policy, signer, input.ttlSeconds)
    return signAndStore(dependencies, actor, {
      role,
      policy,
      signer,
      names: { ...names, warnings: [...names.warnings, ...review.warnings] },
      times,
      ttlSeconds: input.ttlSeconds ?? policy.defaultTtlSeconds,
      key: { spkiDer, kind: key, pair: null },
      privateKeyPem: null,
      keyOrigin: 'csr',
      preconditions,
      alongside,
    })
  })
}

/** Where the names stand in the body of `issue`. */
const ISSUE_PATHS: NamePaths = {
  commonName: 'common_name',
  dns: 'alt_names',
  ip: 'ip_sans',
  email: 'email_sans',
  uri: 'uri_sans',
}

/** PEM in the form that was asked for. */
export function showPrivateKey(pair: KeyPair, format: IssueInput['keyFormat']): Promise<string> {
  const form: PrivateKeyFormat = format === 'pkcs8' ? 'pkcs8' : traditionalFormatOf(pair.kind)
  return exportPrivateKeyPem(pair.privateKey, form)
}

interface Leaf extends RoleContext {
  readonly names: ResolvedNames
  readonly times: { readonly notBeforeMs: number; readonly notAfterMs: number }
  /** As asked for, or by default. */
  readonly ttlSeconds: number
  readonly key: {
    readonly spkiDer: Uint8Array<ArrayBuffer>
    readonly kind: PublicKeyKind
    /** To be kept; null where it is not. */
    readonly pair: KeyPair | null
  }
  /** To be shown; null where the caller has the key. */
  readonly privateKeyPem: string | null
  readonly keyOrigin: 'generated' | 'csr'
  readonly preconditions: readonly Statement[]
  readonly alongside: Alongside<Issued>
}

/** Signs and stores; null where role or CA have changed meanwhile, and nothing is stored. */
async function signAndStore(dependencies: AuthorityDependencies, actor: Actor, leaf: Leaf): Promise<Issued | null> {
  const { store, now } = dependencies
  const { role, policy, signer, names, times, key } = leaf
  const signed = await signLeaf(dependencies, signer, {
    subjectDer: requireSubject(names.commonName, policy),
    commonName: names.commonName,
    altNames: names.altNames,
    spkiDer: key.spkiDer,
    key: key.kind,
    ...times,
    extKeyUsage: extKeyUsagesOf(policy),
    keyUsages: policy.keyUsages,
    noRevocation: policy.noRevAvail,
  })
  const id = newId('certificate', now())
  const place = { tenantId: actor.tenantId, certificateId: id, serialNumber: signed.serialNumber }
  const certificate = newCertificateRow(
    {
      ...signed,
      sealedPrivateKey:
        key.pair === null ? null : await sealPrivateKey(store, place, await exportPkcs8(key.pair.privateKey)),
      tenantId: actor.tenantId,
      id,
      source: 'internal',
      issuerCaId: signer.ca.id,
      roleName: role.name,
      keyOrigin: leaf.keyOrigin,
      issueTerms: { ttlSeconds: leaf.ttlSeconds, hasCommonName: names.hasCommonName, approved: null },
    },
    now(),
  )
  const { privateKeyPem } = leaf
  const issued: Issued = { certificate, privateKeyPem, chainPems: signer.chainPems, warnings: names.warnings }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      ...leaf.preconditions,
      mustHaveRole(store, role),
      mustHaveSigner(store, signer.lineage),
      insertCertificate(store, certificate),
      ...(await leaf.alongside(issued)),
    ],
    entries: [issuedEntry('certificate.issued', actor, certificate)],
  })
  return outcome.kind === 'committed' ? issued : null
}

export const issuedEntry = (event: string, actor: Actor, row: CertificateRow) =>
  entryBy(actor, {
    event,
    resource: resourceName.certificate(row.id),
    detail: {
      ...versionDetail(row),
      ...sourceDetail(row),
      order_id: null,
      // Who asked with a token of another issuer; `actor` alone says who asked with one of ours.
      ...(actor.identity === undefined ? {} : { identity: { ...actor.identity } }),
    },
  })
