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

  it('ok: a private one where private targets are allowed', () => {
    expect(checkPublicAddress('http://127.0.0.1:8787', true).ok).toBe(true)
    expect(checkPublicAddress('https://pki.internal', true).ok).toBe(true)
  })

  it.each(['', 'pki.internal', 'file:///tmp'])('fail: no address at all, whatever is allowed: %j', (url) => {
    expect(checkPublicAddress(url, true).ok).toBe(false)
  })
})
