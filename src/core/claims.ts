/**
 * What a signed token says of its subject, how settings name a part of it (`kubernetes.io.serviceaccount.name`), and patterns that are
 * filled with it (`{claims.sub}`). Does not verify tokens: access/sign-in does. What a value may be made of is the caller's to say.
 */
import type { Json } from './canonical-json.ts'

/** The claims of a token whose signature was verified. */
export type Claims = { readonly [name: string]: Json }

/** The longest path of a claim, in characters, and its parts between dots: bounds the work of following it. */
const MAX_CLAIM_PATH_CHARS = 200
const MAX_CLAIM_PATH_PARTS = 16

/** Is this text the path of a claim? Names with a dot between them; the names may have dots and slashes of their own. */
export function isClaimPath(text: string): boolean {
  if (text.length > MAX_CLAIM_PATH_CHARS || !/^[\x21-\x7e]+$/.test(text) || /[{}]/.test(text)) return false
  const parts = text.split('.')
  return parts.length <= MAX_CLAIM_PATH_PARTS && parts.every((part) => part !== '')
}

/**
 * The claim at that path. A dot stands between names or within one (`kubernetes.io`): where the path can be read in two ways and both lead
 * to a claim, there is none, so that no other claim can stand in for the one that was meant. `kubernetes.` is also short for `kubernetes.io.`.
 */
export function claimAt(claims: Claims, path: string): Json | undefined {
  const found = readings(claims, path.split('.'))
  if (found.length > 0 || !path.startsWith(SHORT)) return only(found)
  return only(readings(claims, (LONG + path.slice(SHORT.length)).split('.')))
}

const SHORT = 'kubernetes.'
const LONG = 'kubernetes.io.'

const only = (found: readonly Json[]): Json | undefined => (found.length === 1 ? found[0] : undefined)

/** What the path leads to, by every way of reading it. */
function readings(value: Json | undefined, parts: readonly string[]): readonly Json[] {
  if (value === undefined) return []
  if (parts.length === 0) return [value]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  const members = value as Claims
  return parts.flatMap((_, index) => {
    const name = parts.slice(0, index + 1).join('.')
    return Object.hasOwn(members, name) ? readings(members[name], parts.slice(index + 1)) : []
  })
}

const TEMPLATE = /\{claims\.([^{}]*)\}/g

/** Stands for any text to be filled in, where the rest of a pattern is checked. */
const HOLE = '\0'

/** Has the pattern something to be filled in, or braces that are meant to be? */
export const isTemplate = (pattern: string): boolean => /[{}]/.test(pattern)

/** The pattern with `filler` wherever a claim is filled in. */
export const withFiller = (pattern: string, filler: string): string => pattern.replace(TEMPLATE, () => filler)

/**
 * What is wrong with a template, or null. Between two separators, at most one claim is filled in: with two, different claims could
 * make the same text.
 */
export function templateError(pattern: string, separator: '.' | '/'): string | null {
  const paths = [...pattern.matchAll(TEMPLATE)].map((match) => match[1] ?? '')
  const skeleton = withFiller(pattern, HOLE)
  if (isTemplate(skeleton)) return 'braces stand around a claim alone, as in {claims.sub}'
  const wrong = paths.find((path) => !isClaimPath(path))
  if (wrong !== undefined) return 'the claim in braces is a path such as claims.sub or claims.kubernetes.io.namespace'
  if (skeleton.split(separator).some((part) => part.split(HOLE).length > 2))
    return `between two of "${separator}", at most one claim is filled in`
  return null
}

/**
 * The pattern with the claims filled in; null where one of them is not there, is no text, or is a text that `isValue` does not take. Without
 * claims, a template gives nothing.
 */
export function fillTemplate(
  pattern: string,
  claims: Claims | null,
  isValue: (value: string) => boolean,
): string | null {
  if (!isTemplate(pattern)) return pattern
  if (claims === null) return null
  let isFilled = true
  const filled = pattern.replace(TEMPLATE, (_, path: string) => {
    const value = claimAt(claims, path)
    if (typeof value === 'string' && isValue(value)) return value
    isFilled = false
    return ''
  })
  return isFilled ? filled : null
}
