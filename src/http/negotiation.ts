/** Which of the forms of a resource a request wants (RFC 9110 §12.5.1), and whether it has that form already (§13). Pure. */

/** A form, by its media type in lower case. The first of a list is given where a request does not say. */
export interface OfferedForm<Form extends string> {
  readonly form: Form
  readonly mediaType: string
}

/** A certificate as JSON, as PEM, and as DER. */
export const CERTIFICATE_FORMS = [
  { form: 'json', mediaType: 'application/json' },
  { form: 'pem', mediaType: 'application/x-pem-file' },
  { form: 'pem', mediaType: 'application/pem-certificate-chain' },
  { form: 'der', mediaType: 'application/pkix-cert' },
] as const

interface MediaRange {
  readonly mediaType: string
  /** 0 to 1: RFC 9110 §12.4.2. */
  readonly quality: number
}

/**
 * The form with the highest quality; of equal ones that which is named more exactly, then the first that is offered. Where none is
 * acceptable, the first: RFC 9110 §12.5.1 lets a server "disregard the header field".
 */
export function preferredForm<Form extends string>(
  accept: string | null,
  offered: readonly [OfferedForm<Form>, ...(readonly OfferedForm<Form>[])],
): Form {
  const ranges = parseAccept(accept ?? '')
  let best = { form: offered[0].form, quality: 0, exactness: -1 }
  for (const { form, mediaType } of offered) {
    const { quality, exactness } = judge(mediaType, ranges)
    const isBetter = quality > best.quality || (quality === best.quality && quality > 0 && exactness > best.exactness)
    if (isBetter) best = { form, quality, exactness }
  }
  return best.form
}

/** RFC 9110 §12.5.1: "the most specific reference has precedence". */
function judge(mediaType: string, ranges: readonly MediaRange[]): { quality: number; exactness: number } {
  const names = ['*/*', `${mediaType.split('/')[0]}/*`, mediaType]
  for (const exactness of [2, 1, 0]) {
    const found = ranges.filter((range) => range.mediaType === names[exactness])
    if (found.length > 0) return { quality: Math.max(...found.map(({ quality }) => quality)), exactness }
  }
  return { quality: 0, exactness: -1 }
}

const TOKEN = "[!#$%&'*+.^_`|~0-9a-z-]+"
const MEDIA_RANGE = new RegExp(`^${TOKEN}/${TOKEN}$`)
/** RFC 9110 §12.4.2: at most three digits. */
const QUALITY = /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/

/** Text that is not a media range is skipped. Parameters other than `q` are ignored: no form here has any. */
function parseAccept(accept: string): MediaRange[] {
  return weighted(accept).flatMap(({ name, quality }) => (MEDIA_RANGE.test(name) ? [{ mediaType: name, quality }] : []))
}

/** What a header names, in lower case, each with its weight. What has no proper weight is left out. */
function weighted(header: string): { readonly name: string; readonly quality: number }[] {
  // RFC 9110 §8.3.1: types are case-insensitive, and so are the names of parameters; §8.4.1: so are codings.
  return splitOutsideQuotes(header.toLowerCase(), ',').flatMap((text) => {
    const [name = '', ...parameters] = splitOutsideQuotes(text, ';').map((each) => each.trim())
    const weight = parameters.find((each) => each.startsWith('q='))?.slice(2) ?? '1'
    return QUALITY.test(weight) ? [{ name, quality: Number(weight) }] : []
  })
}

/** Is gzip named as acceptable? RFC 9110 §12.4.2: "a value of 0 means "not acceptable"". `*` names nothing: it is answered without a coding. */
export const takesGzip = (acceptEncoding: string | null): boolean =>
  weighted(acceptEncoding ?? '').some(({ name, quality }) => name === 'gzip' && quality > 0)

/** RFC 9110 §5.6.4: separators within a quoted string are none, and what follows a backslash in it is itself. */
function splitOutsideQuotes(text: string, separator: ',' | ';'): string[] {
  return text.match(separator === ',' ? BETWEEN_COMMAS : BETWEEN_SEMICOLONS) ?? []
}

const BETWEEN_COMMAS = /(?:"(?:[^"\\]|\\.)*"?|[^,"])+/g
const BETWEEN_SEMICOLONS = /(?:"(?:[^"\\]|\\.)*"?|[^;"])+/g

/** What tells the form that is current from earlier ones. */
export interface Validators {
  /** With its quotes. */
  readonly etag: string
  /** Whole seconds, but for a form that has followed another one within its second: that is later by milliseconds. */
  readonly lastModifiedMs: number
}

/** Has the caller the current form already? For GET and HEAD. */
export function isNotModified(headers: Headers, { etag, lastModifiedMs }: Validators): boolean {
  const known = headers.get('if-none-match')
  // RFC 9110 §13.1.3: "A recipient MUST ignore If-Modified-Since if the request contains an If-None-Match header field".
  if (known !== null) return namesTag(known, etag)
  const sinceMs = parseHttpDate(headers.get('if-modified-since') ?? '')
  // RFC 9110 §8.8.2.2: a date tells two forms of one second apart no more (§5.6.7), so the later one is sent whole.
  return sinceMs !== null && lastModifiedMs <= sinceMs
}

/** RFC 9110 §8.8.3: a tag may hold commas. */
const ENTITY_TAG = /(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g

/** RFC 9110 §13.1.2: `*`, or a list in which the tag stands by weak comparison (§8.8.3.2). */
function namesTag(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === '*') return true
  const opaque = etag.replace(/^W\//, '')
  return [...ifNoneMatch.matchAll(ENTITY_TAG)].some((match) => match[1] === opaque)
}

const HTTP_DATES: readonly RegExp[] = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
]

/** RFC 9110 §5.6.7, in its three forms. Null for anything else, which is ignored then (§13.1.3). Epoch milliseconds. */
export function parseHttpDate(text: string): number | null {
  if (!HTTP_DATES.some((form) => form.test(text))) return null
  const ms = Date.parse(text.endsWith(' GMT') ? text : `${text} GMT`)
  return Number.isNaN(ms) ? null : ms
}
