/** Private keys of CAs, certificates and requests leave in the one answer that is for them: in no other, no log, no row. */
import { beforeAll, describe, expect, it } from 'vitest'
import { fromBase64Url, toBase64, toHex, utf8 } from '../../../src/core/bytes.ts'
import { buildRoot } from '../../../src/pki/build-certificate.ts'
import { buildName } from '../../../src/pki/distinguished-name.ts'
import { exportPkcs8, generateKeyPair, importPrivateKeyPem, type KeyPair } from '../../../src/pki/keys.ts'
import { formatCertificatesPem, formatPem } from '../../../src/pki/pem.ts'
import { findCa, openCaKey } from '../../../src/store/authorities.ts'
import { findCsr, openCsrKey } from '../../../src/store/csrs.ts'
import { DEFAULT_TENANT_ID } from '../../../src/store/store.ts'
import {
  bodyOf,
  freshName,
  maintain,
  newCa,
  newRole,
  renew,
  revoke,
  revokeCa,
  rowsOf,
  type WatchedApp,
  watchedApp,
} from '../support/pki-world.ts'
import type { TestAnswer, TestApp } from '../support/worker-app.ts'

/** Every way in which the secret number of a key may stand in a text. */
async function traces(privateKey: CryptoKey): Promise<string[]> {
  const jwk = (await crypto.subtle.exportKey('jwk', privateKey)) as JsonWebKey
  const secret = fromBase64Url(jwk.d ?? '')
  if (secret === null || secret.length < 32) throw new Error('no secret number')
  // Base64 of it at each of the three places where it may begin, without the letters that depend on what is beside it.
  const base64 = [0, 1, 2].map((before) => {
    const text = toBase64(new Uint8Array([...new Uint8Array(before), ...secret]))
    return text.slice(before === 0 ? 0 : 4, 40)
  })
  return [jwk.d ?? '', toHex(secret), toHex(secret).toUpperCase(), [...secret].join(','), ...base64]
}

async function tracesOfPem(pem: string): Promise<string[]> {
  const pair = await importPrivateKeyPem(pem, { extractable: true })
  if (!pair.ok) throw new Error(pair.error.message)
  return traces(pair.value.privateKey)
}

/** The traces that a text has, whatever line breaks and escapes it has. */
const found = (text: string, marks: readonly string[]): string[] => {
  const joined = text.replaceAll('\\n', '').replaceAll(/[\r\n]/g, '')
  return marks.filter((mark) => joined.includes(mark))
}

let watched: WatchedApp
let app: TestApp
const marks: string[] = []
/** Answers that are not the one that a key is for. */
const others: TestAnswer[] = []

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<TestAnswer> {
  const answer = await app.request(method, path, { ...(body === undefined ? {} : { body }), headers })
  others.push(answer)
  return answer
}

/** An answer that shows a key: it is asked for, and marked. */
async function askForKey(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<TestAnswer['json']> {
  const { json } = await app.request('POST', path, { body, headers })
  const pem = json.private_key ?? json.private_key_pem
  const mine = await tracesOfPem(pem)
  expect(found(pem, mine).length).toBeGreaterThan(0)
  marks.push(...mine)
  return json
}

let caPair: KeyPair
let caPem: string
let caKeyPem: string

/** The body of an import of a root from elsewhere, whose key is marked. */
async function rootFromElsewhere(pair: KeyPair): Promise<{ certificate_pem: string; private_key_pem: string }> {
  const name = buildName({ commonName: 'Brought root' })
  if (!name.ok) throw new Error(name.error.message)
  const root = await buildRoot({
    subjectDer: name.value,
    spkiDer: pair.spkiDer,
    privateKey: pair.privateKey,
    pathLength: null,
    notBeforeMs: app.nowMs - 60_000,
    notAfterMs: app.nowMs + 365 * 86_400_000,
  })
  marks.push(...(await traces(pair.privateKey)))
  return {
    certificate_pem: formatCertificatesPem([root.der]),
    private_key_pem: formatPem('PRIVATE KEY', await exportPkcs8(pair.privateKey)),
  }
}

beforeAll(async () => {
  watched = await watchedApp()
  app = watched.app
  caPair = await generateKeyPair({ type: 'ec', size: 256 })
  const body = await rootFromElsewhere(caPair)
  caPem = body.certificate_pem
  caKeyPem = body.private_key_pem
})

describe('private keys', () => {
  it('ok: leave in the answer that is for them', async () => {
    const imported = bodyOf(
      await ask('POST', '/v1/pki/ca/import', {
        name: freshName('in'),
        certificate_pem: caPem,
        private_key_pem: caKeyPem,
      }),
      201,
    ).id as string
    const made = await newCa(app)
    for (const caId of [imported, made]) {
      const row = await findCa(app.store, DEFAULT_TENANT_ID, caId)
      if (row === null) throw new Error('no such CA')
      marks.push(...(await tracesOfPem(formatPem('PRIVATE KEY', await openCaKey(app.store, row)))))
      await ask('GET', `/v1/pki/ca/${caId}`)
      await ask('GET', `/v1/pki/ca/${caId}/certificates`)
      await ask('GET', `/v1/pki/ca/${caId}/certificate`)
      await ask('POST', `/v1/pki/ca/${caId}/crl`)
      await ask('POST', `/v1/pki/ca/${caId}/reissue`, {})
    }
    const [keeps, forgets] = [await newRole(app, imported, { store_private_keys: true }), await newRole(app, made)]
    for (const role of [keeps, forgets]) {
      const leaf = await askForKey(
        `/v1/pki/issue/${role}`,
        { common_name: 'www.example.com' },
        { 'idempotency-key': `key-of-${role}` },
      )
      const path = `/v1/pki/certificates/${leaf.id}`
      await ask('GET', path)
      await ask('GET', `${path}/pem`)
      await ask('GET', `${path}/versions`)
      await ask('PATCH', path, { tags: ['marked'] })
      await askForKey(`${path}/renew`, { private_key_format: 'pkcs8' })
      others.push(await revoke(app, leaf.id, 'certificate_hold'))
    }
    const kept = await askForKey(`/v1/pki/issue/${keeps}`, { common_name: 'kept.example.com' })
    await askForKey(`/v1/pki/certificates/${kept.id}/private-key`, undefined)
    const csr = bodyOf(await ask('POST', '/v1/pki/csr', { subject: { common_name: 'csr.example.com' } }), 201).id
    const row = await findCsr(app.store, DEFAULT_TENANT_ID, csr)
    if (row?.sealedKey == null) throw new Error('no key')
    marks.push(...(await tracesOfPem(formatPem('PRIVATE KEY', await openCsrKey(app.store, row, row.sealedKey)))))
    await ask('GET', `/v1/pki/csr/${csr}`)
    await ask('POST', `/v1/pki/csr/${csr}/approve`)
    await ask('POST', `/v1/pki/csr/${csr}/sign`, { ca_id: made })
    others.push(await revokeCa(app, made))
    expect(others.filter(({ status }) => status >= 400)).toEqual([])
    expect(marks.length).toBeGreaterThan(50)
  })

  it('fail: are not in what is refused, nor in what breaks', async () => {
    const pair = await generateKeyPair({ type: 'ec', size: 256 })
    const pem = formatPem('PRIVATE KEY', await exportPkcs8(pair.privateKey))
    marks.push(...(await traces(pair.privateKey)))
    const refused = [
      await ask('POST', '/v1/pki/ca/import', { name: freshName('in'), certificate_pem: caPem, private_key_pem: pem }),
      await ask('POST', '/v1/pki/ca/import', { name: freshName('in'), certificate_pem: pem, private_key_pem: pem }),
      await ask('POST', '/v1/pki/ca/import', { name: pem, certificate_pem: caPem, private_key_pem: caKeyPem }),
      await ask('POST', '/v1/pki/certificates/import', { certificate_pem: caPem, private_key_pem: pem }),
      await ask('POST', '/v1/pki/certificates/import', {
        certificate_pem: caPem,
        private_key_pem: pem.replace('PRIVATE', 'EC PRIVATE'),
      }),
      await ask('POST', '/v1/pki/certificates/validate', { certificate_pem: pem }),
      await ask('POST', '/v1/pki/trust-anchors', { name: 'x', certificate_pem: caPem + pem }),
      await ask('POST', '/v1/pki/csr/import', { csr_pem: pem }),
      await ask('POST', '/v1/pki/trust-anchors', { name: 'x', certificate_pem: caPem, [pem]: 1 }),
    ]
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 400))
    const role = await newRole(app, await newCa(app), { store_private_keys: true })
    // The database says in its error what it was given.
    watched.commits.before = ({ statements }) => Promise.reject(new Error(`it broke on ${JSON.stringify(statements)}`))
    const unknown = await rootFromElsewhere(await generateKeyPair({ type: 'ec', size: 256 }))
    const broken = [
      await ask('POST', `/v1/pki/issue/${role}`, { common_name: 'www.example.com' }),
      await ask('POST', '/v1/pki/ca/import', { name: freshName('in'), ...unknown }),
    ]
    watched.commits.before = async () => undefined
    expect(broken.map(({ status }) => status)).toEqual([500, 500])
  })

  it('ok: no other answer has them, and no list', async () => {
    await maintain(app)
    for (const path of ['ca', 'roles', 'certificates', 'certificates?include_revoked=true', 'csr', 'trust-anchors']) {
      await ask('GET', `/v1/pki/${path}`)
    }
    await ask('GET', '/v1/audit?limit=500')
    expect(others.length).toBeGreaterThan(40)
    expect(others.flatMap(({ text }) => found(text, marks))).toEqual([])
  })

  it('ok: no log line and no row has them, in whatever letters', async () => {
    expect(app.logLines.filter((line) => line.includes('request.failed'))).toHaveLength(2)
    expect(found(app.logLines.join('\n'), marks)).toEqual([])
    const tables = await rowsOf<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
    )
    const dumps = await Promise.all(
      tables.map(async ({ name }) => JSON.stringify(await rowsOf(`SELECT * FROM "${name}"`))),
    )
    expect(tables.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'journal',
        'certificates',
        'certificate_versions',
        'csrs',
        'certificate_authorities',
        'idempotency_keys',
      ]),
    )
    expect(dumps.flatMap((dump) => found(dump, marks))).toEqual([])
  })

  it('ok: a key that is read leaves its trace in the journal', async () => {
    const role = await newRole(app, await newCa(app), { store_private_keys: true })
    const { id } = bodyOf(
      await app.request('POST', `/v1/pki/issue/${role}`, { body: { common_name: 'read.example.com' } }),
      201,
    )
    bodyOf(await renew(app, id), 201)
    bodyOf(await app.request('POST', `/v1/pki/certificates/${id}/private-key`))
    const exported = await app.request('POST', `/v1/pki/certificates/${id}/export`, {
      body: { passphrase: 'long enough' },
    })
    expect(exported.status).toBe(200)
    const events = await rowsOf(
      "SELECT json_extract(detail, '$.version') AS version FROM journal WHERE event = 'certificate.private_key_read' AND resource = ?",
      `pki/certificates/${id}`,
    )
    expect(events).toEqual([{ version: 2 }, { version: 2 }])
  })

  it('ok: the traces are found where they are', async () => {
    expect(found(caKeyPem, await traces(caPair.privateKey)).length).toBeGreaterThan(0)
    expect(found(JSON.stringify({ key: caKeyPem }), await traces(caPair.privateKey)).length).toBeGreaterThan(0)
    expect(found(toHex(await exportPkcs8(caPair.privateKey)), await traces(caPair.privateKey)).length).toBeGreaterThan(
      0,
    )
    expect(found(toBase64(utf8('nothing')), await traces(caPair.privateKey))).toEqual([])
  })
})
