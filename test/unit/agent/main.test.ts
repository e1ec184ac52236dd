import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../support/ports.ts'
import { type RunningProcess, startProcess } from '../../support/process.ts'
import { eventually } from '../../support/service.ts'
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts'
import { idleConnection } from './support.ts'

/** A service that opens orders and then says nothing more. */
let service: Server
let asked: string[]
let folder: TempFolder
let companions: RunningProcess[]

beforeEach(async () => {
  asked = []
  companions = []
  folder = makeTempFolder('agent')
  service = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    if (request.method !== 'POST') return
    response.writeHead(202, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ order_id: 'acme_order_1', status: 'pending', log: [] }))
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  for (const companion of companions) await companion.stop()
  const closed = new Promise((resolve) => service.close(resolve))
  service.closeAllConnections()
  await closed
  folder.remove()
})

function start(...args: readonly string[]): RunningProcess {
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
  const env = { CERTWRIGHT_URL: url, CERTWRIGHT_TOKEN: 'cw_token' }
  const companion = startProcess(process.execPath, ['src/agent/main.ts', ...args], { env })
  companions.push(companion)
  return companion
}

/** Told to end while the service keeps it waiting. Its exit code; null where it had to be killed. */
async function endWhileAsking(companion: RunningProcess, question: string): Promise<number | null> {
  await eventually(async () => (asked.some((each) => each.startsWith(question)) ? true : null), 20_000, question)
  await companion.stop()
  return companion.exited
}

describe('certwright', () => {
  it('ok: respond ends when it is told to, whoever holds a connection and whatever it waits for', async () => {
    const port = await freePort()
    const companion = start('respond', '--address', '127.0.0.1', '--http-port', '0', '--tls-port', `${port}`)
    await companion.waitForLine(/^answering on 127\.0\.0\.1/)
    const socket = await idleConnection(port)
    socket.on('error', () => undefined)
    expect(await endWhileAsking(companion, 'GET /v1/pki/acme/orders')).toBe(0)
    expect(companion.output()).not.toContain('certwright:')
  })

  it('ok: watch ends when it is told to, whatever it waits for', async () => {
    const companion = start('watch', '--certificate', 'cert_1', '--out', join(folder.path, 'tls'))
    expect(await endWhileAsking(companion, 'GET /v1/pki/certificates/cert_1/pem')).toBe(0)
    expect(companion.output()).not.toContain('certwright:')
  })

  it('fail: issue that is told to end has not issued, and says which order goes on', async () => {
    const companion = start('issue', '--account', 'acme_1', '--domain', 'www.acme.example')
    expect(await endWhileAsking(companion, 'GET /v1/pki/acme/orders/acme_order_1')).toBe(1)
    expect(companion.output()).toContain('the service goes on with acme_order_1')
  })

  it('ok: issue outlives a service that is away for a moment', async () => {
    service.on('request', (request, response) => {
      const looks = asked.filter((each) => each.startsWith('GET')).length
      if (request.method !== 'GET') return
      if (looks === 1) response.destroy()
      else response.end(JSON.stringify({ status: 'valid', certificate_id: 'cert_1', log: [] }))
    })
    const companion = start('issue', '--account', 'acme_1', '--domain', 'www.acme.example')
    expect(await companion.exited).toBe(0)
    expect(companion.output()).toContain('certificate cert_1')
  })

  it('fail: fetch that is told to end has not fetched', async () => {
    const companion = start('fetch', '--certificate', 'cert_1', '--out', join(folder.path, 'tls'))
    expect(await endWhileAsking(companion, 'GET /v1/pki/certificates/cert_1/pem')).toBe(1)
  })

  it('fail: what the service says does not reach the terminal as commands', async () => {
    service.removeAllListeners('request')
    service.on('request', (_request, response) => {
      response.writeHead(403)
      response.end(
        JSON.stringify({ error: { code: 'forbidden', message: 'no \u001b[31mred\u0007', request_id: 'req_\u001b' } }),
      )
    })
    const companion = start('fetch', '--certificate', 'cert_1', '--out', join(folder.path, 'tls'))
    expect(await companion.exited).toBe(1)
    expect(companion.output()).toBe('certwright: no  [31mred \nrequest req_ \n')
  })

  it('fail: a port that is taken ends it, although the other one was free', async () => {
    const taken = (service.address() as AddressInfo).port
    const ports = ['--http-port', `${await freePort()}`, '--tls-port', `${taken}`]
    const companion = start('respond', '--address', '127.0.0.1', ...ports)
    expect(await companion.exited).toBe(1)
    expect(companion.output()).toContain(`port ${taken} cannot be had`)
  })

  it('ok: --help has a line for each thing that it says', async () => {
    const companion = start('--help')
    expect(await companion.exited).toBe(0)
    expect(companion.output().split('\n').length).toBeGreaterThan(10)
  })

  it('fail: a call that makes no sense', async () => {
    const companion = start('fetch', '--certificate', 'cert_1')
    expect(await companion.exited).toBe(2)
    expect(companion.output()).toContain('--out is missing')
  })
})
