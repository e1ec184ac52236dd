/** Orders (RFC 8555 §7.1.3, §7.4). Does not poll: says when the server wants to be asked again. */
import { z } from 'zod'
import { formatTime } from '../core/clock.ts'
import { err, ok, type Result } from '../core/result.ts'
import { type AcmeError, isProblem, isTransient } from './acme-error.ts'
import { type Identifier, identifierShape } from './identifier.ts'
import { MAX_AUTHORIZATIONS, MAX_IDENTIFIERS } from './limits.ts'
import { type AcmeProblem, describeProblem, parseProblem } from './problem.ts'
import { checkServerUrls, checkShape, optionalTime, type TargetPolicy, urlText } from './shape.ts'

/** RFC 8555 §7.1.6: the states that an order can be in, as the server sees it. */
const ORDER_STATUSES = ['pending', 'ready', 'processing', 'valid', 'invalid'] as const
export type OrderStatus = (typeof ORDER_STATUSES)[number]

export interface Order {
  readonly status: OrderStatus
  /** In the server's order, which is not the one in which they were asked for. */
  readonly identifiers: readonly Identifier[]
  /** RFC 8555 §7.1.3: need not be one per identifier, and may be valid already. */
  readonly authorizationUrls: readonly string[]
  readonly finalizeUrl: string
  /** There once the order is valid. */
  readonly certificateUrl: string | null
  readonly expiresAtMs: number | null
  readonly notBeforeMs: number | null
  readonly notAfterMs: number | null
  readonly error: AcmeProblem | null
  readonly profile: string | null
  /** RFC 9773 §5: the certificate that this order replaces, as the server took it. */
  readonly replaces: string | null
  /** Epoch milliseconds: when the server wants to be asked again; capped. */
  readonly retryAfterMs: number | null
}

export interface NewOrder {
  readonly identifiers: readonly Identifier[]
  /** draft-ietf-acme-profiles-01 §4: one that the directory names. */
  readonly profile?: string
  /** RFC 9773 §5: the certID of the certificate that this one replaces. Left out where the CA has no renewalInfo. */
  readonly replaces?: string
  readonly notBeforeMs?: number
  readonly notAfterMs?: number
}

export interface CreatedOrder {
  /** The `Location`, verbatim: save it before anything else is done for the order. */
  readonly orderUrl: string
  readonly order: Order
  /** True where the CA refused `replaces` and took the order without it: then no rate limit exempts it. */
  readonly replacesRefused: boolean
}

/** RFC 9773 §5: did the CA take the order as the replacement that it was sent as? */
export function isReplacement({ order, replacesRefused }: CreatedOrder, replaces: string | null): boolean {
  return replaces !== null && !replacesRefused && order.replaces === replaces
}

/** What the CA said of an order that it declared invalid. */
export function whyInvalid({ error }: Pick<Order, 'error'>): string {
  return error === null ? 'the CA declared the order invalid' : describeProblem(error)
}

/** The newOrder payload. */
export function buildNewOrder(order: NewOrder, replaces: string | null): string {
  const { identifiers, profile, notBeforeMs, notAfterMs } = order
  return JSON.stringify({
    identifiers,
    profile,
    notBefore: notBeforeMs === undefined ? undefined : formatTime(notBeforeMs),
    notAfter: notAfterMs === undefined ? undefined : formatTime(notAfterMs),
    replaces: replaces ?? undefined,
  })
}

/**
 * Is it the `replaces` that the CA did not like? RFC 9773 §5 has `alreadyReplaced`; CAs also answer `malformed`,
 * `conflict`, `notFound` or `unauthorized` about a certificate that they do not know, or whose account or names differ.
 */
export function refusesReplacement(error: AcmeError): boolean {
  if (isProblem(error, 'alreadyReplaced')) return true
  if (error.reason !== 'problem') return false
  const text = `${error.title ?? ''} ${error.detail ?? ''}`
  // Pebble 2.10 answers 500 "could not find an order for the given certificate" now and then: waiting does not mend it.
  if (error.status === 500 && isProblem(error, 'serverInternal')) return /certificate/i.test(text)
  return !isTransient(error) && /replac|renewal ?info|\bARI\b|cert ?id/i.test(text)
}

export function parseOrder(value: unknown, retryAfterMs: number | null, policy: TargetPolicy): Result<Order, string> {
  const shaped = checkShape(orderShape, value, 'order')
  if (!shaped.ok) return shaped
  const { status, identifiers, authorizations, finalize, certificate, error, ...rest } = shaped.value
  // RFC 8555 §7.4.2: the certificate is downloaded from the URL in the order; a valid order without one is of no use.
  if (status === 'valid' && !certificate) return err('is no ACME order: it is valid and names no certificate')
  const urls = checkServerUrls(
    [['finalize', finalize], ['certificate', certificate], ...Object.entries(authorizations)],
    policy,
  )
  if (!urls.ok) return err(`names an address that may not be asked: ${urls.error}`)
  return ok({
    status,
    identifiers,
    authorizationUrls: [...new Set(authorizations)],
    finalizeUrl: finalize,
    certificateUrl: certificate ?? null,
    expiresAtMs: rest.expires,
    notBeforeMs: rest.notBefore,
    notAfterMs: rest.notAfter,
    error: error === undefined ? null : parseProblem(error),
    profile: rest.profile ?? null,
    replaces: rest.replaces ?? null,
    retryAfterMs,
  })
}

const orderShape = z.object({
  status: z.enum(ORDER_STATUSES),
  expires: optionalTime,
  identifiers: z.array(identifierShape).min(1).max(MAX_IDENTIFIERS),
  notBefore: optionalTime,
  notAfter: optionalTime,
  error: z.unknown().optional(),
  authorizations: z.array(urlText).max(MAX_AUTHORIZATIONS),
  finalize: urlText,
  certificate: urlText.nullish(),
  profile: z.string().max(256).nullish().catch(null),
  replaces: z.string().max(256).nullish().catch(null),
})
