import { expect, it } from 'vitest'
import { DEFAULT_TENANT_ID as TENANT } from '../../../src/store/store.ts'
import { idOfRow, insertCertificateRows } from '../support/pki-rows.ts'
import { testApp } from '../support/worker-app.ts'

it.each([
  [1, 'internal', 'the certificate is internal: there is no CA to ask'],
  [2, 'imported', 'it was imported'],
])('fail: there is no CA to ask about certificate %d, which is %s', async (number, source, why) => {
  const app = await testApp()
  await insertCertificateRows(TENANT, { from: number, to: number }, { source: `'${source}'` })
  const path = `/v1/pki/certificates/${idOfRow(number)}/renew?only=check`
  const answer = await app.request('POST', path, { body: {} })
  expect([answer.status, answer.json.error.code]).toEqual([400, 'invalid_request'])
  expect(answer.json.error.details).toEqual([{ path: 'only', message: expect.stringContaining(why) }])
})
