import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runReload } from '../../../src/agent/reload.ts'
import { eventually } from '../../support/service.ts'
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts'

const NEVER = new AbortController().signal
let folder: TempFolder
beforeEach(() => {
  folder = makeTempFolder('reload')
})
afterEach(() => folder.remove())

/** The id that a command wrote into this file, once it has. */
function pidIn(file: string): Promise<number> {
  return eventually(
    async () => (existsSync(file) && readFileSync(file, 'utf8').endsWith('\n') ? Number(readFileSync(file)) : null),
    10_000,
    `a process id in ${file}`,
  )
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // What has ended and was not waited for yet is there, and does nothing.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('runReload', () => {
  it('ok: a command that ends with 0', async () => {
    const file = join(folder.path, 'told')
    await runReload(`echo told > ${file}`, 10_000, NEVER)
    expect(readFileSync(file, 'utf8')).toBe('told\n')
  })

  it('fail: a command that ends otherwise', async () => {
    await expect(runReload('exit 3', 10_000, NEVER)).rejects.toThrow('ended with 3; it is tried again')
  })

  it('fail: a command that hangs is ended, with what it has started', async () => {
    const file = join(folder.path, 'pid')
    const running = runReload(`sleep 300 & echo $! > ${file}; wait`, 500, NEVER)
    await expect(running).rejects.toThrow('took longer than 0.5 s and was ended')
    expect(isAlive(await pidIn(file))).toBe(false)
  })

  it('ok: what the shell has started may end in its own time, after the shell', async () => {
    const [ready, cleaned] = [join(folder.path, 'ready'), join(folder.path, 'cleaned')]
    const handler = `trap "sleep 0.5; echo done > ${cleaned}; exit" TERM; echo > ${ready}; while :; do sleep 0.1; done`
    const stop = new AbortController()
    // The second command keeps the shell from becoming the first one.
    const running = runReload(`sh -c '${handler}'; true`, 600_000, stop.signal)
    await eventually(async () => (existsSync(ready) ? true : null), 10_000, 'the handler')
    stop.abort()
    await expect(running).rejects.toThrow('told to end')
    expect(existsSync(cleaned)).toBe(true)
  })

  it('fail: what the shell has started and does not listen is ended after a while', async () => {
    const file = join(folder.path, 'pid')
    const stop = new AbortController()
    const running = runReload(
      `sh -c 'trap "" TERM; echo $$ > ${file}; while :; do sleep 0.1; done'; true`,
      600_000,
      stop.signal,
    )
    const pid = await pidIn(file)
    stop.abort()
    await expect(running).rejects.toThrow('told to end')
    await eventually(async () => (isAlive(pid) ? null : true), 10_000, 'the end of it')
  })

  it('fail: a command that does not listen is ended all the same', async () => {
    const running = runReload("trap '' TERM; sleep 300 & wait; sleep 300", 200, NEVER)
    await expect(running).rejects.toThrow('was ended')
  })

  it('fail: a companion that is told to end ends the command too', async () => {
    const file = join(folder.path, 'pid')
    const stop = new AbortController()
    const running = runReload(`echo $$ > ${file}; sleep 300`, 600_000, stop.signal)
    const pid = await pidIn(file)
    stop.abort()
    await expect(running).rejects.toThrow('told to end')
    expect(isAlive(pid)).toBe(false)
  })

  it('ok: what a command leaves running goes on', async () => {
    const file = join(folder.path, 'pid')
    await runReload(`sleep 300 & echo $! > ${file}`, 10_000, NEVER)
    const pid = await pidIn(file)
    expect(isAlive(pid)).toBe(true)
    process.kill(pid)
  })
})
