import { describe, expect, it } from 'vitest'
import { sha256, utf8 } from '../../../src/core/bytes.ts'
import { isSelfIssued } from '../../../src/pki/certificate.ts'
import { derOctetString } from '../../../src/pki/der/writer.ts'
import { verifySignature } from '../../../src/pki/signature.ts'
import { buildChallengeCertificate } from '../../../src/pki/tls-alpn-certificate.ts'
import { NOW_MS, parsed } from '../../support/pki-hierarchy.ts'

describe('tls-alpn-01 certificates (RFC 8737 §3)', () => {
  it.each([
    { type: 'dns', value: 'www.example.com' },
    { type: 'ip', value: new Uint8Array([192, 0, 2, 1]) },
  ] as const)('ok: exactly that name and a critical digest: $type', async (name) => {
    const keyAuthorizationDigest = await sha256(utf8('token.thumbprint'))
    const { certificateDer, keyPair } = await buildChallengeCertificate({ name, keyAuthorizationDigest, nowMs: NOW_MS })
    const certificate = parsed(certificateDer)
    expect(certificate.subjectAltNames).toEqual([name])
    expect(certificate.extensions.find(({ oid }) => oid === '1.3.6.1.5.5.7.1.31')).toEqual({
      oid: '1.3.6.1.5.5.7.1.31',
      critical: true,
      valueDer: derOctetString(keyAuthorizationDigest),
    })
    expect(isSelfIssued(certificate)).toBe(true)
    expect(certificate.subjectPublicKeyInfo.der).toEqual(keyPair.spkiDer)
    expect(certificate.notBeforeMs).toBeLessThan(NOW_MS)
    expect(certificate.notAfterMs).toBeGreaterThan(NOW_MS)
    const { tbsDer: message, signatureAlgorithm: algorithm, signature } = certificate
    expect(await verifySignature({ message, algorithm, signature }, certificate.subjectPublicKeyInfo)).toMatchObject({
      ok: true,
    })
  })

  it('fail: a digest of another length is a bug of the caller', async () => {
    const input = {
      name: { type: 'dns', value: 'a.example' },
      keyAuthorizationDigest: new Uint8Array(20),
      nowMs: NOW_MS,
    } as const
    await expect(buildChallengeCertificate(input)).rejects.toThrow('32 octets')
  })
})
