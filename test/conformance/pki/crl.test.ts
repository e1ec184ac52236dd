/** openssl, pkilint and zlint as the judges of CRLs, in both directions. */
import { beforeAll, describe, expect, it } from 'vitest'
import { buildCrl, type RevokedCertificate } from '../../../src/pki/build-crl.ts'
import { crlEntries, parseCrl, verifyCrlSignature } from '../../../src/pki/crl.ts'
import { exportPrivateKeyPem, type KeySpec } from '../../../src/pki/keys.ts'
import { formatPem, parsePemOf } from '../../../src/pki/pem.ts'
import { REVOCATION_REASONS, type RevocationReason } from '../../../src/pki/revocation-reason.ts'
import { formatSerial, newSerial } from '../../../src/pki/serial.ts'
import { pkilint, zlint } from '../../support/linters.ts'
import { openssl } from '../../support/openssl.ts'
import { DAY_MS, NOW_MS, type TestAuthority, testLeaf, testRoot } from '../../support/pki-hierarchy.ts'

const SPECS: readonly (readonly [string, KeySpec])[] = [
  ['RSA 2048', { type: 'rsa', size: 2048 }],
  ['P-256', { type: 'ec', size: 256 }],
  ['P-384', { type: 'ec', size: 384 }],
  ['P-521', { type: 'ec', size: 521 }],
  ['Ed25519', { type: 'ed25519' }],
]
const AT = ['-attime', String(NOW_MS / 1_000 + 60)]
const URI = 'http://pki.example.com/ca/root.crl'

const crlPem = async (
  root: TestAuthority,
  entries: readonly RevokedCertificate[],
  more: object = {},
): Promise<string> => {
  const input = {
    issuer: root.issuer,
    crlNumber: 300,
    thisUpdateMs: NOW_MS,
    nextUpdateMs: NOW_MS + 7 * DAY_MS,
    pages: [entries],
  }
  return formatPem('X509 CRL', (await buildCrl({ ...input, ...more })).der)
}

describe.each(SPECS)('CRLs signed with %s', (_, spec) => {
  let root: TestAuthority
  beforeAll(async () => {
    root = await testRoot(spec)
  })

  it('ok: openssl verifies them and sees exactly the revoked leaf as revoked', async () => {
    const [good, bad] = [await testLeaf(root, spec), await testLeaf(root, spec)]
    const entries = [
      { serialNumber: bad.certificate.serialNumber, revokedAtMs: NOW_MS, reason: 'key_compromise' as const },
    ]
    const partitions = [{}, { partition: { uris: [URI], only: 'user-certificates' as const } }]
    for (const more of partitions) {
      const files = {
        'root.pem': formatPem('CERTIFICATE', root.certificate.der),
        'crl.pem': await crlPem(root, entries, more),
        'good.pem': formatPem('CERTIFICATE', good.certificate.der),
        'bad.pem': formatPem('CERTIFICATE', bad.certificate.der),
      }
      const signature = await openssl(['crl', '-in', 'crl.pem', '-noout', '-CAfile', 'root.pem', '-verify'], files)
      expect(signature).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('verify OK') })
      const verify = [
        'verify',
        '-x509_strict',
        '-crl_check',
        '-extended_crl',
        ...AT,
        '-CAfile',
        'root.pem',
        '-CRLfile',
        'crl.pem',
      ]
      expect(await openssl([...verify, 'good.pem'], files)).toMatchObject({ exitCode: 0 })
      expect(await openssl([...verify, 'bad.pem'], files)).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('certificate revoked'),
      })
    }
  })

  it('ok: pkilint and zlint find nothing wrong, empty or not, whole or partitioned', async () => {
    const entries = (Object.keys(REVOCATION_REASONS) as RevocationReason[]).map((reason) => ({
      serialNumber: newSerial(),
      revokedAtMs: NOW_MS - DAY_MS,
      reason,
      invalidityDateMs: NOW_MS - 2 * DAY_MS,
    }))
    const lists = [
      await crlPem(root, []),
      await crlPem(root, entries),
      await crlPem(root, entries, { partition: { uris: [URI], only: 'user-certificates' } }),
    ]
    for (const pem of lists) {
      expect(await pkilint('lint_crl', ['-t', 'CRL', '-p', 'PKIX'], pem)).toEqual([])
      expect(await zlint(pem)).toEqual([])
    }
  })
})

describe('CRLs', () => {
  it("ok: openssl's CRL is read, with its reasons", async () => {
    const root = await testRoot({ type: 'ec', size: 256 })
    const index = [
      ['300101000000Z', '260101000000Z,keyCompromise', '01F0'],
      ['300101000000Z', '260102000000Z', '02'],
      ['300101000000Z', '260103000000Z,certificateHold', 'FF'],
    ].map(([expires, revoked, serial]) => `R\t${expires}\t${revoked}\t${serial}\tunknown\t/CN=x\n`)
    const files = {
      'root.pem': formatPem('CERTIFICATE', root.certificate.der),
      'key.pem': await exportPrivateKeyPem(root.keyPair.privateKey, 'pkcs8'),
      'index.txt': index.join(''),
      crlnumber: '1000\n',
      'ca.cnf':
        '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n',
    }
    const args = ['ca', '-config', 'ca.cnf', '-gencrl', '-keyfile', 'key.pem', '-cert', 'root.pem', '-crldays', '7']
    const run = await openssl(args, files)
    const ders = parsePemOf('X509 CRL', run.stdout)
    const crl = ders.ok && ders.value[0] !== undefined ? parseCrl(ders.value[0]) : ders
    if (!crl.ok || !('tbsDer' in crl.value)) throw new Error(run.stderr)
    expect(
      [...crlEntries(crl.value)].map(({ serialNumber, reasonCode }) => [formatSerial(serialNumber), reasonCode]),
    ).toEqual([
      ['02', 0],
      ['FF', 6],
      ['01:F0', 1],
    ])
    expect(crl.value.crlNumber).toEqual(new Uint8Array([0x10, 0]))
    expect(await verifyCrlSignature(crl.value, root.certificate.subjectPublicKeyInfo)).toMatchObject({ ok: true })
  })

  it('ok: 100,000 entries from pages, read by openssl and here', async () => {
    const root = await testRoot({ type: 'ec', size: 256 })
    const serials: Uint8Array[] = []
    const pages = async function* () {
      for (let page = 0; page < 200; page += 1) {
        yield Array.from({ length: 500 }, (_, i) => {
          const serialNumber = newSerial()
          serials.push(serialNumber)
          return { serialNumber, revokedAtMs: NOW_MS - (page * 500 + i) * 1_000, reason: 'superseded' as const }
        })
      }
    }
    const pem = await crlPem(root, [], { pages: pages() })
    const files = { 'crl.pem': pem, 'root.pem': formatPem('CERTIFICATE', root.certificate.der) }
    const run = await openssl(['crl', '-in', 'crl.pem', '-noout', '-text', '-CAfile', 'root.pem', '-verify'], files)
    expect(run.stderr).toContain('verify OK')
    const printed = run.stdout.match(/Serial Number: [0-9A-F]+/g) ?? []
    const expected = serials.map((serial) => `Serial Number: ${formatSerial(serial).replaceAll(':', '')}`)
    expect(printed.length).toBe(100_000)
    expect(printed.join() === expected.join()).toBe(true)
    const ders = parsePemOf('X509 CRL', pem, { maxChars: 20_000_000 })
    const crl = ders.ok && ders.value[0] !== undefined ? parseCrl(ders.value[0]) : ders
    expect(crl).toMatchObject({ ok: true, value: { revokedCount: 100_000 } })
  })
})
