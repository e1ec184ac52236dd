import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildAgent } from '../../../tools/build-agent.ts'
import { oldestNode } from '../../support/oldest-node.ts'
import { runProcess } from '../../support/process.ts'
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts'

let folder: TempFolder
let script: string
beforeAll(() => {
  folder = makeTempFolder('build-agent')
  buildAgent(folder.path)
  script = readFileSync(join(folder.path, 'certwright.mjs'), 'utf8')
})
afterAll(() => folder.remove())

describe('buildAgent', () => {
  it('ok: one file that needs nothing beside Node', () => {
    const imports = [...script.matchAll(/^import .* from "(.*)";$/gm)].map((match) => match[1] ?? '')
    expect(imports.length).toBeGreaterThan(5)
    expect(imports.filter((name) => !builtinModules.includes(name.replace(/^node:/, '')))).toEqual([])
    expect(script).not.toMatch(/\brequire\(|\bimport\(/)
  })

  it('ok: it runs on the oldest Node that is promised', async () => {
    const { code, stdout } = await runProcess(oldestNode(), ['certwright.mjs', '--help'], { cwd: folder.path })
    expect([code, stdout]).toEqual([0, expect.stringContaining('certwright watch')])
  })

  it('ok: the checksum is that of the file, and the Worker gets both as they are', async () => {
    const checksums = readFileSync(join(folder.path, 'checksums.txt'), 'utf8')
    expect(checksums).toBe(`${createHash('sha256').update(script).digest('hex')}  certwright.mjs\n`)
    expect(await import(join(folder.path, 'files.js'))).toMatchObject({ script, checksums })
  })

  it('ok: what is up to date is left as it is', () => {
    writeFileSync(join(folder.path, 'certwright.mjs'), 'marked')
    buildAgent(folder.path)
    expect(readFileSync(join(folder.path, 'certwright.mjs'), 'utf8')).toBe('marked')
  })
})
