/**
 * Free TCP ports on loopback for servers that tests start. Does not reserve them: between here and the server's bind
 * another process could take one, which shows as that server's own error.
 */
import { createServer, type Server } from 'node:net'

/** So many different free ports. All are held open until the last is known, so that none is given twice. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = []
  try {
    for (let i = 0; i < count; i += 1) servers.push(await listen())
    return servers.map(portOf)
  } finally {
    await Promise.all(servers.map((server) => new Promise<void>((done) => server.close(() => done()))))
  }
}

/** One free port. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  if (port === undefined) throw new Error('no free port')
  return port
}

function listen(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}

/** The port that a listening server has. */
export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on a TCP port')
  return address.port
}
