/**
 * Renewing internal certificates: a new version with the same subject and names, by the CA of the role as it is today. What was
 * issued with a key from here gets a new one; what was signed from a CSR keeps its key, since nobody here has it.
 */
import type { Actor } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import { checkCertifiedKey } from '../pki/certified-key.ts'
import { exportPkcs8, generateKeyPair, type KeyPair, type KeySpec } from '../pki/keys.ts'
import { describePublicKey } from '../pki/public-key.ts'
import { demandSigner } from '../store/authorities.ts'
import { type CertificateRow, replaceVersion, sealPrivateKey } from '../store/certificates.ts'
import { demandRole } from '../store/roles.ts'
import { type Alongside, nothingElse } from '../store/work.ts'
import type { AuthorityDependencies } from './dependencies.ts'
import {
  type Issued,
  type IssueInput,
  issuedEntry,
  keySpecOf,
  type RoleContext,
  requireAllowed,
  requireSubject,
  requireTimes,
  roleContext,
  showPrivateKey,
} from './issue.ts'
import { signLeaf } from './leaf.ts'
import { extKeyUsagesOf } from './purposes.ts'
import { type NamePaths, requireNames } from './requested-names.ts'
import { checkKey, type RolePolicy } from './role-policy.ts'
import { parseStored, requireSigner, type Signer } from './signer.ts'

export interface RenewInput {
  /** Null: as long as the version before. */
  readonly ttlSeconds: number | null
  readonly keyFormat: IssueInput['keyFormat']
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
  const context = await contextOf(dependencies, actor, before)
  const { signer, policy } = context
  const names = requireNames({ ...before.names, commonName: before.commonName }, STORED_PATHS)
  // A common name that was too long for the subject was asked for all the same.
  if (context.role !== null) requireAllowed(context.policy, { ...names, hasCommonName: true }, 'certificate')
  const old = parseStored(before.leafPem)
  const oldKey = describePublicKey(old.subjectPublicKeyInfo)
  if (!oldKey.ok) throw new Error(oldKey.error.message)
  const pair = before.keyOrigin === 'generated' ? await generateKeyPair(context.key) : null
  // A key that was taken when less was asked is not certified again.
  const kept = pair === null ? checkCertifiedKey(old.subjectPublicKeyInfo) : oldKey
  if (!kept.ok)
    throw new AppError('policy_violation', `The certificate keeps its key, which is refused: ${kept.error.message}`)
  const refusal = pair === null && context.role !== null ? checkKey(policy, oldKey.value) : null
  if (refusal !== null) throw new AppError('policy_violation', refusal)
  const lifetimeSeconds = Math.round((before.notAfterMs - before.notBeforeMs) / 1000) - policy.notBeforeBackdateSeconds
  const signed = await signLeaf(dependencies, signer, {
    subjectDer: context.role === null ? old.subject.der : requireSubject(before.commonName, policy),
    commonName: before.commonName,
    altNames: names.altNames,
    spkiDer: pair?.spkiDer ?? old.subjectPublicKeyInfo.der,
    key: pair?.kind ?? oldKey.value,
    ...requireTimes(dependencies, policy, signer, input.ttlSeconds ?? lifetimeWithin(policy, lifetimeSeconds)),
    extKeyUsage: extKeyUsagesOf(policy),
    keyUsages: policy.keyUsages,
    noRevocation: policy.noRevAvail ?? false,
  })
  const next = {
    ...signed,
    sealedPrivateKey: await keptKey(dependencies, before, signed.serialNumber, pair, policy),
    issuerCaId: signer.authority.id,
  }
  const certificate = { ...before, ...next, version: before.version + 1, updatedAtMs: now() }
  const privateKeyPem = pair === null ? null : await showPrivateKey(pair, input.keyFormat)
  const issued: Issued = { certificate, privateKeyPem, chainPems: signer.chainPems, warnings: names.warnings }
  const outcome = await store.commit({
    tenantId: actor.tenantId,
    statements: [
      ...(context.role === null ? [] : [demandRole(store, context.role)]),
      demandSigner(store, signer.authority),
      ...replaceVersion(store, before, next, now(), { standing: true }),
      ...(await alongside(issued)),
    ],
    entries: [issuedEntry('certificate.renewed', actor, certificate)],
  })
  if (outcome.kind !== 'committed') {
    throw new AppError('conflict', 'The certificate was renewed or revoked at the same time: look at it and try again')
  }
  return issued
}

const STORED_PATHS: NamePaths = {
  commonName: 'certificate',
  dns: 'certificate',
  ip: 'certificate',
  email: 'certificate',
  uri: 'certificate',
}

interface RenewalContext {
  /** Null: an approved CSR was signed. */
  readonly role: RoleContext['role'] | null
  readonly policy: RolePolicy
  readonly signer: Signer
  readonly key: KeySpec
}

async function contextOf(
  { store }: AuthorityDependencies,
  actor: Actor,
  before: CertificateRow,
): Promise<RenewalContext> {
  if (before.roleName !== null) {
    const context = await roleContext(store, actor.tenantId, before.roleName, true)
    return { ...context, key: keySpecOf(context.policy) }
  }
  if (before.issuerCaId === null) throw new Error('an internal certificate without a CA')
  const signer = await requireSigner(store, actor.tenantId, before.issuerCaId, true)
  const keyType = before.keyType as RolePolicy['keyType']
  const policy = { ...APPROVED, keyType, keyBits: before.keySize }
  return { role: null, policy, signer, key: keySpecOf(policy) }
}

/** What signing an approved CSR grants; its names were decided about. */
const APPROVED: Omit<RolePolicy, 'keyType' | 'keyBits'> = {
  allowedDomains: [],
  allowSubdomains: false,
  allowBareDomains: false,
  allowWildcardCertificates: false,
  allowAnyName: false,
  allowLocalhost: false,
  allowIpSans: false,
  allowedIpRanges: [],
  allowedUriSans: [],
  allowedEmailDomains: [],
  maxTtlSeconds: 36_500 * 86_400,
  defaultTtlSeconds: 90 * 86_400,
  requireCn: false,
  storePrivateKeys: true,
  serverAuth: true,
  clientAuth: true,
  keyUsages: null,
  notBeforeBackdateSeconds: 30,
}

/** The role may allow less than it did: then as long as it allows. */
const lifetimeWithin = (policy: RolePolicy, seconds: number): number =>
  Math.min(Math.max(seconds, 1), policy.maxTtlSeconds)

async function keptKey(
  { store }: AuthorityDependencies,
  before: CertificateRow,
  serialNumber: string,
  pair: KeyPair | null,
  policy: RolePolicy,
): Promise<string | null> {
  if (pair === null || !policy.storePrivateKeys) return null
  const place = { tenantId: before.tenantId, certificateId: before.id, serialNumber }
  return sealPrivateKey(store, place, await exportPkcs8(pair.privateKey))
}
