/** Patterns for URI names, as `spiffe://example.org/ns/*`: a star stands for any text of the path, and for nothing before it. */

/** RFC 3986 §3: scheme, authority and path. No user, port, query or fragment: none of them belongs to a workload's name. */
const URI = /^([a-z][a-z0-9+.-]*):\/\/([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(\/[A-Za-z0-9._~!$&'()*+,;=:@/-]*)?$/
const UUID_URN = /^urn:[a-z0-9][a-z0-9-]{1,31}:[A-Za-z0-9()+,.:=@;$_!*'/-]+$/

/** What is wrong with a pattern, or null. */
export function uriPatternError(pattern: string): string | null {
  const parts = partsOf(pattern)
  if (parts === null) return 'give a URI such as spiffe://example.org/*, with stars in its path alone'
  return isPlainPath(parts.path) ? null : 'its path has an empty, a . or a .. segment, which no name has'
}

/** Does one of the patterns allow it? */
export function isUriAllowed(patterns: readonly string[], uri: string): boolean {
  const parts = partsOf(uri)
  if (parts === null || !isPlainPath(parts.path)) return false
  // SPIFFE ID §2.1: the trust domain is in lower case; one in capitals is another name to those who compare text.
  if (parts.head.startsWith('spiffe:') && !uri.startsWith(parts.head)) return false
  return patterns.some((pattern) => {
    const wanted = partsOf(pattern)
    return wanted !== null && wanted.head === parts.head && matches(wanted.path, parts.path)
  })
}

interface UriParts {
  /** Scheme and authority, in lower case. */
  readonly head: string
  readonly path: string
}

function partsOf(uri: string): UriParts | null {
  const match = URI.exec(uri)
  if (match !== null) return { head: `${match[1]}://${match[2]}`.toLowerCase(), path: match[3] ?? '' }
  if (!UUID_URN.test(uri)) return null
  const end = uri.indexOf(':', 4) + 1
  return { head: uri.slice(0, end), path: uri.slice(end) }
}

/** SPIFFE ID §2.2: no empty and no dot segments; percent-encoding is not in the alphabet above. */
function isPlainPath(path: string): boolean {
  const segments = path.split('/').slice(path.startsWith('/') ? 1 : 0)
  return path === '' || segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}

/** Each star stands for any text. Linear: what stands between the stars is looked for from left to right. */
function matches(pattern: string, path: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return pattern === path
  const last = rest.pop() ?? ''
  if (!path.startsWith(first)) return false
  let position = first.length
  for (const piece of rest) {
    const found = path.indexOf(piece, position)
    if (found < 0) return false
    position = found + piece.length
  }
  return path.length - last.length >= position && path.endsWith(last)
}
