/**
 * Signatures of webhooks, by the Standard Webhooks specification (github.com/standard-webhooks/standard-webhooks, version 1): HMAC-SHA256 over
 * id, timestamp and body, one signature for each secret that is active.
 */
import { type Bytes, fromBase64, randomBytes, toBase64, utf8 } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'

/** "prefixed with whsec_", "between 24 bytes (192 bits) and 64 bytes (512 bits)". */
const PREFIX = 'whsec_'
const MIN_BYTES = 24
const MAX_BYTES = 64
const NEW_BYTES = 32

/** A new secret: 256 random bits. */
export const newSigningSecret = (): string => PREFIX + toBase64(randomBytes(NEW_BYTES))

/** The key in a secret. The error never quotes it. */
export function readSigningSecret(secret: string): Result<Bytes, string> {
  const key = secret.startsWith(PREFIX) ? fromBase64(secret.slice(PREFIX.length)) : null
  if (key === null || key.length < MIN_BYTES || key.length > MAX_BYTES) {
    return err(
      `must be whsec_ and then ${MIN_BYTES} to ${MAX_BYTES} bytes as base64, as openssl rand -base64 ${NEW_BYTES} prints them; leave it out, and one is made`,
    )
  }
  return ok(key)
}

/** The secrets that sign at that time. */
export const activeSecrets = <Secret extends { readonly untilMs: number | null }>(
  secrets: readonly Secret[],
  nowMs: number,
): readonly Secret[] => secrets.filter(({ untilMs }) => untilMs === null || untilMs > nowMs)

export interface SignedHeaders {
  readonly 'webhook-id': string
  /** Seconds since the epoch. */
  readonly 'webhook-timestamp': string
  readonly 'webhook-signature': string
}

/** The headers of one attempt. Several secrets give several signatures, separated by spaces: receivers take any of them. */
export async function signWebhook(
  secrets: readonly string[],
  id: string,
  nowMs: number,
  body: string,
): Promise<SignedHeaders> {
  const timestamp = String(Math.floor(nowMs / 1_000))
  const content = utf8(`${id}.${timestamp}.${body}`)
  const signatures = await Promise.all(secrets.map((secret) => signatureOf(secret, content)))
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}

async function signatureOf(secret: string, content: Bytes): Promise<string> {
  const raw = readSigningSecret(secret)
  if (!raw.ok) throw new TypeError('a stored secret is none')
  const key = await crypto.subtle.importKey('raw', raw.value, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return `v1,${toBase64(new Uint8Array(await crypto.subtle.sign('HMAC', key, content)))}`
}
