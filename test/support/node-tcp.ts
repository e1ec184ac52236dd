/** `TcpConnect` on Node's sockets, for tests that talk DNS to real servers. */
import { createConnection } from 'node:net'
import { Duplex } from 'node:stream'
import type { TcpConnect } from '../../src/core/tcp.ts'

export const connectWithNode: TcpConnect = ({ hostname, port }) => {
  const socket = createConnection({ host: hostname, port })
  // Whoever reads or writes is told; without a listener Node ends the process.
  socket.on('error', () => undefined)
  const { readable, writable } = Duplex.toWeb(socket)
  return {
    readable: readable as ReadableStream<Uint8Array>,
    writable: writable as WritableStream<Uint8Array>,
    close: async () => {
      socket.destroy()
    },
  }
}
