/**
 * Renewing internal certificates: a new version with the same subject and names, by the CA of the role as it is today. What was
 * issued with a key from here gets a new one; what was signed from a CSR keeps its key, since it is not here. Where a request
 * was approved, the renewal stays within what was approved.
 */

import type { AuthorityDependencies } from '../authority/dependencies.ts'
import { type Issued, type IssueInput, issuedEntry, showPrivateKey } from '../authority/issuing/issue.ts'
import { APPROVED_BACKDATE_SECONDS, issueTermsOf } from '../authority/issuing/issue-terms.ts'
import { signLeaf } from '../authority/issuing/leaf.ts'
import {
  keySpecOf,
  type RoleContext,
  requireAllowed,
  requireSubject,
  requireTimes,
  roleContext,
} from '../authority/issuing/under-role.ts'
import { extKeyUsagesOf } from '../authority/roles/purposes.ts'
import { type NamePaths, requireNames } from '../authority/roles/requested-names.ts'
import { checkKey } from '../authority/roles/role-policy.ts'
import { parseStored, requireSigner, type Signer } from '../authority/signer.ts'
import { requireUncompromised } from '../authority/uncompromised.ts'
import type { Actor } from '../core/actor.ts'
import type { Bytes } from '../core/bytes.ts'
import { AppError } from '../core/errors.ts'
import type { Certificate } from '../pki/certificate.ts'
import { checkCertifiedKey } from '../pki/certified-key.ts'
import { certifiedName } from '../pki/certified-name.ts'
import type { KeyUsage } from '../pki/extensions.ts'
import { exportPkcs8, generateKeyPair, type KeyPair, type KeySpec } from '../pki/keys.ts'
import { describePublicKey } from '../pki/public-key.ts'
import { mustHaveSigner } from '../store/authorities.ts'
import type { IssueTerms } from '../store/certificate-json.ts'
import { type CertificateRow, replaceVersion, sealPrivateKey } from '../store/certificates.ts'
import { mustBeUncompromised } from '../store/compromised-keys.ts'
import type { RolePolicy } from '../store/role-policy.ts'
import { mustHaveRole } from '../store/roles.ts'
import { type Alongside, nothingElse } from '../store/transaction.ts'

export interface RenewInput {
  /** Null: as long as the version before. */
  readonly ttlSeconds: number | null
  readonly keyFormat: IssueInput['keyFormat']
  /** Of who renews: what a role allows by claims, it allows to who has them now. */
  readonly claims: IssueInput['claims']
}

/** The next version, at once. The old one stays valid until its end. Throws AppError. */
export async function renewInternal(
  dependencies: AuthorityDependencies,
  actor: Actor,
  before: CertificateRow,
  input: RenewInput,
  alongside: Alongside<Issued> = nothingElse,
): Promise<Issued> {
  const { store, now } = dependencies
  if (before.revokedAtMs !== null) {
    throw new AppError('conflict', 'The certificate is revoked: issue a new one instead')
  }
  const terms = await issueTermsOf(store, before)
  const grant = await grantOf(dependencies, actor, before, terms)
  const { signer, role } = grant
  const names = requireNames({ ...before.names, commonName: before.commonName }, STORED_PATHS)
  if (role !== null)
    requireAllowed(role.policy, input.claims, { ...names, hasCommonName: terms.hasCommonName }, () => 'certificate')
  const old = parseStored(before.leafPem)
  const oldKey = describePublicKey(old.subjectPublicKeyInfo)
  if (!oldKey.ok) throw new Error(oldKey.error.message)
  const pair = before.keyOrigin === 'generated' ? await generateKeyPair(grant.key) : null
  // A key that was taken when less was asked is not certified again.
  const kept = pair === null ? checkCertifiedKey(old.subjectPublicKeyInfo) : oldKey
  if (!kept.ok)
    throw new AppError('policy_violation', `The certificate keeps its key, which is refused: ${kept.error.message}`)
  // RFC 5280 §5.3.1 keyCompromise: another holder of the key could use the new version, too.
  const keptSpki = { tenantId: actor.tenantId, spkiDer: old.subjectPublicKeyInfo.der, certificateId: before.id }
  if (pair === null) await requireUncompromised(store, keptSpki)
  const refusal = pair === null && role !== null ? checkKey(role.policy, oldKey.value) : null
  if (refusal !== null) throw new AppError('policy_violation', refusal)
  if (role === null) requireApproved(grant.limits, input.ttlSeconds)
  // As long as before; the role may allow less than it did.
  const ttlSeconds = input.ttlSeconds ?? Math.min(terms.ttlSeconds, grant.limits.maxTtlSeconds)
  const limits = { ...grant.limits, defaultTtlSeconds: ttlSeconds }
  const signed = await signLeaf(dependencies, signer, {
    subjectDer: role === null ? approvedSubject(old) : requireSubject(before.commonName, role.policy),
    commonName: before.commonName,
    altNames: names.altNames,
    spkiDer: pair?.spkiDer ?? old.subjectPublicKeyInfo.der,
    key: pair?.kind ?? oldKey.value,
    ...requireTimes(dependencies, limits, signer, input.ttlSeconds),
    extKeyUsage: grant.extKeyUsage,
    keyUsages: grant.keyUsages,
    noRevocation: role?.policy.noRevAvail ?? false,
  })
  const next = {
    ...signed,
    sealedPrivateKey: grant.keepsKey ? await keptKey(dependencies, before, signed.serialNumber, pair) : null,
    issuerCaId: signer.ca.id,
    issueTerms: { ...terms, ttlSeconds },
  }
  const certificate = { ...before, ...next, version: before.version + 1, updatedAtMs: now() }
  const privateKeyPem = pair === null ? null : await showPrivateKey(pair, input.keyFormat)
  const issued: Issued = { certificate, privateKeyPem, chainPems: signer.chainPems, warnings: names.warnings }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      ...(role === null ? [] : [mustHaveRole(store, role.role)]),
      mustHaveSigner(store, signer.lineage),
      ...(pair === null ? await mustBeUncompromised(store, keptSpki) : []),
      ...replaceVersion(store, before, next, now(), { standing: true }),
      ...(await alongside(issued)),
    ],
    entries: [issuedEntry('certificate.renewed', actor, certificate)],
  })
  if (outcome.kind !== 'committed') {
    if (pair === null) await requireUncompromised(store, keptSpki)
    throw new AppError('conflict', 'The certificate was renewed or revoked at the same time: look at it and try again')
  }
  return issued
}

/** Throws `policy_violation` for a lifetime beyond the approved one. */
function requireApproved({ maxTtlSeconds }: Pick<RolePolicy, 'maxTtlSeconds'>, ttlSeconds: number | null): void {
  if (ttlSeconds === null || ttlSeconds <= maxTtlSeconds) return
  const message = `Its request was approved for ${maxTtlSeconds}s at most: have a new request approved for more`
  throw new AppError('policy_violation', message, { details: [{ path: 'ttl', message }] })
}

/** As it was approved, in the encoding of today. Throws `policy_violation`. */
function approvedSubject({ subject }: Certificate): Bytes {
  const name = certifiedName(subject)
  if (!name.ok) throw new AppError('policy_violation', name.error)
  return name.value
}

const STORED_PATHS: NamePaths = {
  commonName: 'certificate',
  dns: 'certificate',
  ip: 'certificate',
  email: 'certificate',
  uri: 'certificate',
}

/** What a renewal may grant. */
interface Grant {
  /** Null: an approved request was signed. */
  readonly role: RoleContext | null
  readonly signer: Signer
  readonly key: KeySpec
  readonly limits: Pick<RolePolicy, 'maxTtlSeconds' | 'notBeforeBackdateSeconds'>
  readonly extKeyUsage: readonly string[]
  readonly keyUsages: readonly KeyUsage[] | null
  /** Is a key that is made here stored? */
  readonly keepsKey: boolean
}

/** By the role as it is today, or by what was approved, which is signed by the same CA again. */
async function grantOf(
  { store }: AuthorityDependencies,
  actor: Actor,
  before: CertificateRow,
  { approved }: IssueTerms,
): Promise<Grant> {
  if (before.roleName !== null) {
    const role = await roleContext(store, actor.tenantId, before.roleName, true).catch((thrown: unknown) => {
      if (!(thrown instanceof AppError) || thrown.code !== 'not_found') throw thrown
      const advice = 'make a role of that name again, or issue a new certificate under another one'
      throw new AppError('conflict', `Its role ${before.roleName} is deleted: ${advice}`)
    })
    const { policy, signer } = role
    return {
      role,
      signer,
      key: keySpecOf(policy),
      limits: policy,
      extKeyUsage: extKeyUsagesOf(policy),
      keyUsages: policy.keyUsages,
      keepsKey: policy.storePrivateKeys,
    }
  }
  if (approved === null || before.issuerCaId === null) throw new Error('neither a role nor an approval')
  return {
    role: null,
    signer: await requireSigner(store, actor.tenantId, before.issuerCaId, true),
    key: keySpecOf({ keyType: before.keyType as RolePolicy['keyType'], keyBits: before.keySize }),
    limits: { maxTtlSeconds: approved.maxTtlSeconds, notBeforeBackdateSeconds: APPROVED_BACKDATE_SECONDS },
    extKeyUsage: approved.extKeyUsage,
    keyUsages: approved.keyUsages,
    keepsKey: true,
  }
}

async function keptKey(
  { store }: AuthorityDependencies,
  before: CertificateRow,
  serialNumber: string,
  pair: KeyPair | null,
): Promise<string | null> {
  if (pair === null) return null
  const place = { tenantId: before.tenantId, certificateId: before.id, serialNumber }
  return sealPrivateKey(store, place, await exportPkcs8(pair.privateKey))
}
