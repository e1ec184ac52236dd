/** JSON with one spelling: sorted members, no white space. For hashes over data, as RFC 8785 §3.2 arranges it. */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined }

/** Members in code-unit order, undefined members left out. MUST be given JSON-safe data. */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members: string[] = []
  for (const name of Object.keys(value).sort()) {
    const member = value[name]
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${canonicalJson(member)}`)
  }
  return `{${members.join(',')}}`
}

function isArray(value: object): value is readonly Json[] {
  return Array.isArray(value)
}
