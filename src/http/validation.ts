/**
 * What a schema says about a value, as plain sentences with paths. Values are never quoted: they may be secrets.
 */
import type { z } from '@hono/zod-openapi'
import { AppError, type ErrorDetail } from '../core/errors.ts'

type Issue = z.core.$ZodIssue
type RawIssue = z.core.$ZodRawIssue

/** A caller gets the first problems, not a report as long as the body. */
const MAX_DETAILS = 20

/** The value as the schema reads it; `whole` is what the sentence calls it. Throws `invalid_request` with one detail per problem. */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  whole = 'the body',
): z.output<Schema> {
  const parsed = schema.safeParse(value, { error: sentence })
  if (parsed.success) return parsed.data
  const details = parsed.error.issues.flatMap((issue) => detailsOf(issue, [])).slice(0, MAX_DETAILS)
  throw new AppError('invalid_request', summary(details, whole), { details })
}

function summary(details: readonly ErrorDetail[], whole: string): string {
  const [first, ...others] = details.map(({ path, message }) => `${path === '' ? whole : path}: ${message}`)
  if (first === undefined) return 'The request is not valid'
  return others.length === 0 ? first : `${first} (and ${others.length} more)`
}

/** `domains[0]`, `credentials.api_token` */
function pathOf(parts: readonly PropertyKey[]): string {
  let out = ''
  for (const part of parts) {
    if (typeof part === 'number') out += `[${part}]`
    else out += out === '' ? String(part) : `.${String(part)}`
  }
  return out
}

function detailsOf(issue: Issue, prefix: readonly PropertyKey[]): readonly ErrorDetail[] {
  const path = [...prefix, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: pathOf([...path, key.slice(0, 100)]), message: 'there is no such field' }))
  }
  if (issue.code === 'invalid_key') {
    // The name itself is left out of the path: it may be empty, or as long as a body.
    const [inner] = issue.issues
    return [{ path: pathOf(path.slice(0, -1)), message: `has a field whose name ${inner?.message ?? 'is not valid'}` }]
  }
  if (issue.code === 'invalid_union') {
    const nearest = nearestOption(issue.errors)
    if (nearest !== null) return nearest.flatMap((each) => detailsOf(each, path))
  }
  return [{ path: pathOf(path), message: issue.message }]
}

/** Of the alternatives, the one that the value got furthest into: where the problem is not the value's very type. */
function nearestOption(options: readonly (readonly Issue[])[]): readonly Issue[] | null {
  const deeper = options.filter((issues) => issues.some(({ path, code }) => path.length > 0 || code !== 'invalid_type'))
  return [...deeper].sort((a, b) => a.length - b.length)[0] ?? null
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
}

const FORMATS: Readonly<Record<string, string>> = {
  email: 'an email address',
  url: 'an address that starts with https://',
  datetime: 'a time such as 2026-04-23T14:00:00Z',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
}

/** What is wrong, where the schema itself does not say it. */
function sentence(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = TYPE_NAMES[issue.expected] ?? `a ${issue.expected}`
      return issue.input === undefined ? `is required and must be ${wanted}` : `must be ${wanted}`
    }
    case 'too_small': {
      if (isNoLimit(issue.minimum)) return 'is too small'
      const least = quantity(issue.origin, issue.minimum)
      return issue.inclusive === false ? `must be more than ${least}` : `must be at least ${least}`
    }
    case 'too_big': {
      if (isNoLimit(issue.maximum)) return 'is too large'
      const most = quantity(issue.origin, issue.maximum)
      return issue.inclusive === false ? `must be less than ${most}` : `must be at most ${most}`
    }
    case 'invalid_format':
      return FORMATS[issue.format] === undefined ? 'has another form' : `must be ${FORMATS[issue.format]}`
    case 'invalid_value':
      return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'unrecognized_keys':
      return 'there is no such field'
    case 'invalid_union':
      return 'has none of the forms that are possible here'
    default:
      return 'is not valid'
  }
}

/** Where whole numbers end to be exact: no limit of ours, so no limit to tell. */
const isNoLimit = (limit: number | bigint): boolean => Math.abs(Number(limit)) >= Number.MAX_SAFE_INTEGER

function quantity(origin: string, count: number | bigint): string {
  const one = Number(count) === 1
  if (origin === 'string') return one ? '1 character long' : `${count} characters long`
  if (origin === 'array' || origin === 'set') return one ? '1 element long' : `${count} elements long`
  return String(count)
}
