/** Moving here with a CA that openssl made: what it issued stays good, what it revoked stays revoked; then anew, and cross-signed. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openssl } from '../support/openssl.ts'
import { type PkiSetup, startPkiSetup, verifyWithCrls } from '../support/pki-setup.ts'
import { runSuccessfully } from '../support/process.ts'
import type { ApiAnswer } from '../support/service.ts'
import { makeTempFolder, type TempFolder } from '../support/temp-folder.ts'

const CONFIGURATION = `[ca]
default_ca = old
[old]
dir = .
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
x509_extensions = leaf
crl_extensions = crl
unique_subject = no
[any]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[crl]
authorityKeyIdentifier = keyid
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`

let pki: PkiSetup
let folder: TempFolder
let imported: ApiAnswer['body']
const file = (name: string): string => readFileSync(join(folder.path, name), 'utf8')
const certificateIn = (name: string): string => /-----BEGIN[\s\S]+/.exec(file(name))?.[0] ?? ''

async function run(...args: readonly string[]): Promise<void> {
  const files = args.map((each) => each)
  await runSuccessfully('openssl', files, { cwd: folder.path, timeoutMs: 30_000 })
}

beforeAll(async () => {
  pki = await startPkiSetup()
  folder = makeTempFolder('old-ca')
  mkdirSync(folder.path, { recursive: true })
  for (const [name, text] of Object.entries({
    'ca.cnf': CONFIGURATION,
    'index.txt': '',
    serial: '0A\n',
    crlnumber: '2A\n',
  })) {
    writeFileSync(join(folder.path, name), text)
  }
  await run(
    'req',
    '-x509',
    '-config',
    'ca.cnf',
    '-extensions',
    'root',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-subj',
    '/O=Old Ltd/CN=Old CA',
    '-days',
    '60',
    '-out',
    'ca.pem',
  )
  for (const name of ['good', 'bad']) {
    await run(
      'req',
      '-new',
      '-config',
      'ca.cnf',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-subj',
      `/CN=${name}.svc.internal`,
      '-out',
      `${name}.csr`,
    )
    await run('ca', '-config', 'ca.cnf', '-batch', '-in', `${name}.csr`, '-out', `${name}.pem`)
  }
  await run('ca', '-config', 'ca.cnf', '-revoke', 'bad.pem', '-crl_reason', 'keyCompromise')
  await run('ca', '-config', 'ca.cnf', '-gencrl', '-out', 'crl.pem')
})
afterAll(async () => {
  folder?.remove()
  await pki?.service.stop()
})

describe('a CA from elsewhere', () => {
  it('ok: is imported with its last CRL, whose numbers go on', async () => {
    imported = await pki.call(201, 'POST', '/v1/pki/ca/import', {
      name: 'old',
      certificate_pem: file('ca.pem'),
      private_key_pem: file('ca.key'),
      crl_pem: file('crl.pem'),
    })
    expect(imported).toMatchObject({ ca_type: 'root', common_name: 'Old CA', key_type: 'rsa', crl_number: 0x2b })
    const crl = await pki.crlPem(imported.id)
    const verdict = (name: string) => verifyWithCrls(certificateIn(name), [file('ca.pem')], [crl])
    expect(await verdict('good.pem')).toMatchObject({ exitCode: 0 })
    expect((await verdict('bad.pem')).stderr).toContain('certificate revoked')
  })

  it('ok: revokes what it issued there, once that is imported', async () => {
    const body = { certificate_pem: certificateIn('good.pem'), ca_id: imported.id }
    const certificate = await pki.call(201, 'POST', '/v1/pki/certificates/import', body)
    expect(certificate).toMatchObject({ issuer_ca_id: imported.id, source: 'imported' })
    await pki.call(200, 'POST', '/v1/pki/revoke', { serial_number: '0A', reason: 'superseded' })
    const run = await verifyWithCrls(certificateIn('good.pem'), [file('ca.pem')], [await pki.crlPem(imported.id)])
    expect(run.stderr).toContain('certificate revoked')
  })

  it('ok: issued anew for the same name and key, what was issued before is good below either', async () => {
    await pki.createRole('old', imported.id, { key_type: 'rsa', key_bits: 2048 })
    const issued = await pki.issue('old', 'a.svc.internal')
    const anew = await pki.call(200, 'POST', `/v1/pki/ca/${imported.id}/reissue`, { validity_days: 3_650 })
    expect(anew.serial_number).not.toBe(imported.serial_number)
    const { certificate_pem: root } = await pki.call(200, 'GET', `/v1/pki/ca/${imported.id}/certificate`)
    for (const anchor of [root, file('ca.pem')]) {
      const run = await verifyWithCrls(issued.certificate, [anchor], [await pki.crlPem(imported.id)])
      expect(run).toMatchObject({ exitCode: 0 })
    }
    const { data } = await pki.call(200, 'GET', `/v1/pki/ca/${imported.id}/certificates`)
    expect(data.map(({ is_current }: { is_current: boolean }) => is_current)).toEqual([true, false])
  })

  it('ok: cross-signed by another CA: whoever trusts that one trusts what it issued', async () => {
    const trusted = await pki.createCa('trusted')
    const issued = await pki.issue('old', 'b.svc.internal')
    const cross = await pki.call(201, 'POST', `/v1/pki/ca/${imported.id}/cross-sign`, { issuer_ca_id: trusted.id })
    expect(cross).toMatchObject({ kind: 'cross', issuer_ca_id: trusted.id })
    const { certificate_pem: root } = await pki.call(200, 'GET', `/v1/pki/ca/${trusted.id}/certificate`)
    const crls = await Promise.all([trusted.id, imported.id].map((id) => pki.crlPem(id)))
    const run = await verifyWithCrls(issued.certificate, [cross.certificate_pem, root], crls)
    expect(run).toMatchObject({ exitCode: 0 })
  })

  it('fail: what cannot be moved', async () => {
    const body = { name: 'other', certificate_pem: file('ca.pem'), private_key_pem: file('ca.key') }
    const other = (await openssl(['genpkey', '-algorithm', 'RSA'])).stdout
    const refused = async (change: Readonly<Record<string, string>>) =>
      pki.service.api('POST', '/v1/pki/ca/import', { ...body, ...change })
    const path = (field: string) => ({ status: 400, body: { error: { details: [{ path: field }] } } })
    expect(await refused({ private_key_pem: other })).toMatchObject(path('private_key_pem'))
    expect(await refused({ certificate_pem: certificateIn('good.pem') })).toMatchObject(path('certificate_pem'))
    expect(await refused({ crl_pem: file('ca.pem') })).toMatchObject(path('crl_pem'))
    expect(await refused({ name: 'old' })).toMatchObject({ status: 409, body: { error: { code: 'already_exists' } } })
  })
})
