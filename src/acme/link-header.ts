/** Link headers (RFC 8288 §3). Several headers arrive as one, joined by commas, and addresses may hold commas too. */

import { addressOf } from './shape.ts'

export interface Link {
  /** Absolute: resolved against the response's address. */
  readonly url: string
  /** RFC 8288 §3.3: one or several relation types, in lower case. */
  readonly relations: readonly string[]
}

/**
 * Every link that can be read. What cannot be read ends the reading, and an address that is too long or not printable is
 * left out: a header is a hint, not a contract.
 */
export function parseLinkHeader(header: string | null, baseUrl: string): readonly Link[] {
  const links: Link[] = []
  let rest = (header ?? '').trimStart()
  while (rest !== '') {
    const target = /^<([^<>]*)>/.exec(rest)
    if (target === null) return links
    rest = rest.slice(target[0].length)
    let relations: readonly string[] | null = null
    for (;;) {
      const parameter = PARAMETER.exec(rest)
      if (parameter === null) break
      rest = rest.slice(parameter[0].length)
      // RFC 8288 §3.3: "rel" MUST NOT appear more than once; later ones are ignored.
      if (parameter[1]?.toLowerCase() === 'rel') relations ??= relationsOf(parameter[2] ?? parameter[3] ?? '')
    }
    const url = target[1] ?? ''
    const resolved = addressOf(absolute(url, baseUrl))
    if (resolved !== null) links.push({ url: resolved, relations: relations ?? [] })
    const separator = /^\s*(?:,\s*)+/.exec(rest)
    if (separator === null) return links
    rest = rest.slice(separator[0].length)
  }
  return links
}

/** The addresses with that relation type, in the server's order. */
export function linksOf(headers: Headers, relation: string, baseUrl: string): readonly string[] {
  return parseLinkHeader(headers.get('link'), baseUrl)
    .filter((link) => link.relations.includes(relation))
    .map((link) => link.url)
}

/** `; name`, `; name=token` or `; name="quoted"`, with white space where RFC 8288 allows it. */
const PARAMETER = /^\s*;\s*([!#$%&'*+\-.^_`|~\w]+)\*?(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?/

function relationsOf(value: string): readonly string[] {
  return value
    .toLowerCase()
    .split(/\s+/)
    .filter((relation) => relation !== '')
}

/** An absolute address stays as it was written: RFC 8555 §6.4 compares it byte for byte. Null where it is none. */
function absolute(url: string, baseUrl: string): string | null {
  return URL.canParse(url) ? url : (URL.parse(url, baseUrl)?.href ?? null)
}
