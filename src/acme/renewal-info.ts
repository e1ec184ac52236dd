/** ACME Renewal Information (RFC 9773): when the CA wants a certificate renewed. Schedules nothing. */
import { z } from 'zod'
import { fromBase64Url, toBase64Url } from '../core/bytes.ts'
import { parseTime } from '../core/clock.ts'
import { err, ok, type Result } from '../core/result.ts'
import { MAX_URL_CHARS } from './limits.ts'
import { checkShape } from './shape.ts'

export interface RenewalInfo {
  readonly startMs: number
  readonly endMs: number
  /** A page for people: why the window is where it is. Show it (RFC 9773 §4.2). */
  readonly explanationUrl: string | null
  /** Epoch milliseconds of the next poll, between one minute and one day ahead; null where the CA did not say. */
  readonly retryAfterMs: number | null
}

/**
 * RFC 9773 §4.1: base64url of the AKI's keyIdentifier, a dot, base64url of the serial number's content octets, which
 * keep the leading zero of a serial with its high bit set.
 */
export function buildCertificateId(authorityKeyIdentifier: Uint8Array, serialNumberContent: Uint8Array): string {
  return `${toBase64Url(authorityKeyIdentifier)}.${toBase64Url(serialNumberContent)}`
}

/** Is this text shaped like a certID? */
export function isCertificateId(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 2 && parts.every((part) => part !== '' && fromBase64Url(part) !== null)
}

/** RFC 9773 §4.1: the base address, a slash, the certID. */
export function renewalInfoUrl(base: string, certificateId: string): string {
  return `${base.replace(/\/$/, '')}/${certificateId}`
}

/**
 * RFC 9773 §4.2: a uniformly random time in the window. Pick once and keep it until the window changes; a time in the
 * past means now. `random` is in [0, 1).
 */
export function chooseRenewalTime(window: Pick<RenewalInfo, 'startMs' | 'endMs'>, random: number): number {
  return Math.floor(window.startMs + random * (window.endMs - window.startMs))
}

export function parseRenewalInfo(value: unknown, retryAfterMs: number | null): Result<RenewalInfo, string> {
  const shaped = checkShape(renewalInfoShape, value, 'renewal information')
  if (!shaped.ok) return shaped
  const { suggestedWindow, explanationURL } = shaped.value
  const startMs = parseTime(suggestedWindow.start)
  const endMs = parseTime(suggestedWindow.end)
  if (startMs === null || endMs === null) return err('is no ACME renewal information: the window is not in RFC 3339')
  // RFC 9773 §4.2: clients "MUST treat" an end that equals or precedes the start as no response at all.
  if (endMs <= startMs) return err('is no ACME renewal information: the window ends before it starts')
  return ok({ startMs, endMs, explanationUrl: explanationURL ?? null, retryAfterMs })
}

const renewalInfoShape = z.object({
  suggestedWindow: z.object({ start: z.string().max(64), end: z.string().max(64) }),
  explanationURL: z
    .string()
    .max(MAX_URL_CHARS)
    .regex(/^https?:\/\/[\x21-\x7e]+$/)
    .nullish()
    .catch(null),
})
