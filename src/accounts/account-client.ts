/** The ACME client of a stored account, with the key that is asked for, and what it sends in ACME's own form. */
import { type AcmeClient, createAcmeClient } from '../acme/client.ts'
import { dnsIdentifier, type Identifier, ipIdentifier } from '../acme/identifier.ts'
import type { NewOrder } from '../acme/order.ts'
import { importSigningKey, type SigningKey } from '../acme/signing-key.ts'
import type { Bytes } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import type { HttpClient } from '../core/http-client.ts'
import { parseIpAddress } from '../pki/ip-address.ts'
import type { AcmeAccountRow } from '../store/acme-accounts.ts'
import type { OrderInput } from './account-object.ts'

export interface ClientDependencies {
  readonly http: HttpClient
  readonly now: Clock
  readonly settings: { readonly allowPrivateTargets: boolean }
}

/** `pkcs8` is the key that signs; `accountUrl` null: before the CA has named the account, or to ask it by the key alone. */
export async function accountClient(
  { http, now, settings: { allowPrivateTargets } }: ClientDependencies,
  { directoryUrl }: Pick<AcmeAccountRow, 'directoryUrl'>,
  pkcs8: Bytes,
  accountUrl: string | null,
): Promise<AcmeClient> {
  const accountKey = await signingKey(pkcs8)
  return createAcmeClient({ http, directoryUrl, accountKey, accountUrl, now, allowPrivateTargets })
}

/** A stored key as one that signs. Throws where it is none: such keys are never stored. */
export async function signingKey(pkcs8: Bytes): Promise<SigningKey> {
  const key = await importSigningKey(pkcs8)
  if (!key.ok) throw new Error(`a stored key: ${key.error}`)
  return key.value
}

/** RFC 8555 §7.3: contacts are `mailto:` addresses. */
export function contactOf(email: string | null): readonly string[] {
  return email === null ? [] : [`mailto:${email}`]
}

/** RFC 8555 §7.4: what newOrder asks for. */
export function newOrderOf({ domains, profile, notAfterMs, replaces }: OrderInput): NewOrder {
  return {
    identifiers: domains.map(identifierOf),
    ...(profile === null ? {} : { profile }),
    ...(notAfterMs === null ? {} : { notAfterMs }),
    ...(replaces === null ? {} : { replaces }),
  }
}

/** RFC 8738 §3: addresses are identifiers of their own type. */
const identifierOf = (name: string): Identifier =>
  parseIpAddress(name) === null ? dnsIdentifier(name) : ipIdentifier(name)
