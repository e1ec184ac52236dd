/** One HTTPS request that trusts a CA of its own, which `fetch` cannot be told. Does not follow redirects. */
import { readFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { Agent, request } from 'node:https'

export interface HttpsRequest {
  readonly caFile: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface HttpsAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Resolves with the whole answer; rejects where the connection breaks. */
export function requestHttps(url: string, options: HttpsRequest): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ ca: readFileSync(options.caFile) })
    // RFC 8555 §6.1: clients MUST send a User-Agent.
    const headers = { 'user-agent': 'certwright-test', ...options.headers }
    const outgoing = request(url, { agent, method: options.method ?? 'GET', headers }, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.once('error', reject)
      incoming.once('end', () => {
        const body = Buffer.concat(chunks).toString('utf8')
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body })
      })
    })
    outgoing.once('error', reject)
    outgoing.end(options.body)
  })
}

/** Reads the first piece of a body and hangs up; its length in bytes. */
export function readFirstBytes(url: string, options: Pick<HttpsRequest, 'caFile'>): Promise<number> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ ca: readFileSync(options.caFile) })
    const outgoing = request(url, { agent, headers: { 'user-agent': 'certwright-test' } }, (incoming) => {
      incoming.once('data', (chunk: Buffer) => {
        incoming.destroy()
        resolve(chunk.length)
      })
    })
    outgoing.once('error', reject)
    outgoing.end()
  })
}
