/** Requesting a certificate on an imported zone: an ACME order by dns-01 with the zone's provider, one certificate for each domain. */

import { parseManagedZone } from '../challenges/managed-zone.ts'
import type { Actor } from '../core/actor.ts'
import { AppError, type ErrorDetail, invalidField } from '../core/errors.ts'
import { type IssueDependencies, issueCertificate } from '../orders/issue.ts'
import { parseCertifiedDnsName } from '../pki/dns-name.ts'
import type { CertificateKeySpec } from '../pki/keys.ts'
import type { AcmeOrderRow } from '../store/acme-orders.ts'
import type { Store } from '../store/store.ts'
import { type Alongside, nothingElse, type Statement } from '../store/transaction.ts'
import {
  findDomainHolder,
  findStandingCertificate,
  insertZoneCertificate,
  mustBeVerifiedZone,
  mustHaveNoStandingCertificate,
  releaseDomain,
} from '../store/zone-certificates.ts'
import { findZoneById, findZoneByName, type ZoneRow } from '../store/zones.ts'
import { planOrder } from '../tenants/plan-limits.ts'
import { requestedCertificate, type ZoneCertificate } from './zone-certificate.ts'

/** By its id, or by its name as the caller wrote it. */
export type ZoneReference = { readonly by: 'zone_id' | 'zone'; readonly text: string }

export interface CertificateRequest {
  readonly zone: ZoneReference
  readonly domain: string
  readonly sans: readonly string[]
  /** Null: as the domain is written. */
  readonly wildcard: boolean | null
  readonly autoRenew: boolean
  readonly key: CertificateKeySpec
  readonly accountId: string
}

/**
 * Requests a certificate; it is pending then. `sees` hides the zones that the caller's token does not cover. Throws AppError: `plan_limit`,
 * `not_found` for a zone that is not there or not verified, `already_exists` for a domain that has its certificate.
 */
export async function requestCertificate(
  dependencies: IssueDependencies,
  actor: Actor,
  input: CertificateRequest,
  sees: (zone: ZoneRow) => boolean,
  alongside: Alongside<ZoneCertificate> = nothingElse,
): Promise<ZoneCertificate> {
  const { store, now } = dependencies
  const { tenantId } = actor
  const names = namesOf(input)
  const domains = names.map(({ name }) => name)
  await planOrder(dependencies, tenantId, { domains, autoRenew: input.autoRenew })
  const zone = await requireVerified(store, tenantId, input.zone, sees)
  requireWithin(zone, names)
  const [domain] = domains as [string, ...string[]]
  await refuseSecond(store, tenantId, domain, now())
  const order = {
    accountId: input.accountId,
    domains,
    challengeType: 'dns-01',
    autoRenew: input.autoRenew,
    key: input.key,
    csrPem: null,
    dnsProviderIds: [zone.dnsProviderId],
    preferredChain: null,
    profile: null,
    notAfterMs: null,
    solver: 'auto',
    retry: false,
  } as const
  const stored = async (row: AcmeOrderRow): Promise<readonly Statement[]> => [
    mustBeVerifiedZone(store, zone),
    mustHaveNoStandingCertificate(store, tenantId, domain, now()),
    ...releaseDomain(store, tenantId, domain, now()),
    insertZoneCertificate(store, {
      tenantId,
      certificateId: row.certificateId,
      zoneId: zone.id,
      orderId: row.id,
      domain,
      holdsDomain: true,
      createdAtMs: row.createdAtMs,
    }),
    ...(await alongside(ordered(row, domain))),
  ]
  try {
    return ordered(await issueCertificate(dependencies, actor, order, stored), domain)
  } catch (thrown) {
    // What the batch found is told as what is read now says it.
    if (thrown instanceof AppError && thrown.code === 'conflict') {
      await requireVerified(store, tenantId, input.zone, sees)
      await refuseSecond(store, tenantId, domain, now())
    }
    throw inFieldsOf(thrown, names)
  }
}

const ordered = (row: AcmeOrderRow, domain: string): ZoneCertificate =>
  requestedCertificate({ ...row, id: row.certificateId, orderId: row.id, domain })

/** A name as it is ordered, and the field of the request that it stands in. */
interface RequestedName {
  readonly name: string
  readonly field: string
}

/** The primary name first, each once. Throws `invalid_request`. */
function namesOf({ domain, sans, wildcard }: CertificateRequest): readonly RequestedName[] {
  const given = [
    { text: primaryOf(domain, wildcard), field: 'domain' },
    ...sans.map((text, index) => ({ text, field: `sans[${index}]` })),
  ]
  const names = given.map(({ text, field }) => {
    const parsed = parseCertifiedDnsName(text.trim().replace(/\.$/, ''))
    if (!parsed.ok) throw invalidField(field, parsed.error)
    return { name: parsed.value.name, field }
  })
  return names.filter(({ name }, index) => names.findIndex((each) => each.name === name) === index)
}

function primaryOf(domain: string, wildcard: boolean | null): string {
  const trimmed = domain.trim()
  const isWildcard = trimmed.startsWith('*.')
  if (wildcard === false && isWildcard) {
    throw invalidField('wildcard', 'the domain is a wildcard: set it to true, or leave *. out of the domain')
  }
  return wildcard === true && !isWildcard ? `*.${trimmed}` : trimmed
}

/** The zone itself, or below it. */
function requireWithin({ name: zone }: ZoneRow, names: readonly RequestedName[]): void {
  const details = names.flatMap(({ name, field }): readonly ErrorDetail[] => {
    const base = name.replace(/^\*\./, '')
    if (base === zone || base.endsWith(`.${zone}`)) return []
    return [{ path: field, message: `${name} is not in the zone ${zone}: give names in it, or take another zone` }]
  })
  const [first] = details
  if (first !== undefined) throw new AppError('invalid_request', `${first.path}: ${first.message}`, { details })
}

/** What is not there, not seen by the caller, or not verified. */
async function requireVerified(
  store: Store,
  tenantId: string,
  { by, text }: ZoneReference,
  sees: (zone: ZoneRow) => boolean,
): Promise<ZoneRow> {
  const name = parseManagedZone(text.trim())
  const found = await (by === 'zone_id'
    ? findZoneById(store, tenantId, text)
    : findZoneByName(store, tenantId, name.ok ? name.value : text))
  if (found === null || !sees(found)) {
    throw new AppError('not_found', `There is no zone ${text} here: import it first (POST /v1/zones)`)
  }
  if (found.status !== 'verified') {
    throw new AppError(
      'not_found',
      `The zone ${found.name} is not verified (${found.status}): POST /v1/zones/${found.id}/verify`,
    )
  }
  return found
}

/** Throws `already_exists` where the domain has a certificate that stands or is on its way. */
async function refuseSecond(store: Store, tenantId: string, domain: string, nowMs: number): Promise<void> {
  const standing =
    (await findStandingCertificate(store, tenantId, domain, nowMs)) ??
    (await findDomainHolder(store, tenantId, domain, nowMs))
  if (standing === null) return
  const message = `There is a certificate for ${domain} already, ${standing}: renew it, or delete it first`
  throw new AppError('already_exists', message)
}

/** What an order says of `domains[1]`, said of the field that the name stands in. */
function inFieldsOf(thrown: unknown, names: readonly RequestedName[]): unknown {
  if (!(thrown instanceof AppError) || thrown.details.length === 0) return thrown
  const details = thrown.details.map(({ path, message }) => ({ path: fieldOf(path, names), message }))
  const [first] = details
  const { retryAfterSeconds } = thrown
  return new AppError(thrown.code, first === undefined ? thrown.message : `${first.path}: ${first.message}`, {
    details,
    ...(retryAfterSeconds === null ? {} : { retryAfterSeconds }),
    cause: thrown,
  })
}

function fieldOf(path: string, names: readonly RequestedName[]): string {
  if (path === 'domains') return 'sans'
  if (path === 'dns_provider_id') return 'zone_id'
  const index = /^domains\[(\d+)\]$/.exec(path)?.[1]
  return index === undefined ? path : (names[Number(index)]?.field ?? path)
}
