/**
 * One form for citations: `RFC 8555 §7.4`, a second mention in the same block `§7.5`, a draft
 * `draft-ietf-acme-profiles-01 §4`. Other forms fail, and so does a section that the RFC does not have
 * (docs/rfc-sections.json). Does not judge whether the section says what the comment claims.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_FOLDER, type Problem, type ProjectFile, readProjectFiles, reportProblems } from './project-files.ts'

/** RFC number → its sections, by a space. An RFC that is not listed cannot be cited with a section. */
export type RfcSections = Readonly<Record<string, string>>

const SECTION = /§((?:\d+|[A-Z])(?:\.\d+)*)/.source

/** Forms that mean the same and are not the one. */
const WRONG_FORMS: readonly { readonly form: RegExp; readonly message: string }[] = [
  { form: /\b(?:rfc|Rfc)[ -]\d{3,5}\b/, message: 'write "RFC" in capitals' },
  { form: /\bRFC \d{3,5},? *(?:\(?[Ss]ec(?:tion|t)?s?\b|\(§)/, message: 'write "RFC 8555 §7.4" for a section' },
  { form: /\b[Ss]ec(?:tion|t)?\.? \d[\d.]* of (?:the )?RFC\b/, message: 'write "RFC 8555 §7.4" for a section' },
  { form: /\bRFC \d{3,5},? *(?:p\.|pp\.|page)/, message: 'cite a section, never a page' },
  { form: /\bRFC \d{3,5}(?: {2,}|, *)§/, message: 'write one space between the RFC and §' },
  { form: /§ /, message: 'write no space after §' },
  {
    form: /\bdraft-[a-z0-9-]*[a-z](?![a-z0-9-])(?=[^\n]{0,3}§)/,
    message: 'give the number of the draft: draft-name-01 §4',
  },
]

/** In code such a word is a name, which citations are not. */
const WITHOUT_SPACE = /\bRFC-?\d{3,5}\b/

/** A document, then the section if there is one; or a section alone. */
const MENTION = new RegExp(
  `(?:\\bRFC (?<rfc>\\d{3,5})(?: ${SECTION})?)|(?<draft>\\bdraft-[a-z0-9-]+-\\d{2}\\b)|(?<other>\\b(?!RFC\\b)[A-Z][A-Z0-9.-]+(?: \\d[\\w.-]*)?) §|${SECTION}`,
  'g',
)

/** Every citation of another form, and every one of a section that is not there. */
export function checkCitations(files: readonly ProjectFile[], sections: RfcSections): Problem[] {
  return files.flatMap((file) => {
    let cited: Cited = null
    return file.text.split('\n').flatMap((line, index) => {
      // A block of comments, code or prose ends at an empty line.
      if (line.trim() === '') cited = null
      const found: string[] = WRONG_FORMS.filter(({ form }) => form.test(line)).map(({ message }) => message)
      if (WITHOUT_SPACE.test(proseOf(line, file.path))) found.push('write "RFC 8555", with a space')
      for (const mention of line.matchAll(MENTION)) {
        const groups = mention.groups ?? {}
        const section = mention[2] ?? mention[5]
        if (groups.rfc !== undefined) cited = { rfc: groups.rfc }
        else if (groups.draft !== undefined || groups.other !== undefined) cited = 'another document'
        if (section === undefined || cited === 'another document') continue
        found.push(...complainAbout(section, cited, sections))
      }
      return found.map((message) => ({ path: file.path, line: index + 1, message }))
    })
  })
}

/** What a lone § belongs to. */
type Cited = { readonly rfc: string } | 'another document' | null

function complainAbout(section: string, cited: Exclude<Cited, string>, sections: RfcSections): string[] {
  if (cited === null) return [`§${section} of which RFC? Name it in the same block`]
  const known = sections[cited.rfc]
  if (known === undefined)
    return [`docs/rfc-sections.json does not know RFC ${cited.rfc}: add its sections, or cite it without one`]
  return known.split(' ').includes(section) ? [] : [`RFC ${cited.rfc} has no §${section}`]
}

/** What a line says to people: its comment in code, all but `code` elsewhere. */
function proseOf(line: string, path: string): string {
  if (path.endsWith('.md')) return line.replaceAll(/`[^`]*`/g, '')
  return /(?:^|\s)(?:\/\/|\/?\*|--|#)\s(.*)$/.exec(line)?.[1] ?? ''
}

/** The tests of the checks hold wrong citations on purpose; fixtures keep the bytes of where they come from. */
export function carriesCitations(path: string): boolean {
  return (
    /\.(tsx?|md|sql|toml)$/.test(path) && !path.startsWith('test/unit/tools/') && !path.startsWith('test/fixtures/')
  )
}

if (import.meta.main) {
  const files = readProjectFiles(['.'], (path) => carriesCitations(path) && path !== 'tools/check-citations.ts')
  const sections = JSON.parse(readFileSync(join(PROJECT_FOLDER, 'docs/rfc-sections.json'), 'utf8')) as RfcSections
  reportProblems('citations', files.length, checkCitations(files, sections))
}
