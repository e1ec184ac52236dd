import { describe, expect, it } from 'vitest'
import { checkPublicAddress } from '../../../src/core/public-address.ts'

describe('the address that certificates carry', () => {
  it.each([
    'https://pki.example.com',
    'http://pki.example.com:8080',
    'https://1.1.1.1',
    'https://[2606:4700:4700::1111]/pki',
  ])('ok: %s', (url) => {
    expect(checkPublicAddress(url, false)).toEqual({ ok: true, value: undefined })
  })

  it.each([
    '',
    'pki.example.com',
    'ftp://pki.example.com',
    'http://127.0.0.1:8787',
    'http://127.1',
    'http://2130706433',
    'http://[::1]:8787',
    'http://localhost:8787',
    'https://pki.internal',
    'https://pki',
    'https://10.1.2.3',
    'https://192.168.1.1',
  ])('fail: %s, and the error says what to set', (url) => {
    const checked = checkPublicAddress(url, false)
    expect(checked).toEqual({
      ok: false,
      error: expect.stringMatching(/^PUBLIC_URL is not .*set it to the public address/),
    })
  })

  it.each([
    'https://pki.example.com?x=1',
    'https://pki.example.com/pki?',
    'https://pki.example.com/#part',
    'https://MARKED:MARKED@pki.example.com',
    'https://MARKED@pki.example.com/pki',
    'https://pki.example.com/a b',
  ])('fail: %s holds more than certificates may carry, and the error does not quote it', (url) => {
    const checks = [false, true].map((allowPrivateTargets) => checkPublicAddress(url, allowPrivateTargets))
    const error = expect.stringMatching(/^PUBLIC_URL is not a plain address(?!.*MARKED).*set it to the public address/)
    expect(checks).toEqual([
      { ok: false, error },
      { ok: false, error },
    ])
  })

  it('ok: a private one where private targets are allowed', () => {
    expect(checkPublicAddress('http://127.0.0.1:8787', true).ok).toBe(true)
    expect(checkPublicAddress('https://pki.internal', true).ok).toBe(true)
  })

  it.each(['', 'pki.internal', 'file:///tmp'])('fail: no address at all, whatever is allowed: %j', (url) => {
    expect(checkPublicAddress(url, true).ok).toBe(false)
  })
})
