import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { carriesCitations, checkCitations, type RfcSections } from '../../../tools/check-citations.ts'
import { PROJECT_FOLDER } from '../../../tools/project-files.ts'

const SECTIONS = { '8555': '1 7 7.1 7.4 7.4.2', '8017': 'A A.1 A.1.2' }

const messages = (path: string, ...lines: string[]): string[] =>
  checkCitations([{ path, text: lines.join('\n') }], SECTIONS).map(({ line, message }) => `${line} ${message}`)

describe('citations', () => {
  it('ok: the one form, with and without a section, and a second mention in the same block', () => {
    const block = [
      '// RFC 8555 §7.4: "quoted". See §7.4.2 too, and RFC 8017 §A.1.2.',
      '// §A.1 is of RFC 8017 then. RFC 3339 alone; draft-ietf-acme-profiles-01 §4 and its §5; BR 2.2.6 §6.3.2.',
    ]
    expect(messages('src/a.ts', ...block)).toEqual([])
  })

  it('fail: a section that the RFC does not have', () => {
    expect(messages('src/a.ts', '// RFC 8555 §7.9')).toEqual(['1 RFC 8555 has no §7.9'])
    expect(messages('docs/a.md', 'As RFC 8555 §7.4 says, and', '§7.44 does not.')).toEqual(['2 RFC 8555 has no §7.44'])
    expect(messages('test/a.test.ts', "it('ok: a name (RFC 8555 §9.9)')")).toEqual(['1 RFC 8555 has no §9.9'])
  })

  it('fail: a section of an RFC whose sections nobody has listed', () => {
    expect(messages('src/a.ts', '// RFC 9999 §1')).toEqual([
      '1 docs/rfc-sections.json does not know RFC 9999: add its sections, or cite it without one',
    ])
  })

  it('fail: a section without its document, or in another block than it', () => {
    expect(messages('src/a.ts', '// §7.4')).toEqual(['1 §7.4 of which RFC? Name it in the same block'])
    expect(messages('src/a.ts', '// RFC 8555', '', '// §7.4')).toHaveLength(1)
    expect(messages('docs/a.md', 'RFC 8555', 'more', '§7.4')).toEqual([])
  })

  it.each([
    ['RFC8555 §7.4', 'write "RFC 8555", with a space'],
    ['RFC-8555', 'write "RFC 8555", with a space'],
    ['rfc 8555', 'write "RFC" in capitals'],
    ['RFC 8555 section 7.4', 'write "RFC 8555 §7.4" for a section'],
    ['RFC 8555, Section 7.4', 'write "RFC 8555 §7.4" for a section'],
    ['RFC 8555 sec. 7.4', 'write "RFC 8555 §7.4" for a section'],
    ['Section 7.4 of RFC 8555', 'write "RFC 8555 §7.4" for a section'],
    ['RFC 8555 page 12', 'cite a section, never a page'],
    ['RFC 8555, §7.4', 'write one space between the RFC and §'],
    ['RFC 8555 § 7.4', 'write no space after §'],
    ['draft-ietf-acme-profiles §4', 'give the number of the draft: draft-name-01 §4'],
  ])('fail: %s', (citation, message) => {
    expect(messages('src/a.ts', `// ${citation}`)).toContain(`1 ${message}`)
  })

  it('ok: names in code are not citations', () => {
    expect(messages('src/a.ts', 'export const RFC2136 = 1', "openssl('RFC2253')", "import './rfc2136/x.ts'")).toEqual(
      [],
    )
    expect(messages('docs/a.md', 'the provider `RFC2136`')).toEqual([])
  })

  it('ok: the tests of the checks and fixtures are left alone', () => {
    const paths = ['src/a.ts', 'README.md', 'test/unit/tools/a.test.ts', 'test/fixtures/a.md', 'test/fixtures/a.bin']
    expect(paths.filter(carriesCitations)).toEqual(['src/a.ts', 'README.md'])
  })

  it('ok: the list of sections has no section without the one above it', () => {
    const text = readFileSync(join(PROJECT_FOLDER, 'docs/rfc-sections.json'), 'utf8')
    const orphans = Object.entries(JSON.parse(text) as RfcSections).flatMap(([rfc, list]) => {
      const sections = new Set(list.split(' '))
      const above = (section: string): string => section.slice(0, Math.max(0, section.lastIndexOf('.')))
      return [...sections]
        .filter((section) => above(section) !== '' && !sections.has(above(section)))
        .map((s) => `${rfc} §${s}`)
    })
    expect(orphans).toEqual([])
  })
})
