/** A DNS-over-HTTPS resolver (RFC 8484) on loopback that says what a test has it say. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeMessage, encodeMessage } from '../../src/dns/wire/message.ts'
import type { FakeServer } from './fake-dns.ts'

export interface DohServer {
  /** For `DNS_RESOLVERS`. */
  readonly url: string
  stop(): Promise<void>
}

/** Where `answer` is silent, the resolver answers HTTP 503. */
export async function startDohServer(answer: FakeServer): Promise<DohServer> {
  const server = createServer(async (request, response) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk as Uint8Array)
    const decoded = decodeMessage(Buffer.concat(chunks))
    const [question] = decoded.ok ? decoded.value.message.questions : []
    if (!decoded.ok || question === undefined) return response.writeHead(400).end()
    const { message } = decoded.value
    const said = answer(question.name, question.type, message.checkingDisabled === true)
    if (said === 'silent') return response.writeHead(503).end()
    const encoded = encodeMessage({ ...message, response: true, ...said })
    if (!encoded.ok) return response.writeHead(500).end()
    return response.writeHead(200, { 'content-type': 'application/dns-message' }).end(encoded.value)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/dns-query`,
    stop: () => new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve()))),
  }
}
