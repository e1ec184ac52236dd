/**
 * Cloudflare's API v4, as far as the deployment asks it itself: the envelope of its answers, pages, and which right a
 * refused token lacks. What a resource is called and when it is made is in resources.ts.
 */
import { z } from 'zod'
import { DeployError } from './deploy-error.ts'

export interface CloudflareApi {
  /** The `result` of the answer. Throws ApiRefusal where Cloudflare refuses, DeployError where it does not answer, or not by the schema. */
  call<Result>(method: 'GET' | 'POST', path: string, schema: z.ZodType<Result>, body?: unknown): Promise<Result>
  /** Every page of a list. */
  list<Item>(path: string, item: z.ZodType<Item>, query?: Readonly<Record<string, string>>): Promise<Item[]>
}

/** Cloudflare refused; the codes are its own, the message says which right is missing where that is why. */
export class ApiRefusal extends DeployError {
  readonly status: number
  readonly codes: readonly number[]
  /** Null where it is not for want of a right. */
  readonly missingRight: string | null
  constructor(message: string, status: number, codes: readonly number[], missingRight: string | null) {
    super(message)
    this.status = status
    this.codes = codes
    this.missingRight = missingRight
  }
}

const envelopeSchema = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).nullish(),
  result: z.unknown().optional(),
  result_info: z
    .object({ total_pages: z.number().nullish(), total_count: z.number().nullish(), per_page: z.number().nullish() })
    .nullish(),
})
type Envelope = z.infer<typeof envelopeSchema>

/** As an HTTP header takes them. The runtime's error for others quotes the header, and with it the token. */
const TOKEN_CHARS = /^[\x21-\x7e]+$/

const TIMEOUT_MS = 30_000
/** The largest that every list takes. */
const MAX_PAGES = 50

export function createCloudflareApi(baseUrl: string, token: string, fetch: typeof globalThis.fetch): CloudflareApi {
  if (!TOKEN_CHARS.test(token)) {
    throw new DeployError('CLOUDFLARE_API_TOKEN holds a line break or another character that no token has')
  }
  const ask = async (method: string, path: string, body?: unknown): Promise<Envelope> => {
    let response: Response
    let text: string
    try {
      response = await fetch(`${baseUrl}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      text = await response.text()
    } catch (error) {
      throw new DeployError(
        `Cloudflare's API did not answer (${method} ${path}): ${describe(error).replaceAll(token, '…')}`,
      )
    }
    const envelope = parseEnvelope(text)
    if (response.ok && envelope?.success === true) return envelope
    if (response.ok && envelope === null) throw notDescribed(method, path)
    throw refusal(method, path, response.status, envelope?.errors ?? [])
  }
  return {
    async call<Result>(method: 'GET' | 'POST', path: string, schema: z.ZodType<Result>, body?: unknown) {
      const decoded = schema.safeParse((await ask(method, path, body)).result)
      if (!decoded.success) throw notDescribed(method, path)
      return decoded.data
    },
    async list<Item>(path: string, item: z.ZodType<Item>, query: Readonly<Record<string, string>> = {}) {
      const items: Item[] = []
      for (let page = 1; page <= MAX_PAGES; page += 1) {
        const { result, result_info: info } = await ask(
          'GET',
          `${path}?${new URLSearchParams({ ...query, page: `${page}` })}`,
        )
        const decoded = z.array(item).safeParse(result)
        if (!decoded.success) throw notDescribed('GET', path)
        items.push(...decoded.data)
        const pages = info?.total_pages ?? Math.ceil((info?.total_count ?? 0) / (info?.per_page || 1))
        if (page >= pages) break
      }
      return items
    },
  }
}

/** The permission that a token needs for a path, as Cloudflare names it. */
export function rightFor(path: string): string {
  if (path.includes('/d1/')) return 'D1: Edit'
  if (path.includes('/r2/')) return 'Workers R2 Storage: Edit'
  if (path.includes('/queues')) return 'Queues: Edit'
  if (path.includes('/workers/')) return 'Workers Scripts: Edit'
  return 'Account Settings: Read'
}

/** R2 answers so while nobody has switched it on for the account. */
const R2_IS_OFF = 10_042

function refusal(method: string, path: string, status: number, errors: readonly { code: number; message: string }[]) {
  const codes = errors.map(({ code }) => code)
  const said = errors.map(({ code, message }) => `${message} [code: ${code}]`).join('; ') || `HTTP status ${status}`
  if (codes.includes(R2_IS_OFF)) {
    return new ApiRefusal(
      `R2 is not enabled for this account: switch it on in the dashboard (${said})`,
      status,
      codes,
      null,
    )
  }
  // Without a right, Cloudflare answers with 403; a token that it does not know at all is 401, one that is no token 400.
  if (status === 403) {
    const right = rightFor(path)
    return new ApiRefusal(`The API token lacks the right "${right}": ${method} ${path}: ${said}`, status, codes, right)
  }
  if (status === 401 || codes.includes(INVALID_HEADERS)) {
    return new ApiRefusal(`Cloudflare does not know this API token: ${said}`, status, codes, null)
  }
  return new ApiRefusal(`Cloudflare refused ${method} ${path}: ${said}`, status, codes, null)
}

const INVALID_HEADERS = 6003

function notDescribed(method: string, path: string): DeployError {
  return new DeployError(`Cloudflare answered ${method} ${path} with something that is not what its API describes`)
}

function parseEnvelope(text: string): Envelope | null {
  try {
    return envelopeSchema.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
