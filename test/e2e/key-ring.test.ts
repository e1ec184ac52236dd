import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newKeyRingEntry } from '../../tools/dev-vars.ts'
import { type AcmeSetup, startAcmeSetup } from '../support/acme-setup.ts'
import { freePort } from '../support/ports.ts'
import { runSuccessfully } from '../support/process.ts'
import { finishedOrder } from '../support/service.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

let setup: AcmeSetup
let rotate: (...options: string[]) => Promise<string>
const folder = makeTempFolder('key-ring')
const devVars = join(folder.path, 'dev.vars')
const firstEntry = newKeyRingEntry(new Date())

beforeAll(async () => {
  writeFileSync(devVars, `KEY_RING="${firstEntry}"\nALLOW_PRIVATE_TARGETS="true"\n`)
  const port = await freePort()
  setup = await startAcmeSetup({ service: { port, env: { DEV_VARS: devVars } } })
  rotate = (...options) =>
    runSuccessfully(process.execPath, ['tools/keyring.ts', 'rotate', ...options], {
      env: { DEV_VARS: devVars, PORT: String(port), ADMIN_TOKEN: setup.service.token },
      timeoutMs: 90_000,
    })
})
afterAll(async () => {
  await setup?.stop()
  folder.remove()
})

const keyring = async () => (await setup.service.api('GET', '/v1/keyring')).body

describe('the key ring', () => {
  it('ok: is rotated while the service runs, and the old key is not needed afterwards', async () => {
    const order = await finishedOrder(setup.service, await setup.issue(['sealed.acme.example']))
    const keyUrl = `/v1/pki/certificates/${order.certificate_id}/private-key`
    const before = (await setup.service.api('POST', keyUrl)).body.private_key_pem
    await setup.service.api('PUT', '/v1/secrets/some/thing', { data: { value: 'hidden' }, secret_type: 'json' })
    const [firstId = ''] = firstEntry.split(':')
    expect(await keyring()).toEqual({ current_key_id: firstId, key_ids: [firstId] })

    expect(await rotate()).toMatch(/[1-9]\d* values were sealed anew/)
    const rotated = await keyring()
    expect(rotated.key_ids).toHaveLength(2)
    expect(rotated.current_key_id).not.toBe(firstId)
    expect(readFileSync(devVars, 'utf8')).toContain(firstEntry)

    await rotate('--drop-old')
    expect(readFileSync(devVars, 'utf8')).not.toContain(firstEntry)
    await setup.service.kill()
    await setup.service.start()
    expect(await keyring()).toEqual({ current_key_id: rotated.current_key_id, key_ids: [rotated.current_key_id] })
    // Everything opens under the new key alone: certificate, secret, provider credentials, account key.
    expect((await setup.service.api('POST', keyUrl)).body.private_key_pem).toBe(before)
    expect((await setup.service.api('GET', '/v1/secrets/some/thing')).body.data).toEqual({ value: 'hidden' })
    const again = await finishedOrder(setup.service, await setup.issue(['again.acme.example']))
    expect(again).toMatchObject({ status: 'valid' })
  })
})
