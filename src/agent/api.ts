/** Requests of the companion to the service. Errors quote what the service said, and never hold the token. */

interface ApiErrorOptions {
  readonly code?: string | undefined
  readonly requestId?: string | undefined
  readonly isAway?: boolean
}

/** The service refused, or the answer is not the service's. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** A code of the API's error table; null where no answer of the service came. */
  readonly code: string | null
  readonly requestId: string | null
  /** No answer came: other requests would fail too. */
  readonly isAway: boolean

  constructor(message: string, { code, requestId, isAway = false }: ApiErrorOptions = {}) {
    super(message)
    this.code = code ?? null
    this.requestId = requestId ?? null
    this.isAway = isAway
  }
}

const TIMEOUT_MS = 60_000

/** A page of orders is the largest answer: 10 of them with a hundred names each, and logs as long as logs get, stay below it. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

export class Api {
  readonly #server: string
  readonly #token: string
  readonly #stop: AbortSignal

  /** `stop` ends what is being asked, and everything asked after it. */
  constructor(server: string, token: string, stop: AbortSignal = new AbortController().signal) {
    this.#server = server
    this.#token = token
    this.#stop = stop
  }

  get<Answer>(path: string): Promise<Answer> {
    return this.#call('GET', path)
  }

  post<Answer>(path: string, body: unknown = {}): Promise<Answer> {
    return this.#call('POST', path, body)
  }

  async #call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    let response: Response
    let text: string | null
    try {
      response = await fetch(`${this.#server}${path}`, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
        // A redirect would take the token elsewhere.
        redirect: 'error',
        signal: AbortSignal.any([this.#stop, AbortSignal.timeout(TIMEOUT_MS)]),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      text = await readText(response)
    } catch (error) {
      if (this.#stop.aborted) throw new ApiError('stopped before it was done')
      throw new ApiError(`${this.#server} does not answer: ${reasonOf(error)}`, { isAway: true })
    }
    if (text === null) {
      throw new ApiError(`${this.#server} answered more than ${MAX_ANSWER_BYTES} bytes to ${method} ${path}`)
    }
    const answer = parseJson(text)
    if (response.ok && answer !== null) return answer as Answer
    const { code, message, request_id: requestId } = errorOf(answer)
    throw new ApiError(message ?? `${this.#server} answered ${response.status}`, { code, requestId })
  }
}

/** What `fetch` throws says little; its cause says what happened. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message
}

/** The body; null where it is longer than answers are. Unpacked bytes count. */
async function readText(response: Response): Promise<string | null> {
  const decoder = new TextDecoder()
  let [bytes, text] = [0, '']
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    // Leaving the loop ends the connection too.
    if (bytes > MAX_ANSWER_BYTES) return null
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

interface ErrorBody {
  readonly code?: string
  readonly message?: string
  readonly request_id?: string
}

function errorOf(answer: unknown): ErrorBody {
  return (answer as { readonly error?: ErrorBody } | null)?.error ?? {}
}
