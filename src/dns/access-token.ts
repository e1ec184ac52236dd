/**
 * OAuth 2.0 access tokens by a grant that needs no user (RFC 6749 §4.4, RFC 7523 §2.1): asked for when needed, kept in
 * memory until shortly before they expire. Knows no provider.
 */
import { z } from 'zod'
import { err, ok, type Result } from '../core/result.ts'
import { checkShape } from './api-answer.ts'
import type { DnsProviderError } from './dns-provider.ts'
import { callJson, failure, type JsonApi } from './json-api.ts'

/** The token, from memory or anew. */
export type AccessTokenSource = (signal: AbortSignal) => Promise<Result<string, DnsProviderError>>

export interface AccessTokenOptions {
  readonly api: Omit<JsonApi, 'describe'>
  readonly tokenUrl: string
  /** What is sent each time; the error says in a sentence what is wrong with the credentials. */
  buildForm(nowMs: number): Promise<Result<Readonly<Record<string, string>>, string>>
}

/** A token is not used in its last minute, so that it does not expire on its way. */
const MARGIN_SECONDS = 60

const WHAT = 'get an access token'

/** RFC 6749 §5.1; without `expires_in` the token is used once. */
const tokenSchema = z.object({
  access_token: z.string().regex(/^[\x21-\x7e]+$/),
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.number().optional(),
})

/** RFC 6749 §5.2 */
const errorSchema = z.object({ error: z.string(), error_description: z.string().optional() })

export function createAccessTokenSource(options: AccessTokenOptions): AccessTokenSource {
  let kept: { readonly token: string; readonly untilMs: number } | null = null
  /** Calls of one operation share their signal, and then also the request that is under way. */
  let pending: { readonly signal: AbortSignal; readonly token: ReturnType<AccessTokenSource> } | null = null

  const request: AccessTokenSource = async (signal) => {
    const askedAtMs = options.api.now()
    const answer = await requestToken(options, askedAtMs, signal)
    if (!answer.ok) return answer
    const { access_token: token, expires_in: lifetimeSeconds = 0 } = answer.value
    kept = { token, untilMs: askedAtMs + (lifetimeSeconds - MARGIN_SECONDS) * 1000 }
    return ok(token)
  }

  return (signal) => {
    if (kept !== null && options.api.now() < kept.untilMs) return Promise.resolve(ok(kept.token))
    if (pending?.signal === signal) return pending.token
    const token = request(signal).finally(() => {
      if (pending?.signal === signal) pending = null
    })
    pending = { signal, token }
    return token
  }
}

async function requestToken(
  { api, tokenUrl, buildForm }: AccessTokenOptions,
  nowMs: number,
  signal: AbortSignal,
): Promise<Result<z.infer<typeof tokenSchema>, DnsProviderError>> {
  const form = await buildForm(nowMs)
  if (!form.ok) return err(failure(api, 'unauthorized', WHAT, form.error))
  const body = new URLSearchParams({ ...form.value }).toString()
  const formApi: JsonApi = { ...api, http: (each) => api.http({ ...each, body }), describe: describeTokenError }
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await callJson(formApi, { what: WHAT, method: 'POST', url: tokenUrl, headers, signal })
  if (!answer.ok) return answer
  if (answer.value.status === 200) return checkShape(api, WHAT, tokenSchema, answer.value.body)
  // RFC 6749 §5.2: refused credentials are a 400, unless they came in a header. All else in it is settings as well.
  const said = `${answer.value.status} ${describeTokenError(answer.value.body) ?? 'without a reason'}`
  return err(failure(api, answer.value.status === 400 ? 'unauthorized' : 'refused', WHAT, said))
}

function describeTokenError(body: unknown): string | null {
  const parsed = errorSchema.safeParse(body)
  if (!parsed.success) return null
  const { error, error_description: description } = parsed.data
  return description === undefined ? error : `${error}: ${description.split(/[\r\n]/, 1)[0]}`
}
