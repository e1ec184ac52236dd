/** openssl as the judge of keys and requests, in both directions. */
import { describe, expect, it } from 'vitest'
import { fromUtf8 } from '../../../src/core/bytes.ts'
import { buildCsr, parseCsr, verifyCsrSignature } from '../../../src/pki/csr.ts'
import { buildName } from '../../../src/pki/distinguished-name.ts'
import {
  exportPrivateKeyPem,
  generateKeyPair,
  importPrivateKeyPem,
  type KeySpec,
  traditionalFormatOf,
} from '../../../src/pki/keys.ts'
import { formatPem, parsePemOf } from '../../../src/pki/pem.ts'
import { openssl, opensslFile } from '../../support/openssl.ts'

const SPECS: readonly (readonly [string, KeySpec, readonly string[]])[] = [
  ['RSA 2048', { type: 'rsa', size: 2048 }, ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']],
  ['RSA 4096', { type: 'rsa', size: 4096 }, ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:4096']],
  ['P-256', { type: 'ec', size: 256 }, ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']],
  ['P-384', { type: 'ec', size: 384 }, ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384']],
  ['P-521', { type: 'ec', size: 521 }, ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521']],
  ['Ed25519', { type: 'ed25519' }, ['-algorithm', 'ED25519']],
]

describe.each(SPECS)('%s', (_, spec, genpkey) => {
  it('ok: openssl finds our private keys consistent and our requests signed', async () => {
    const pair = await generateKeyPair(spec)
    const traditional = await exportPrivateKeyPem(pair.privateKey, traditionalFormatOf(pair.kind))
    const pkcs8 = await exportPrivateKeyPem(pair.privateKey, 'pkcs8')
    for (const pem of [traditional, pkcs8]) {
      const checked = await openssl(['pkey', '-in', 'key.pem', '-check', '-noout'], { 'key.pem': pem })
      expect(checked).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Key is valid') })
      const publicPem = await openssl(['pkey', '-in', 'key.pem', '-pubout'], { 'key.pem': pem })
      expect(publicPem.stdout).toBe(formatPem('PUBLIC KEY', pair.spkiDer))
    }
    const subject = buildName({ commonName: 'example.com', country: 'CH' })
    const csrDer = await buildCsr({
      ...pair,
      altNames: [
        { type: 'dns', value: 'example.com' },
        { type: 'ip', value: new Uint8Array([192, 0, 2, 1]) },
      ],
      ...(subject.ok ? { subjectDer: subject.value } : {}),
    })
    const files = { 'csr.pem': formatPem('CERTIFICATE REQUEST', csrDer) }
    const verified = await openssl(
      ['req', '-in', 'csr.pem', '-verify', '-text', '-noout', '-nameopt', 'RFC2253'],
      files,
    )
    expect(verified.exitCode).toBe(0)
    expect(verified.stderr).toContain('verify OK')
    expect(verified.stdout).toContain('CN=example.com,C=CH')
    expect(verified.stdout).toContain('DNS:example.com, IP Address:192.0.2.1')
  })

  it("ok: openssl's private keys and requests are read", async () => {
    const keyPem = fromUtf8(await opensslFile(['genpkey', ...genpkey, '-out', 'key.pem'], 'key.pem')) as string
    const imported = await importPrivateKeyPem(keyPem, { extractable: false })
    const publicPem = await openssl(['pkey', '-in', 'key.pem', '-pubout'], { 'key.pem': keyPem })
    expect(imported.ok && formatPem('PUBLIC KEY', imported.value.spkiDer)).toBe(publicPem.stdout)
    // Ed25519 has no older form; then this writes PKCS#8 again.
    const form = spec.type === 'ed25519' ? [] : ['-traditional']
    const traditional = await openssl(['pkey', '-in', 'key.pem', ...form], { 'key.pem': keyPem })
    expect(await importPrivateKeyPem(traditional.stdout, { extractable: false })).toMatchObject({
      ok: true,
      value: imported.ok ? { spkiDer: imported.value.spkiDer } : {},
    })
    const request = await openssl(
      [
        'req',
        '-new',
        '-key',
        'key.pem',
        '-subj',
        '/O=Example/CN=example.org',
        '-addext',
        'subjectAltName=DNS:example.org,email:a@example.org',
        '-addext',
        'keyUsage=critical,digitalSignature',
      ],
      { 'key.pem': keyPem },
    )
    const ders = parsePemOf('CERTIFICATE REQUEST', request.stdout)
    const csr = ders.ok && ders.value[0] !== undefined ? parseCsr(ders.value[0]) : ders
    expect(csr).toMatchObject({
      ok: true,
      value: {
        subjectAltNames: [
          { type: 'dns', value: 'example.org' },
          { type: 'email', value: 'a@example.org' },
        ],
        keyUsage: new Set(['digitalSignature']),
      },
    })
    const verdict = csr.ok && 'infoDer' in csr.value ? await verifyCsrSignature(csr.value) : csr
    expect(verdict).toEqual({ ok: true, value: undefined })
  })
})
