/** Processes for tests: what they say, how they fail, and that none of them outlives its test. */
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { freePort, freePorts } from '../../support/ports.ts'
import { runProcess, runSuccessfully, startProcess, waitForPort } from '../../support/process.ts'

const node = (script: string): [string, string[]] => [process.execPath, ['--input-type=module', '--eval', script]]

describe('a process that a test starts', () => {
  it('ok: a line is found, whether it was said before or after the question', async () => {
    const child = startProcess(
      ...node("console.log('first'); setTimeout(() => console.error('second'), 50); setInterval(() => {}, 1e6)"),
    )
    expect(await child.waitForLine(/^second/)).toBe('second')
    expect(await child.waitForLine(/^first/)).toBe('first')
    await child.stop()
  })

  it('fail: one that ends without the line tells its code and what it said', async () => {
    const child = startProcess(...node("console.log('no such key'); process.exit(3)"))
    await expect(child.waitForLine(/ready/)).rejects.toThrow(/ended with code 3\. It said:\nno such key/)
  })

  it('fail: one that never says the line', async () => {
    const child = startProcess(...node("console.log('busy'); setInterval(() => {}, 1e6)"))
    await child.waitForLine(/busy/)
    await expect(child.waitForLine(/ready/, 50)).rejects.toThrow(/did not say \/ready\/ within 50 ms.*\nbusy/)
    await child.stop()
  })

  it('fail: a program that is not there', async () => {
    await expect(startProcess('/no/such/program', []).waitForLine(/x/)).rejects.toThrow('could not be started')
    await expect(runProcess('/no/such/program', [])).rejects.toThrow('ENOENT')
  })

  it('ok: its port is waited for', async () => {
    const port = await freePort()
    const child = startProcess(
      ...node(
        `import('node:net').then((net) => setTimeout(() => net.createServer().listen(${port}, '127.0.0.1'), 50))`,
      ),
    )
    await waitForPort(port, child)
    expect(await isAlive(child.pid)).toBe(true)
    await child.stop()
    expect(await isAlive(child.pid)).toBe(false)
  })

  it('fail: a port that nobody opens', async () => {
    const child = startProcess(...node("console.log('gone')"))
    await expect(waitForPort(await freePort(), child)).rejects.toThrow(
      /nothing listens on port \d+: it ended with code 0/,
    )
  })

  it('ok: free ports are different ones, and none is one that the system gives to a connection', async () => {
    const ports = [...(await freePorts(20)), ...(await freePorts(20))]
    expect(new Set(ports).size).toBe(40)
    expect(ports.filter((port) => port >= 32_768)).toEqual([])
  })

  it('fail: a port that is taken is not free', async () => {
    const port = await freePort()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port + 1, '127.0.0.1', resolve))
    expect(await freePort()).not.toBe(port + 1)
    await new Promise((resolve) => server.close(resolve))
  })

  it('fail: a run with another code than 0 rejects with its output', async () => {
    await expect(runSuccessfully(...node("console.error('refused'); process.exit(2)"))).rejects.toThrow(
      /code 2:\nrefused/,
    )
  })

  it('fail: a run that takes too long is ended', async () => {
    await expect(runProcess(...node('setInterval(() => {}, 1e6)'), { timeoutMs: 300 })).rejects.toThrow(
      'longer than 300 ms',
    )
  })

  it.each(['process.exit(0)', "process.kill(process.pid, 'SIGTERM')", "throw new Error('broken')"])(
    'ok: nothing outlives a test that ends by %s',
    async (end) => {
      const support = resolve(import.meta.dirname, '../../support/process.ts')
      const script = `import { startProcess } from ${JSON.stringify(support)}
        console.log('pid', startProcess('sleep', ['1000']).pid)
        setTimeout(() => { ${end} }, 50)`
      const { stdout } = await runProcess(...node(script))
      const pid = Number(/pid (\d+)/.exec(stdout)?.[1])
      expect(pid).toBeGreaterThan(1)
      await vi.waitUntil(async () => !(await isAlive(pid)))
    },
  )
})

/** One that has ended may stay in the table of processes until somebody asks for its exit code. */
async function isAlive(pid: number): Promise<boolean> {
  const { stdout } = await runProcess('ps', ['-o', 'stat=', '-p', String(pid)])
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z')
}
