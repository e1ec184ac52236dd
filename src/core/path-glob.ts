/**
 * Globs over resources: `pki/certificates/cert_*`, `pki/roles/svc-mtls`. A `*` stands for any characters within one
 * segment; a glob covers what it matches and everything below that. Does not know regular expressions: matching takes
 * time in proportion to glob times resource at worst, whatever is in them.
 */

/** The longest glob that is accepted, in characters. */
export const MAX_GLOB_CHARS = 512

/** Is this text a glob? Segments of printable characters without spaces, none of them empty, `.` or `..`. */
export function isPathGlob(text: string): boolean {
  if (text.length > MAX_GLOB_CHARS || !/^[\x21-\x7e]+$/.test(text)) return false
  return text.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}

/**
 * Does the glob cover the resource? The resource may itself be a glob: its `*` is then an ordinary character, which
 * only a `*` matches, so that a yes holds for everything which the resource's glob covers.
 */
export function globCovers(glob: string, resource: string): boolean {
  const wanted = glob.split('/')
  const given = resource.split('/')
  return wanted.length <= given.length && wanted.every((segment, index) => matchesSegment(segment, given[index] ?? ''))
}

/** Greedy with one step back to the last star: no recursion, no backtracking beyond it. */
function matchesSegment(glob: string, text: string): boolean {
  let at = 0
  let here = 0
  let star = -1
  let resume = 0
  while (here < text.length) {
    if (glob[at] === '*') {
      star = at
      resume = here
      at += 1
    } else if (at < glob.length && glob[at] === text[here]) {
      at += 1
      here += 1
    } else if (star >= 0) {
      at = star + 1
      resume += 1
      here = resume
    } else {
      return false
    }
  }
  while (glob[at] === '*') at += 1
  return at === glob.length
}
