/** Problem documents (RFC 8555 §6.7, RFC 9457): read with tolerance, since an error must not hide behind another one. */
import { z } from 'zod'
import type { Identifier } from './identifier.ts'
import { MAX_DETAIL_CHARS, MAX_SUBPROBLEMS, MAX_URL_CHARS } from './limits.ts'

export interface AcmeSubproblem {
  /** A URI, mostly `urn:ietf:params:acme:error:…`. */
  readonly type: string
  readonly detail: string | null
  /** RFC 8555 §6.7.1: what it is about. */
  readonly identifier: Identifier | null
}

export interface AcmeProblem {
  /** A URI, mostly `urn:ietf:params:acme:error:…`; `about:blank` where the server gave none (RFC 9457 §3.1.1). */
  readonly type: string
  readonly title: string | null
  /** The CA's own words; length-capped, without control characters. */
  readonly detail: string | null
  /** Where a person goes on, for `userActionRequired` (RFC 8555 §7.3.3). */
  readonly instanceUrl: string | null
  readonly subproblems: readonly AcmeSubproblem[]
  /** RFC 8555 §6.2: with `badSignatureAlgorithm`, what the server takes. */
  readonly algorithms: readonly string[]
}

const ERROR_PREFIX = 'urn:ietf:params:acme:error:'

/** RFC 8555 §6.7: the token behind the `urn:` prefix, or null for a problem type of another kind. */
export function problemName(problem: Pick<AcmeProblem, 'type'>): string | null {
  return problem.type.startsWith(ERROR_PREFIX) ? problem.type.slice(ERROR_PREFIX.length) : null
}

/** Reads a problem document; null where it is no object. Members of the wrong kind are left out. */
export function parseProblem(value: unknown): AcmeProblem | null {
  const parsed = problemShape.safeParse(value)
  if (!parsed.success) return null
  const { type, title, detail, instance, subproblems, algorithms } = parsed.data
  return {
    type: type ?? 'about:blank',
    title: cleanText(title),
    detail: cleanText(detail),
    instanceUrl: instance ?? null,
    subproblems: subproblems.slice(0, MAX_SUBPROBLEMS).flatMap(parseSubproblem),
    algorithms: algorithms ?? [],
  }
}

/** What the CA said, subproblems included, as one line: `DNS problem: NXDOMAIN … (dns)`. */
export function describeProblem(problem: AcmeProblem): string {
  const name = problemName(problem) ?? (problem.type === 'about:blank' ? null : problem.type)
  const said = problem.detail ?? problem.title ?? 'it did not say why'
  const parts = problem.subproblems.map((each) => {
    const about = each.identifier === null ? '' : `${each.identifier.value}: `
    return `; ${about}${each.detail ?? problemName(each) ?? each.type}`
  })
  const line = `${said}${name === null ? '' : ` (${name})`}${parts.join('')}`
  return line.length > MAX_DETAIL_CHARS * 2 ? `${line.slice(0, MAX_DETAIL_CHARS * 2)}…` : line
}

/** A peer's words for people: without control and direction characters, length-capped; null where nothing is left. */
export function cleanText(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null
  const clean = text.replace(UNPRINTABLE, ' ').trim()
  if (clean === '') return null
  return clean.length > MAX_DETAIL_CHARS ? `${clean.slice(0, MAX_DETAIL_CHARS)}…` : clean
}

// C0, DEL, C1, line and paragraph separators, direction marks and overrides, byte-order mark, lone surrogates.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu

const text = z.string().nullish().catch(null)
const uri = z
  .string()
  .max(MAX_URL_CHARS)
  .regex(/^[\x21-\x7e]+$/)
  .nullish()
  .catch(null)

const problemShape = z.object({
  type: uri,
  title: text,
  detail: text,
  instance: uri,
  // OpenBao (issue 1236) sends null here, which broke a client that expected a list or nothing.
  subproblems: z
    .array(z.unknown())
    .nullish()
    .catch(null)
    .transform((list) => list ?? []),
  algorithms: z.array(z.string().max(32)).max(32).nullish().catch(null),
})

const subproblemShape = z.object({
  type: uri,
  detail: text,
  identifier: z
    .object({ type: z.string().max(64), value: z.string().max(1024) })
    .nullish()
    .catch(null),
})

function parseSubproblem(value: unknown): AcmeSubproblem[] {
  const parsed = subproblemShape.safeParse(value)
  if (!parsed.success) return []
  const { type, detail, identifier } = parsed.data
  const about =
    identifier === null || identifier === undefined
      ? null
      : { type: cleanText(identifier.type) ?? '', value: cleanText(identifier.value) ?? '' }
  return [{ type: type ?? 'about:blank', detail: cleanText(detail), identifier: about }]
}
