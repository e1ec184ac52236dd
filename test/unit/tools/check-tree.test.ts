import { describe, expect, it } from 'vitest'
import { checkTree, isHandWritten } from '../../../tools/check-tree.ts'

const messages = (path: string, ...lines: string[]): string[] =>
  checkTree([{ path, text: `${lines.join('\n')}\n` }]).map(({ line, message }) => `${line ?? '-'} ${message}`)

describe('house rules', () => {
  it('ok: a file of 600 lines', () => {
    expect(messages('src/a.ts', ...new Array<string>(600).fill('x'))).toEqual([])
  })

  it('fail: a file of 601 lines', () => {
    expect(messages('src/a.ts', ...new Array<string>(601).fill('x'))).toEqual([
      '- has 601 lines; more than 600 is two files',
    ])
  })

  it('ok: names in kebab-case, with a folder to copy and a kind', () => {
    expect(messages('src/dns/_template/retry-after.ts')).toEqual([])
    expect(messages('test/unit/rfc2136/retry-after.test.ts')).toEqual([])
  })

  it('fail: names in another case, and names that say nothing', () => {
    expect(messages('src/retryAfter.ts')).toEqual(['- is not named in kebab-case'])
    expect(messages('src/core/utils.ts')).toEqual(['- says nothing by its name: name a file after what it exports'])
    expect(messages('src/helpers/retry-after.ts')).toHaveLength(1)
  })

  it('ok: a note to come back to with its issue', () => {
    expect(messages('src/a.ts', '// TODO(#12): when the platform can')).toEqual([])
  })

  it('fail: a document that has hosts ask the public registry for the companion', () => {
    expect(messages('docs/companion.md', 'x', 'npx certwright watch')).toEqual([
      '2 has hosts ask the public registry: fetch /agent/certwright.mjs',
    ])
    expect(messages('README.md', 'npx --yes certwright')).toHaveLength(1)
    expect(messages('README.md', 'npx wrangler d1 create certwright')).toEqual([])
  })

  it('fail: a note to come back to without one', () => {
    // Put together, so that this file has no such note itself.
    const [todo, fixme] = [['TO', 'DO'].join(''), ['FIX', 'ME'].join('')]
    expect(messages('src/a.ts', 'x', `// ${todo}: later`)).toEqual([
      `2 write a note to come back to as ${todo}(#123): with the issue, or do it`,
    ])
    expect(messages('README.md', fixme)).toHaveLength(1)
    expect(messages('wrangler.toml', `# ${todo}(me) x`)).toHaveLength(1)
  })

  it.each([
    'it.only',
    'it.skip',
    'it.todo',
    'describe.skip',
    'test.concurrent.only',
    'it.skipIf',
    'describe.runIf',
    'it.fails',
  ])('fail: %s in a test', (call) => {
    expect(messages('test/unit/a.test.ts', `${call}('ok: x', () => {})`)).toContain(
      '1 runs one test alone, or leaves one out',
    )
  })

  it('ok: names of tests in every form', () => {
    const forms = [
      "it('ok: a', () => {})",
      'it(`fail: $' + '{b}`, () => {})',
      "it.each([1])('ok: %s', () => {})",
      "it.each([['ok: a']])('%s', () => {})",
      "it.for([{ name: 'x' }])('fail: $name', () => {})",
      'for (const name of names) it(name, () => {})',
      "expect(/x/.test('other')).toBe(true)",
      "await it2('other')",
    ]
    expect(forms.flatMap((form) => messages('test/unit/a.test.ts', form))).toEqual([])
  })

  it('fail: names of tests that do not say which way', () => {
    expect(messages('test/unit/a.test.ts', '', "it('works', () => {})")).toEqual([
      '2 "works": a test\'s name starts with "ok: " or "fail: "',
    ])
    const forms = ['test(`ok:a`)', "it.concurrent('x', f)", "it(\n  'x',\n  f)", "it.each([\n  [1],\n])('x %s', f)"]
    expect(forms.map((form) => messages('test/e2e/a.test.ts', form).length)).toEqual([1, 1, 1, 1])
  })

  it('ok: bodies are read in core, by the companion and in the browser; an answer is written anywhere', () => {
    expect(messages('src/core/http-client.ts', 'await response.text()')).toEqual([])
    expect(messages('src/dashboard/app.tsx', 'await response.json()')).toEqual([])
    expect(messages('src/http/answer.ts', 'return c.json({ ok: true })', '// never response.json() here')).toEqual([])
    expect(messages('test/unit/a.test.ts', 'await response.json()')).toEqual([])
  })

  it('fail: a body read without a limit', () => {
    const calls = ['await response.json()', 'const t = await request.text( )', 'r.arrayBuffer()']
    expect(calls.map((call) => messages('src/acme/client.ts', call).length)).toEqual([1, 1, 1])
    expect(messages('durable-objects/dns-zone.ts', '/* a', ' */ x', 'r.text()')[0]).toMatch(/^3 reads a body/)
  })

  it('ok: #private members, and private as a word', () => {
    expect(messages('durable-objects/a.ts', '  #load() {}', '  // private to us', '  private: true,')).toEqual([])
    expect(messages('src/a.ts', '  private load() {}')).toEqual([])
  })

  it('fail: the private keyword in an object, which RPC does not heed', () => {
    expect(messages('durable-objects/a.ts', 'class A {', '  private load() {}', '  protected readonly x = 1')).toEqual([
      '2 is reachable over RPC all the same: use a #private name',
      '3 is reachable over RPC all the same: use a #private name',
    ])
  })

  it('ok: fixtures, migrations and the tests of the checks are left alone', () => {
    const paths = [
      'src/a.ts',
      'test/fixtures/a.ts',
      'migrations/0001_a.sql',
      'test/unit/tools/a.test.ts',
      'test/unit/a.test.ts',
    ]
    expect(paths.filter(isHandWritten)).toEqual(['src/a.ts', 'test/unit/a.test.ts'])
  })
})
