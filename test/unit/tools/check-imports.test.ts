import { describe, expect, it } from 'vitest'
import { checkCircles, checkImports } from '../../../tools/check-imports.ts'

const messages = (path: string, ...lines: string[]): string[] =>
  checkImports([{ path, text: lines.join('\n') }]).map(({ line, message }) => `${line ?? '-'} ${message}`)

describe('the direction of imports', () => {
  it('ok: every room imports itself and the rooms below it', () => {
    const allowed: [string, string][] = [
      ['src/index.ts', './http/app.ts'],
      ['src/index.ts', '../durable-objects/acme-order.ts'],
      ['src/http/routes/orders.ts', '../../orders/issue.ts'],
      ['src/http/app.ts', '../store/store.ts'],
      ['src/cron/prune.ts', '../orders/orders.ts'],
      ['durable-objects/acme-order.ts', '../src/orders/run-order.ts'],
      ['durable-objects/acme-order.ts', '../src/runtime.ts'],
      ['src/orders/steps/finalize.ts', '../../pki/csr.ts'],
      ['src/dns/rfc2136/client.ts', '../wire/tsig.ts'],
      ['src/agent/main.ts', '../core/result.ts'],
      ['src/store/order-request.ts', '../acme/challenge.ts'],
      ['src/store/migrations.ts', '../../migrations/meta/_journal.json'],
    ]
    expect(allowed.flatMap(([path, target]) => messages(path, `import { a } from '${target}'`))).toEqual([])
  })

  it('fail: an import upwards names the edge and its line', () => {
    expect(messages('src/pki/csr.ts', '// first', "import { store } from '../store/store.ts'")).toEqual([
      '2 pki must not import store (src/store/store.ts)',
    ])
    expect(messages('src/core/ids.ts', "import type { A } from '../http/app.ts'")).toEqual([
      '1 core must not import http (src/http/app.ts)',
    ])
  })

  it('fail: siblings do not import each other', () => {
    expect(messages('src/accounts/accounts.ts', "import { a } from '../challenges/placement.ts'")).toHaveLength(1)
    expect(messages('src/acme/order.ts', "import { a } from '../dns/dns-provider.ts'")).toHaveLength(1)
    expect(messages('src/store/store.ts', "import { a } from '../dns/dns-provider.ts'")).toHaveLength(1)
    expect(messages('src/http/app.ts', "import { a } from '../cron/schedule.ts'")).toHaveLength(1)
    expect(messages('src/http/app.ts', "import { a } from '../../durable-objects/dns-zone.ts'")).toHaveLength(1)
  })

  it('fail: every form of import counts', () => {
    const forms = [
      "import\n{ a,\n  b } from '../store/store.ts'",
      "import '../store/store.ts'",
      "export { a } from '../store/store.ts'",
      "export * from '../store/store.ts'",
      "const a = await import('../store/store.ts')",
      "type A = import('../store/store.ts').A",
    ]
    expect(forms.map((form) => messages('src/pki/csr.ts', form).length)).toEqual([1, 1, 1, 1, 1, 1])
  })

  it('ok: an import in a comment is none', () => {
    expect(messages('src/pki/csr.ts', '/**', " * import { a } from '../store/store.ts'", ' */')).toEqual([])
  })

  it('fail: only store imports drizzle-orm, only http hono', () => {
    expect(messages('src/orders/issue.ts', "import { eq } from 'drizzle-orm'")).toEqual([
      '1 orders must not import drizzle-orm',
    ])
    expect(messages('src/orders/issue.ts', "import { x } from 'drizzle-orm/d1'")).toHaveLength(1)
    expect(messages('src/acme/order.ts', "import type { Context } from 'hono'")).toHaveLength(1)
    expect(messages('src/store/transaction.ts', "import { eq } from 'drizzle-orm'")).toEqual([])
    expect(messages('src/http/app.ts', "import { z } from '@hono/zod-openapi'")).toEqual([])
  })

  it("fail: Node's modules are for the companion on a host alone", () => {
    expect(messages('src/pki/keys.ts', "import { sign } from 'node:crypto'")).toEqual([
      '1 pki must not import node:crypto',
    ])
    expect(messages('src/agent/main.ts', "import { readFile } from 'node:fs'")).toEqual([])
  })

  it('fail: a step of an order that imports another step; what steps share stands beside them', () => {
    expect(messages('src/orders/steps/present.ts', "import { newOrder } from './new-order.ts'")).toEqual([
      '1 a step of an order must not import another step (src/orders/steps/new-order.ts)',
    ])
    expect(messages('src/orders/steps/present.ts', "import { advance } from '../step.ts'")).toEqual([])
    expect(messages('src/orders/run-order.ts', "import { present } from './steps/present.ts'")).toEqual([])
  })

  it('fail: a folder without a place in the table', () => {
    expect(messages('src/helpers/misc.ts', '')).toEqual(['- lies in no room; add its folder to tools/check-imports.ts'])
  })

  it('fail: an import of what is not the Worker', () => {
    expect(messages('src/core/ids.ts', "import { a } from '../../tools/start.ts'")).toEqual([
      "1 imports tools/start.ts, which is not the Worker's",
    ])
    expect(messages('src/core/ids.ts', "import a from '../../migrations/meta/_journal.json'")).toHaveLength(1)
    expect(messages('src/store/store.ts', "import a from '../../migrations/meta/0000_snapshot.json'")).toHaveLength(1)
  })
})

describe('circles of imports', () => {
  const circles = (files: Readonly<Record<string, string>>): string[] =>
    checkCircles(Object.entries(files).map(([path, text]) => ({ path, text }))).map(
      ({ path, message }) => `${path} ${message}`,
    )

  it('ok: two ways to one file are none', () => {
    const files = {
      'src/core/a.ts': "import { b } from './b.ts'\nimport { c } from './c.ts'",
      'src/core/b.ts': "import { c } from './c.ts'",
      'src/core/c.ts': "import { z } from 'zod'",
    }
    expect(circles(files)).toEqual([])
  })

  it('fail: names the files in the order in which they import one another, by the shortest way', () => {
    const files = {
      'src/core/a.ts': "import { b } from './b.ts'",
      'src/core/b.ts': "import { d } from './d.ts'\nimport type { C } from './c.ts'",
      'src/core/c.ts': "export { a } from './a.ts'",
      'src/core/d.ts': "import { c } from './c.ts'",
    }
    expect(circles(files)).toContain(
      'src/core/a.ts closes a circle of imports: src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts',
    )
  })

  it('fail: a file that imports itself', () => {
    expect(circles({ 'src/core/a.ts': "import { a } from './a.ts'" })).toEqual([
      'src/core/a.ts closes a circle of imports: src/core/a.ts → src/core/a.ts',
    ])
  })

  it('fail: rooms whose files close no circle', () => {
    const files = {
      'src/cron/a.ts': "import { b } from '../orders/b.ts'",
      'src/orders/c.ts': "import { d } from '../cron/d.ts'",
    }
    expect(circles(files)).toEqual(['cron closes a circle of imports: cron → orders → cron'])
  })
})
