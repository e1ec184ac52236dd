/**
 * The service in a workerd of its own that dies as in a power cut and is back within a second: the bundle is built once, and what starts
 * workerd stays in this process.
 */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { buildWorker } from '../../tools/build-worker.ts'
import { type LocalService, startLocalService } from '../../tools/local-service.ts'
import { freePort } from './ports.ts'
import { makeTempFolder } from './temp-folder.ts'

export interface MortalService {
  readonly url: string
  readonly token: string
  /** Kills workerd with SIGKILL, and starts it again on the same state and port. */
  killAndRestart(betweenTheTwo?: () => Promise<unknown>): Promise<void>
  stop(): Promise<void>
}

export async function startMortalService(): Promise<MortalService> {
  buildWorker()
  const folder = makeTempFolder('mortal')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const token = `cw_${randomBytes(32).toString('base64url')}`
  const vars = {
    PUBLIC_URL: url,
    ADMIN_TOKEN: token,
    KEY_RING: `k1:${randomBytes(32).toString('base64url')}`,
    ALLOW_PRIVATE_TARGETS: 'true',
    // Nobody: tests ask nobody outside this machine.
    DNS_RESOLVERS: 'http://127.0.0.1:1/dns-query',
  }
  const start = (): Promise<LocalService> => startLocalService({ port, stateDir: folder.path, vars })
  const others = new Set(workerds())
  let service = await start()
  return {
    url,
    token,
    async killAndRestart(betweenTheTwo = async () => undefined) {
      const pids = workerds().filter((pid) => !others.has(pid))
      if (pids.length === 0) throw new Error('there is no workerd to kill')
      for (const pid of pids) process.kill(pid, 'SIGKILL')
      await betweenTheTwo()
      await service.stop()
      service = await start()
    },
    async stop() {
      await service.stop()
      folder.remove()
    },
  }
}

/** The ids of the workerd processes below this one, by way of /proc. */
function workerds(pid: number = process.pid): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) => {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim()
      if (children === '') return []
      return children.split(' ').flatMap((text) => {
        const child = Number(text)
        const name = readFileSync(`/proc/${child}/comm`, 'utf8').trim()
        return [...(name.startsWith('workerd') ? [child] : []), ...workerds(child)]
      })
    })
  } catch {
    // It ended meanwhile.
    return []
  }
}
