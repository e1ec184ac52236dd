/**
 * Reads the XML that Route 53 answers with: elements and text. Strict, and far from all of XML: no document types, no
 * entities but the five of XML 1.0 and numbers, attributes are skipped. Runs in time linear in its input.
 */
import { err, ok, type Result } from '../../core/result.ts'

export interface XmlElement {
  /** Without a namespace prefix. */
  readonly name: string
  /** All text directly within, entities replaced. */
  readonly text: string
  readonly children: readonly XmlElement[]
}

/** Deeper than any answer of the API. */
const MAX_DEPTH = 32

/** Sticky, and every alternative starts differently: one pass, and the first thing that is none of them ends it. */
const TOKEN =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<(?<end>\/?)(?<name>[A-Za-z_][\w.:-]*)(?:\s+[A-Za-z_][\w.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(?<empty>\/?)>|(?<text>[^<]+)/y

interface Open {
  readonly name: string
  text: string
  readonly children: XmlElement[]
}

/** The root element; the error is a sentence. */
export function parseXml(source: string): Result<XmlElement, string> {
  const outside: Open = { name: '', text: '', children: [] }
  const open: Open[] = [outside]
  TOKEN.lastIndex = source.startsWith('\uFEFF') ? 1 : 0
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex
    const token = TOKEN.exec(source)?.groups
    if (token === undefined) return err(`no XML at character ${at}`)
    const here = open.at(-1) ?? outside
    if (token.text !== undefined) {
      const text = replaceEntities(token.text)
      if (text === null) return err(`an unknown entity after character ${at}`)
      here.text += text
      continue
    }
    if (token.name === undefined) continue
    const name = token.name.slice(token.name.indexOf(':') + 1)
    if (token.end === '/') {
      if (here === outside || here.name !== name || token.empty !== '') return err(`</${name}> closes nothing`)
      open.pop()
      open.at(-1)?.children.push(here)
    } else if (token.empty === '/') {
      here.children.push({ name, text: '', children: [] })
    } else {
      if (open.length > MAX_DEPTH) return err(`deeper than ${MAX_DEPTH} elements`)
      open.push({ name, text: '', children: [] })
    }
  }
  if (open.length > 1) return err(`<${open.at(-1)?.name}> is not closed`)
  const [root, second] = outside.children
  if (root === undefined || second !== undefined || outside.text.trim() !== '') return err('not one root element')
  return ok(root)
}

/** The elements at that path below an element. */
export function elementsAt(element: XmlElement, ...path: readonly string[]): readonly XmlElement[] {
  return path.reduce<readonly XmlElement[]>(
    (level, name) => level.flatMap(({ children }) => children.filter((child) => child.name === name)),
    [element],
  )
}

/** The text of the first element at that path, or null where there is none. */
export function textAt(element: XmlElement, ...path: readonly string[]): string | null {
  return elementsAt(element, ...path)[0]?.text ?? null
}

/** Text as content of an element. */
export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function replaceEntities(text: string): string | null {
  let known = true
  const replaced = text.replace(/&(?:#(\d{1,7});|#x([0-9a-fA-F]{1,6});|(\w{1,8});)?/g, (_, decimal, hex, name) => {
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
    const character = name === undefined ? characterOf(code) : NAMED[name]
    if (character === undefined) known = false
    return character ?? ''
  })
  return known ? replaced : null
}

function characterOf(code: number): string | undefined {
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined
}
