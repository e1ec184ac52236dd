import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Api, type ApiError } from '../../../src/agent/api.ts'

let service: Server
let answer: (response: ServerResponse) => void
let api: Api

beforeEach(async () => {
  service = createServer((_request, response) => answer(response))
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  api = new Api(`http://127.0.0.1:${(service.address() as AddressInfo).port}`, 'cw_token')
})
afterEach(async () => {
  const closed = new Promise((resolve) => service.close(resolve))
  service.closeAllConnections()
  await closed
})

const failure = (): Promise<ApiError> =>
  api.get('/v1/x').then(
    () => Promise.reject(new Error('it was answered')),
    (error: ApiError) => error,
  )

describe('Api', () => {
  it('ok: an answer of many parts, with characters across them', async () => {
    const text = JSON.stringify({ value: 'ü'.repeat(200_000) })
    answer = (response) => {
      const bytes = Buffer.from(text)
      response.write(bytes.subarray(0, 100_001))
      response.end(bytes.subarray(100_001))
    }
    expect(await api.get('/v1/x')).toEqual(JSON.parse(text))
  })

  it('fail: an answer without end is left after 16 MiB', async () => {
    let written = 0
    let isGone = false
    answer = (response) => {
      response.on('close', () => {
        isGone = true
      })
      const more = (): void => {
        while (!isGone && response.write(Buffer.alloc(65_536, 0x20))) written += 65_536
      }
      response.on('drain', more)
      more()
    }
    const error = await failure()
    expect([error.message, error.isAway]).toEqual([expect.stringContaining('more than 16777216 bytes'), false])
    expect(written).toBeLessThan(64 * 1024 * 1024)
  })

  it('fail: what is small on the way and large unpacked', async () => {
    const packed = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20))
    answer = (response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' })
      response.end(packed)
    }
    expect((await failure()).message).toContain('more than 16777216 bytes')
  })

  it('fail: an answer that breaks off is a service that is away', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"a":')
      setTimeout(() => response.destroy(), 50)
    }
    expect(await failure()).toMatchObject({ isAway: true, message: expect.stringContaining('does not answer') })
  })
})
