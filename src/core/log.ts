/**
 * The log: one JSON object per line, secrets taken out. Fields are redacted by their name, texts by their form, so a
 * secret has to slip past both. Does not keep lines and does not sample.
 */
import { AppError } from './errors.ts'

export type LogLevel = 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

/** Takes one finished line. */
export type WriteLine = (level: LogLevel, line: string) => void

/** Builds a log that writes redacted JSON lines. */
export function createLog(write: WriteLine): Log {
  const at =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      write(level, JSON.stringify({ level, event, ...(redact(fields) as LogFields) }))
    }
  return { info: at('info'), warn: at('warn'), error: at('error') }
}

/** Writes to the console, where the platform collects it. */
export const consoleLog: Log = createLog((level, line) => {
  if (level === 'error') console.error(line)
  else if (level === 'warn') console.warn(line)
  else console.info(line)
})

/** Something broke where no request waits for an answer: in an object or a cron job. */
export function logFault(where: string, fault: unknown, log: Log = consoleLog): void {
  log.error('fault', { where, ...errorFields(fault) })
}

/**
 * An error as log fields. `DrizzleQueryError` carries its bound parameters in its message and its fields: of such an error, only
 * that it was a query and what the database answered is logged.
 */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: `threw a ${typeof error}` }
  const known = error instanceof AppError ? { code: error.code } : {}
  const isQuery = 'query' in error && 'params' in error
  const message = isQuery ? 'a query failed' : error.message
  const cause = error.cause === undefined ? {} : { cause: errorFields(error.cause) }
  // A stack begins with the message: keep the places only.
  const stack = error.stack?.split('\n').filter((line) => /^\s+at /.test(line))
  return { error: error.name, message, ...known, ...cause, ...(stack === undefined ? {} : { stack }) }
}

const HIDDEN = '[redacted]'

/** Names of fields that hold secrets, whatever is around the word: `tsig_secret`, `hmacKey`, `Authorization`. */
const SECRET_NAME =
  /authorization|cookie|passw|passphrase|secret|credential|private_?key|hmac|tsig|token$|api_?token|access_?key|key_?ring|service_account|sealed/i

/** Names that match above and hold none. */
const HARMLESS_NAME = /^(secret_type|secret_path|private_key_type|tsig_algorithm|key_authorization_hash)$/i

const SECRET_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/\bcw_[A-Za-z0-9_-]{8,}/g, 'cw_[redacted]'],
  // A JWS or a JWE (RFC 7515 §3.1, RFC 7516 §3.1): its header is JSON, which begins with {" in base64url.
  [/\beyJ[A-Za-z0-9_-]*\.[A-Za-z0-9._-]+/g, '[redacted JWT]'],
  [/\bwhsec_[A-Za-z0-9+/=_-]{8,}/g, 'whsec_[redacted]'],
  [/\bs1\.[a-z0-9]{1,32}\.[A-Za-z0-9_-]+/g, 's1.[redacted]'],
  [/-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----[\s\S]*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g, '[redacted private key]'],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+/gi, '$1 [redacted]'],
]

/** How deep fields are followed, and how long a text may be: a log line is no dump. */
const MAX_DEPTH = 6
const MAX_TEXT_CHARS = 2_000

/** A copy without secrets. */
function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return `[${value.length} bytes]`
  if (value instanceof Error) return redact(errorFields(value), depth + 1)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MAX_DEPTH) return '[deeper]'
  if (Array.isArray(value)) return value.map((each) => redact(each, depth + 1))
  const out: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(value)) {
    const secret = SECRET_NAME.test(name) && !HARMLESS_NAME.test(name) && member !== null && member !== undefined
    out[name] = secret ? HIDDEN : redact(member, depth + 1)
  }
  return out
}

/** A text without tokens, private keys, sealed values and authorization headers. */
function redactText(text: string): string {
  let out = text
  for (const [pattern, instead] of SECRET_TEXTS) out = out.replace(pattern, instead)
  return out.length > MAX_TEXT_CHARS ? `${out.slice(0, MAX_TEXT_CHARS)}…` : out
}
