/** Keys that sign: the RFC's thumbprint, fixed-length coordinates, and what is refused. */
import { createECDH, createHash, createPrivateKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { importSigningKey, SIGNATURE_ALGORITHMS } from '../../../src/acme/signing-key.ts'
import { utf8 } from '../../../src/core/bytes.ts'
import { createSigningKey } from '../../support/signing-key.ts'

/** RFC 7517 §A.2, the key `2011-04-29`: its public part is the example of RFC 7638 §3.1. */
const RFC_KEY = {
  kty: 'RSA',
  n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
  e: 'AQAB',
  d: 'X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5fJLM0WbFAKNLWY2vv7B6NqXSzUvxT0_YSfqijwp3RTzlBaCxWp4doFk5N2o8Gy_nHNKroADIkJ46pRUohsXywbReAdYaMwFs9tv8d_cPVY3i07a3t8MN6TNwm0dSawm9v47UiCl3Sk5ZiG7xojPLu4sbg1U2jx4IBTNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2WBii3RL-Us2lGVkY8fkFzme1z0HbIkfz0Y6mqnOYtqc0X4jfcKoAC8Q',
  p: '83i-7IvMGXoMXCskv73TKr8637FiO7Z27zv8oj6pbWUQyLPQBQxtPVnwD20R-60eTDmD2ujnMt5PoqMrm8RfmNhVWDtjjMmCMjOpSXicFHj7XOuVIYQyqVWlWEh6dN36GVZYk93N8Bc9vY41xy8B9RzzOGVQzXvNEvn7O0nVbfs',
  q: '3dfOR9cuYq-0S-mkFLzgItgMEfFzB2q3hWehMuG0oCuqnb3vobLyumqjVZQO1dIrdwgTnCdpYzBcOfW5r370AFXjiWft_NGEiovonizhKpo9VVS78TzFgxkIdrecRezsZ-1kYd_s1qDbxtkDEgfAITAG9LUnADun4vIcb6yelxk',
  dp: 'G4sPXkc6Ya9y8oJW9_ILj4xuppu0lzi_H7VTkS8xj5SdX3coE0oimYwxIi2emTAue0UOa5dpgFGyBJ4c8tQ2VF402XRugKDTP8akYhFo5tAA77Qe_NmtuYZc3C3m3I24G2GvR5sSDxUyAN2zq8Lfn9EUms6rY3Ob8YeiKkTiBj0',
  dq: 's9lAH9fggBsoFR8Oac2R_E2gw282rT2kGOAhvIllETE1efrA6huUUvMfBcMpn8lqeW6vzznYY5SSQF7pMdC_agI3nG8Ibp1BUb0JUiraRNqUfLhcQb_d9GF4Dh7e74WbRsobRonujTYN1xCaP6TO61jvWrX-L18txXw494Q_cgk',
  qi: 'GyM_p6JrXySiz1toFgKbWV-JdI3jQ4ypu9rbMWx3rQJBfmt0FoYzgUIZEVFEcOqwemRN81zoDAaa-Bk0KWNGDjJHZDdDmFhW3AN7lI-puxk_mHZGJ11rxyR8O55XLSe3SPmRfKwZI6yU24ZxvQKFYItdldUKGzO6Ia6zTKhAVRU',
}

const pkcs8Of = (jwk: JsonWebKey): Uint8Array<ArrayBuffer> =>
  new Uint8Array(createPrivateKey({ key: jwk, format: 'jwk' }).export({ format: 'der', type: 'pkcs8' }))

describe('a signing key', () => {
  it('ok: has the thumbprint of RFC 7638 §3.1', async () => {
    expect(await importSigningKey(pkcs8Of(RFC_KEY))).toMatchObject({
      ok: true,
      value: {
        algorithm: 'RS256',
        publicJwk: { kty: 'RSA', n: RFC_KEY.n, e: 'AQAB' },
        thumbprint: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
      },
    })
  })

  for (const algorithm of SIGNATURE_ALGORITHMS) {
    it(`ok: ${algorithm}: is made, stored and read again as the same key, whose private part stays inside`, async () => {
      const { key, pkcs8 } = await createSigningKey(algorithm)
      const again = await importSigningKey(pkcs8)
      expect(again).toMatchObject({
        ok: true,
        value: { algorithm, publicJwk: key.publicJwk, thumbprint: key.thumbprint },
      })
      // RFC 7638 §3.2: the required members in lexicographic order, without white space.
      const sorted = Object.fromEntries(Object.entries(key.publicJwk).sort(([a], [b]) => (a < b ? -1 : 1)))
      expect(key.thumbprint).toBe(createHash('sha256').update(JSON.stringify(sorted)).digest('base64url'))
      expect(key.privateKey.extractable).toBe(false)
      expect(Object.keys(key.publicJwk).sort().join()).toMatch(/^(crv,kty,x,y|e,kty,n)$/)
    })
  }

  it('ok: coordinates that begin with zeros keep their length (RFC 7518 §6.2.1.2)', async () => {
    const { d, x } = keyWithLeadingZero()
    const y = x.subarray(33)
    const jwk = {
      kty: 'EC',
      crv: 'P-256',
      d: d.toString('base64url'),
      x: x.subarray(1, 33).toString('base64url'),
      y: y.toString('base64url'),
    }
    const imported = await importSigningKey(pkcs8Of(jwk))
    expect(imported).toMatchObject({ ok: true, value: { publicJwk: { x: jwk.x, y: jwk.y } } })
    expect(jwk.x).toMatch(/^A[A-P].{41}$/)
  })

  it('fail: an RSA key of 1024 bits', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const pkcs8 = new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' }))
    expect(await importSigningKey(pkcs8)).toEqual({
      ok: false,
      error: 'an RSA key that signs ACME requests has at least 2048 bits',
    })
  })

  it('fail: another kind of key, and bytes that are none', async () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const pkcs8 = new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' }))
    const error = expect.stringContaining('no PKCS#8 private key')
    expect(await importSigningKey(pkcs8)).toEqual({ ok: false, error })
    expect(await importSigningKey(utf8('not a key'))).toEqual({ ok: false, error })
  })
})

/** The first private scalar whose point has an x coordinate that begins with a zero octet: one in 256 does. */
function keyWithLeadingZero(): { readonly d: Buffer; readonly x: Buffer } {
  const curve = createECDH('prime256v1')
  for (let scalar = 1; scalar < 5_000; scalar += 1) {
    const d = Buffer.alloc(32)
    d.writeUInt32BE(scalar, 28)
    curve.setPrivateKey(d)
    const point = curve.getPublicKey()
    if (point[1] === 0) return { d, x: point }
  }
  throw new Error('no such key')
}
