/** From a token's claims to scopes and paths: the first mapping that matches counts, so that what a caller may do stands in one place. Pure. */
import type { Json } from '../../core/canonical-json.ts'
import { type Claims, claimAt, fillTemplate } from '../../core/claims.ts'
import { isPathGlob } from '../../core/path-glob.ts'
import { parseScopes, type Scope } from '../../core/principal.ts'
import type { SignInMapping } from '../../store/sign-in-settings.ts'

export interface Granted {
  readonly scopes: readonly Scope[]
  /** Null: everything. Empty where no path could be filled in: nothing. */
  readonly paths: readonly string[] | null
}

/** What the first mapping that matches grants; null where none does. */
export function grantsOf(mappings: readonly SignInMapping[], claims: Claims): Granted | null {
  const mapping = mappings.find(({ match }) => matches(match, claims))
  if (mapping === undefined) return null
  return { scopes: parseScopes(mapping.scopes), paths: mapping.paths && fillPaths(mapping.paths, claims) }
}

function matches(match: SignInMapping['match'], claims: Claims): boolean {
  const wanted = Object.entries(match)
  // One without conditions would be for every subject of the issuer.
  if (wanted.length === 0) return false
  return wanted.every(([path, globs]) => {
    const values = textsOf(claimAt(claims, path))
    return values.some((value) => globs.some((glob) => matchesText(glob, value)))
  })
}

/** Numbers and truth values as JSON writes them; of a list, each member. An object is no value. */
function textsOf(value: Json | undefined): readonly string[] {
  if (typeof value === 'string') return [value]
  if (typeof value === 'number' || typeof value === 'boolean') return [String(value)]
  if (!Array.isArray(value)) return []
  return value.flatMap((each: Json) => (Array.isArray(each) ? [] : textsOf(each)))
}

/** A `*` stands for any text, slashes and colons too. Linear: what stands between the stars is looked for from left to right. */
export function matchesText(glob: string, text: string): boolean {
  const [first = '', ...rest] = glob.split('*')
  const last = rest.pop()
  if (last === undefined) return glob === text
  if (!text.startsWith(first)) return false
  let position = first.length
  for (const piece of rest) {
    const found = text.indexOf(piece, position)
    if (found < 0) return false
    position = found + piece.length
  }
  return text.length - last.length >= position && text.endsWith(last)
}

/** What a claim may put into a path: a part of one segment, and no glob. */
const isPathValue = (value: string): boolean => /^[A-Za-z0-9._-]{1,200}$/.test(value)

function fillPaths(paths: readonly string[], claims: Claims): readonly string[] {
  return paths.flatMap((path) => {
    const filled = fillTemplate(path, claims, isPathValue)
    // A segment that became `..` is no glob.
    return filled !== null && isPathGlob(filled) ? [filled] : []
  })
}
