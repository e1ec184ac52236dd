import { describe, expect, it } from 'vitest'
import { checkExports } from '../../../tools/check-exports.ts'

const found = (files: Readonly<Record<string, string>>): string[] =>
  checkExports(Object.entries(files).map(([path, text]) => ({ path, text }))).map(
    ({ path, line, message }) => `${path}:${line} ${message}`,
  )

describe('exports that somebody imports', () => {
  it('fail: a value that no other file imports, with its line', () => {
    expect(found({ 'src/core/a.ts': '// a\nexport const a = 1\nexport async function b() {}\n' })).toEqual([
      'src/core/a.ts:2 exports a, which nobody imports',
      'src/core/a.ts:3 exports b, which nobody imports',
    ])
  })

  it('ok: every form of import counts', () => {
    expect(
      found({
        'src/core/a.ts':
          'export const a = 1\nexport const b = 2\nexport type C = 1\nexport class D {}\nexport const e = 3\n',
        'src/core/all.ts': 'export const f = 1\n',
        'src/x.ts': [
          "import { a, type C } from './core/a.ts'",
          "import {\n  b as other,\n} from './core/a.ts'",
          "import * as all from './core/all.ts'",
          "type D = import('./core/a.ts').D",
          "const late = await import('./core/a.ts')",
        ].join('\n'),
      }),
    ).toEqual([])
  })

  it('ok: a type that the signature of another export names; fail: one that stands alone', () => {
    const text =
      'export interface Used { n: number }\nexport const f = (used: Used) => used\nexport interface Alone {}\n'
    expect(found({ 'src/a.ts': text, 'src/b.ts': "import { f } from './a.ts'" })).toEqual([
      'src/a.ts:3 exports Alone, which nobody imports',
    ])
  })

  it('fail: the same name of another file does not count', () => {
    expect(
      found({
        'src/a.ts': 'export const a = 1\n',
        'src/b.ts': 'export const a = 1\n',
        'src/c.ts': "import { a } from './a.ts'",
      }),
    ).toEqual(['src/b.ts:1 exports a, which nobody imports'])
  })

  it('ok: a test that looks at every file of a folder imports them all', () => {
    const glob = "const modules = import.meta.glob<Shape>('../src/store/*.ts', { eager: true })"
    expect(found({ 'src/store/a.ts': 'export const a = 1\n', 'test/plans.ts': glob })).toEqual([])
    expect(found({ 'src/acme/a.ts': 'export const a = 1\n', 'test/plans.ts': glob })).toHaveLength(1)
  })

  it('fail: what the product exports for tests alone; ok: what it uses itself, or a tool does', () => {
    const files = {
      'src/a.ts': 'export const used = 1\nexport const dead = used\nexport const told = 2\n',
      'test/a.test.ts': "import { dead, told, used } from '../src/a.ts'",
      'tools/a.ts': "import { told } from '../src/a.ts'",
    }
    expect(found(files)).toEqual(['src/a.ts:2 exports dead, which tests alone use'])
  })

  it('fail: a file that passes on what another declares', () => {
    const files = { 'src/core/a.ts': 'export const a = 1\n', 'src/core/c.ts': 'export const c = 1\n' }
    const importing = "import { a } from './core/a.ts'\nimport { c } from './core/c.ts'"
    for (const form of [
      "export { a } from './a.ts'",
      "export * from './a.ts'",
      "export type { A } from './a.ts'",
      'export { a }',
    ]) {
      expect(found({ ...files, 'src/core/b.ts': `// b\n${form}\n`, 'src/x.ts': importing })).toEqual([
        'src/core/b.ts:2 exports apart from a declaration: import it from where it is declared',
      ])
    }
    expect(found({ ...files, 'src/x.ts': importing })).toEqual([])
  })

  it("ok: what the platform calls is nobody's import", () => {
    expect(found({ 'src/index.ts': 'export class AcmeOrder {}\n' })).toEqual([])
  })
})
