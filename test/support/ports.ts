/**
 * Free TCP ports on loopback for servers that tests start, and start again. They lie below those that the system gives to
 * outgoing connections and to port 0: such a one would be taken, now and then, before the server binds to it. Does not
 * reserve them: a process that wants the very same port takes it, which shows as the server's own error.
 */
import { createServer, type Server } from 'node:net'

/** Linux takes the ports of outgoing connections from 32768 on, other systems from 49152 on. */
const FIRST_PORT = 10_000
const LAST_PORT = 31_999
const PORT_COUNT = LAST_PORT - FIRST_PORT + 1

/** Processes that run at once begin far from one another: their ids are near, and none needs a hundred ports. */
let next = (process.pid * 100) % PORT_COUNT

/** So many different free ports; none is given twice by one process, before it has given all. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  for (let tried = 0; ports.length < count; tried += 1) {
    if (tried > PORT_COUNT) throw new Error('no free port')
    const port = FIRST_PORT + next
    next = (next + 1) % PORT_COUNT
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

/** One free port. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  if (port === undefined) throw new Error('no free port')
  return port
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false)
      else reject(error)
    })
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** The port that a listening server has. */
export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on a TCP port')
  return address.port
}
