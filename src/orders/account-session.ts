/**
 * An account's dealings with its CA: one client with its key, nonces and directory, for as long as the object lives.
 * Used by the `acme-account` object alone, so that nonces are never shared (RFC 8555 §6.5).
 */
import type { CertificateAuthorityCode, Environment } from '../acme/certificate-authorities.ts'
import { type AcmeClient, type AcmeClientOptions, createAcmeClient } from '../acme/client.ts'
import { type RateLimit, rateLimitsOf } from '../acme/rate-limits.ts'
import { importSigningKey } from '../acme/signing-key.ts'
import type { Clock } from '../core/clock.ts'
import type { HttpClient } from '../core/http-client.ts'
import { findAcmeAccount, openAccountKey } from '../store/acme-accounts.ts'
import type { Store } from '../store/store.ts'

export interface SessionDependencies {
  readonly store: Store
  readonly http: HttpClient
  readonly now: Clock
  readonly settings: { readonly allowPrivateTargets: boolean }
}

export interface AccountSession {
  readonly client: AcmeClient
  readonly email: string | null
  /** What the CA has published of its limits. */
  readonly limits: readonly RateLimit[]
}

/** Opens the session of an account that D1 has. Throws where it has none: objects are only named for accounts. */
export async function openAccountSession(
  { store, http, now, settings }: SessionDependencies,
  tenantId: string,
  accountId: string,
): Promise<AccountSession> {
  const row = await findAcmeAccount(store, tenantId, accountId)
  if (row === null) throw new Error(`there is no account ${accountId}`)
  const accountKey = await importSigningKey(await openAccountKey(store, row))
  if (!accountKey.ok) throw new Error(`the key of account ${accountId}: ${accountKey.error}`)
  const options: AcmeClientOptions = {
    http,
    directoryUrl: row.directoryUrl,
    accountKey: accountKey.value,
    accountUrl: row.accountUrl,
    now,
    allowPrivateTargets: settings.allowPrivateTargets,
  }
  const limits = rateLimitsOf({
    provider: row.provider as CertificateAuthorityCode,
    environment: row.environment as Environment,
    directoryUrl: row.directoryUrl,
  })
  return { client: createAcmeClient(options), email: row.email, limits }
}
