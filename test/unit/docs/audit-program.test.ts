/** The program of docs/audit.md, as it stands there, over a journal that the product has chained. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { chainEntry, GENESIS, type JournalHead } from '../../../src/store/journal.ts'
import { runProcess } from '../../support/process.ts'
import { makeTempFolder } from '../../support/temp-folder.ts'

const program = /```js\n([\s\S]*?)```/.exec(readFileSync('docs/audit.md', 'utf8'))?.[1] ?? ''

async function exported(): Promise<string[]> {
  let head: JournalHead = GENESIS
  const lines: string[] = []
  for (let n = 0; n < 5; n += 1) {
    const entry = {
      event: 'x.y',
      actor: 'tok_a',
      resource: 'r',
      detail: { z: n, a: ['ä', null, { b: 1, a: 2 }] },
      requestId: null,
    }
    const row = await chainEntry('ten_x', head, entry, 1_000 + n)
    const { seq, id, event, actor, resource, requestId, atMs, prevHash, hash } = row
    const detail: unknown = JSON.parse(row.detail)
    lines.push(
      JSON.stringify({
        id,
        seq,
        event,
        actor,
        resource,
        detail,
        request_id: requestId,
        at_ms: atMs,
        prev_hash: prevHash,
        hash,
      }),
    )
    head = row
  }
  const end = {
    complete: true,
    tenant_id: 'ten_x',
    count: 5,
    head: { seq: head.seq, hash: head.hash },
    has_more: false,
    cursor: null,
  }
  return [...lines, JSON.stringify(end)]
}

async function verify(lines: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  const { path: folder } = makeTempFolder('audit-program')
  const path = join(folder, 'verify-audit.mjs')
  writeFileSync(path, program)
  writeFileSync(join(folder, 'audit.ndjson'), `${lines.join('\n')}\n`)
  const { code, stdout, stderr } = await runProcess('sh', ['-c', `node ${path} < ${join(folder, 'audit.ndjson')}`])
  return { code, output: stdout + stderr }
}

describe('the program that checks an export', () => {
  it('ok: takes what the service has written', async () => {
    const { code, output } = await verify(await exported())
    expect([code, output]).toEqual([0, expect.stringContaining('5 entries hold')])
  })

  it.each([
    ['cut off', (lines: string[]) => lines.slice(0, -1), 'not whole'],
    [
      'with an entry changed',
      (lines: string[]) => lines.with(2, (lines[2] ?? '').replace('tok_a', 'tok_b')),
      'entry 3',
    ],
    ['with an entry missing', (lines: string[]) => lines.toSpliced(2, 1), '4 entries of 5'],
    ['with an error in the middle', (lines: string[]) => [...lines.slice(0, 2), '{"complete":false}'], 'not whole'],
  ])('fail: refuses a file %s', async (_what, change, message) => {
    const { code, output } = await verify(change(await exported()))
    expect([code, output]).toEqual([1, expect.stringContaining(message)])
  })
})
