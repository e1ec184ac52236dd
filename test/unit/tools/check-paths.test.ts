import { describe, expect, it } from 'vitest'
import { checkPaths } from '../../../tools/check-paths.ts'

const CSR = {
  path: 'src/pki/csr.ts',
  text: "import { readDer } from './der.ts'\nexport function parseCsr() {}\nclass Reader {\n  async read() {\n  }\n}",
}
const PATHS = ['README.md', 'docs/choices.md', CSR.path, 'src/pki/der/reader.ts', 'src/store/stored-json.ts']

const problemsOf = (path: string, ...lines: string[]): string[] =>
  checkPaths([CSR, { path, text: lines.join('\n') }], PATHS).map(({ line, message }) => `${line ?? '-'} ${message}`)

describe('paths in documents', () => {
  it('ok: files, folders, names in a file, links, and addresses of others', () => {
    const text = [
      'See `src/pki/csr.ts`, src/pki/der/ `src/pki/csr.ts#parseCsr` and src/pki/csr.ts#read.',
      'The [choices](docs/choices.md#part), the [start](#start), https://example.org/docs/none.md and [more](https://example.org).',
    ]
    expect(problemsOf('README.md', ...text)).toEqual([])
    expect(problemsOf('docs/choices.md', '[the front](../README.md)')).toEqual([])
  })

  it('fail: a file, a folder or a name that is gone, with its line', () => {
    expect(problemsOf('README.md', 'first', 'src/pki/gone.ts and `src/gone/`, and src/pki/csr.ts#readCsr')).toEqual([
      '2 names src/pki/gone.ts, which is not there',
      '2 names src/gone, which is not there',
      '2 names readCsr in src/pki/csr.ts, which has no such thing',
    ])
  })

  it('fail: a name that the file imports and does not declare', () => {
    expect(problemsOf('README.md', 'src/pki/csr.ts#readDer')).toHaveLength(1)
  })

  it('fail: a link to what is gone', () => {
    expect(problemsOf('docs/choices.md', '[gone](README.md)')).toEqual(['1 links to README.md, which is not there'])
  })
})

describe('files that comments name', () => {
  it('ok: beside the comment, under src, from the top', () => {
    const text = [
      '/** See stored-json.ts, pki/csr.ts',
      ' * and docs/choices.md; `*.ts` is a pattern. */',
      'x() // see stored-json.ts',
    ]
    expect(problemsOf('src/store/rows.ts', ...text)).toEqual([])
  })

  it('fail: a file that is gone, in every form of comment', () => {
    const forms = ['/** See gone.ts. */', ' * see pki/gone.ts', '// gone.ts', 'x() // gone.ts', '/* docs/gone.md */']
    expect(forms.map((form) => problemsOf('src/store/rows.ts', form).length)).toEqual([1, 1, 1, 1, 1])
  })

  it('ok: imports and texts in code are not judged', () => {
    expect(problemsOf('src/store/rows.ts', "import { a } from './gone.ts'", "const x = 'gone.ts'")).toEqual([])
  })
})
