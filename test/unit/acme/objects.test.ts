/** Problems, renewal information, external accounts and the table of CAs, each by itself. */
import { compactVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { type AcmeError, describeAcmeError, isProblem, isTransient } from '../../../src/acme/acme-error.ts'
import {
  CERTIFICATE_AUTHORITIES,
  CERTIFICATE_AUTHORITY_CODES,
  chooseDirectoryUrl,
} from '../../../src/acme/certificate-authorities.ts'
import { decodeMacKey, signExternalAccountBinding } from '../../../src/acme/external-account-binding.ts'
import { describeProblem, parseProblem, problemName } from '../../../src/acme/problem.ts'
import {
  buildCertificateId,
  chooseRenewalTime,
  isCertificateId,
  parseRenewalInfo,
  renewalInfoUrl,
} from '../../../src/acme/renewal-info.ts'
import { checkTarget } from '../../../src/core/http-client.ts'
import { createSigningKey } from '../../support/signing-key.ts'

const PREFIX = 'urn:ietf:params:acme:error:'

describe('problems (RFC 8555 §6.7)', () => {
  it('ok: subproblems name what they are about (RFC 8555 §6.7.1)', () => {
    const problem = parseProblem({
      type: `${PREFIX}malformed`,
      detail: 'Some of the identifiers requested were rejected',
      subproblems: [
        {
          type: `${PREFIX}malformed`,
          detail: 'Invalid underscore',
          identifier: { type: 'dns', value: '_example.org' },
        },
        { type: `${PREFIX}rejectedIdentifier`, identifier: { type: 'dns', value: 'example.net' } },
        'nonsense',
      ],
    })
    expect(problem?.subproblems.length).toBe(2)
    expect(problem && describeProblem(problem)).toBe(
      'Some of the identifiers requested were rejected (malformed); _example.org: Invalid underscore; example.net: rejectedIdentifier',
    )
  })

  it('ok: subproblems: null, and members of the wrong kind, hide nothing', () => {
    expect(parseProblem({ type: 7, detail: 'Because', subproblems: null, algorithms: 'ES256', status: 'x' })).toEqual({
      type: 'about:blank',
      title: null,
      detail: 'Because',
      instanceUrl: null,
      subproblems: [],
      algorithms: [],
    })
    expect(parseProblem([])).toBeNull()
    expect(parseProblem('no')).toBeNull()
  })

  it('ok: a detail loses control and direction characters and what is beyond a thousand characters', () => {
    const detail = `\u001b[31mred\r\nnext\u2028\u202eback\u0000${'x'.repeat(5_000)}`
    const problem = parseProblem({ detail })
    expect(problem?.detail).toMatch(/^\[31mred next back x+…$/)
    expect(problem?.detail?.length).toBe(1_001)
  })

  it('ok: the name of a type of RFC 8555 alone', () => {
    expect(problemName({ type: `${PREFIX}badNonce` })).toBe('badNonce')
    expect(problemName({ type: 'https://ca.example/errors/badNonce' })).toBeNull()
  })

  it('ok: an error is one sentence with what the CA said', () => {
    const error: AcmeError = {
      reason: 'problem',
      url: 'https://ca.example/new-order',
      status: 403,
      type: `${PREFIX}userActionRequired`,
      title: null,
      detail: 'Terms have changed',
      instanceUrl: 'https://ca.example/agree',
      subproblems: [],
      algorithms: [],
      retryAfterMs: null,
      termsOfServiceUrl: 'https://ca.example/terms',
      helpUrl: 'https://ca.example/help',
      accountUrl: null,
    }
    expect(describeAcmeError(error)).toBe(
      'the CA refused (403): Terms have changed (userActionRequired); go to https://ca.example/agree; the terms of service are at https://ca.example/terms; see https://ca.example/help',
    )
    expect([isProblem(error, 'userActionRequired'), isProblem(error, 'userAction'), isTransient(error)]).toEqual([
      true,
      false,
      false,
    ])
  })

  it('ok: which errors are worth another try', () => {
    const transport = (failure: 'timeout' | 'unreachable' | 'blocked_target' | 'too_large' | 'too_many_redirects') =>
      isTransient({ reason: 'transport', failure, url: '', message: '' })
    expect([transport('timeout'), transport('unreachable')]).toEqual([true, true])
    expect([transport('blocked_target'), transport('too_large'), transport('too_many_redirects')]).toEqual([
      false,
      false,
      false,
    ])
    expect(isTransient({ reason: 'unsupported', feature: 'profile', message: '' })).toBe(false)
    expect(isTransient({ reason: 'invalid_argument', argument: '', message: '' })).toBe(false)
  })
})

describe('renewal information (RFC 9773)', () => {
  it('ok: the certID of RFC 9773 §4.1, whose serial number keeps its leading zero', () => {
    const keyIdentifier = Buffer.from('69885b6b87464041e1b37b847ba0ae2cde01c8d4', 'hex')
    expect(buildCertificateId(keyIdentifier, Buffer.from('0087654321', 'hex'))).toBe(
      'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE',
    )
  })

  it('ok: the address, whether or not the base ends with a slash', () => {
    expect(renewalInfoUrl('https://ca.example/ari', 'a.b')).toBe('https://ca.example/ari/a.b')
    expect(renewalInfoUrl('https://ca.example/ari/', 'a.b')).toBe('https://ca.example/ari/a.b')
  })

  it('ok: what a certID looks like', () => {
    expect(['a2.Aw', 'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE'].map(isCertificateId)).toEqual([true, true])
    expect(['', 'a2', '.Aw', 'a2.', 'a2.Aw.Aw', 'a=.Aw', '../x'].map(isCertificateId)).toEqual(new Array(7).fill(false))
  })

  it('ok: times are spread over the window', () => {
    const window = { startMs: 1_000, endMs: 2_000 }
    expect([0, 0.25, 0.999].map((random) => chooseRenewalTime(window, random))).toEqual([1_000, 1_250, 1_999])
  })

  it('ok: an explanation that is no web address is left out', () => {
    const suggestedWindow = { start: '2026-01-01T00:00:00Z', end: '2026-01-02T00:00:00Z' }
    expect(parseRenewalInfo({ suggestedWindow, explanationURL: 'javascript:alert(1)' }, null)).toMatchObject({
      ok: true,
      value: { explanationUrl: null },
    })
  })

  for (const [what, value] of [
    ['an end that precedes its start', { start: '2026-01-02T00:00:00Z', end: '2026-01-01T00:00:00Z' }],
    ['an end that is its start', { start: '2026-01-02T00:00:00Z', end: '2026-01-02T00:00:00Z' }],
    ['a time without a zone', { start: '2026-01-01T00:00:00', end: '2026-01-02T00:00:00Z' }],
    ['no end', { start: '2026-01-01T00:00:00Z' }],
  ] as const) {
    it(`fail: ${what}`, () => {
      expect(parseRenewalInfo({ suggestedWindow: value }, null)).toMatchObject({ ok: false })
    })
  }
})

describe('external account binding (RFC 8555 §7.3.4)', () => {
  const bytes = Buffer.from('fbefbe00112233445566778899aabbccddeeff', 'hex')

  it('ok: a MAC key in either alphabet, padded or not, with white space', () => {
    const spellings = [bytes.toString('base64url'), bytes.toString('base64'), ` ${bytes.toString('base64')}\r\n`]
    expect(spellings.map((text) => decodeMacKey(text))).toEqual(
      new Array(3).fill({ ok: true, value: new Uint8Array(bytes) }),
    )
  })

  for (const text of ['', ' ', 'a', 'not base64!', '====']) {
    it(`fail: ${JSON.stringify(text)}`, () => {
      expect(decodeMacKey(text)).toMatchObject({ ok: false })
    })
  }

  it('ok: base64 of base64url is not undone', () => {
    const inner = Buffer.alloc(32, 7).toString('base64url')
    const twice = Buffer.from(inner).toString('base64')
    expect(decodeMacKey(twice)).toEqual({ ok: true, value: new Uint8Array(Buffer.from(inner)) })
  })

  it('ok: the JWS has alg, kid and url, no nonce, and the account key as its payload', async () => {
    const { key } = await createSigningKey()
    const macKey = Buffer.alloc(48, 5)
    const binding = { keyId: 'kid-1', macKey: macKey.toString('base64'), algorithm: 'HS384' } as const
    const jws = await signExternalAccountBinding(binding, 'https://ca.example/new-account', key.publicJwk)
    const compact = jws.ok ? `${jws.value.protected}.${jws.value.payload}.${jws.value.signature}` : ''
    const verified = await compactVerify(compact, macKey)
    expect(verified.protectedHeader).toEqual({ alg: 'HS384', kid: 'kid-1', url: 'https://ca.example/new-account' })
    expect(JSON.parse(new TextDecoder().decode(verified.payload))).toEqual(key.publicJwk)
  })
})

describe('the table of CAs', () => {
  it('ok: every code has its row, and every address in it is public and https', () => {
    expect(CERTIFICATE_AUTHORITY_CODES.map((code) => CERTIFICATE_AUTHORITIES[code].code)).toEqual([
      ...CERTIFICATE_AUTHORITY_CODES,
    ])
    const urls = Object.values(CERTIFICATE_AUTHORITIES).flatMap((authority) =>
      [authority.productionUrl, authority.stagingUrl, authority.productionRsaUrl].filter(
        (url) => typeof url === 'string',
      ),
    )
    expect(urls.length).toBe(8)
    expect(urls.filter((url) => !checkTarget(url, false).ok)).toEqual([])
  })

  it('ok: the directory for a CA, an environment and a key type', () => {
    const choose = (provider: 'letsencrypt' | 'sslcom', environment: 'production' | 'staging', type: 'ec' | 'rsa') =>
      chooseDirectoryUrl({ provider, environment, certificateKeyType: type })
    expect(choose('letsencrypt', 'staging', 'ec')).toEqual({
      ok: true,
      value: 'https://acme-staging-v02.api.letsencrypt.org/directory',
    })
    expect(choose('letsencrypt', 'production', 'rsa')).toMatchObject({
      value: 'https://acme-v02.api.letsencrypt.org/directory',
    })
    expect(choose('sslcom', 'production', 'ec')).toMatchObject({ value: 'https://acme.ssl.com/sslcom-dv-ecc' })
    expect(choose('sslcom', 'production', 'rsa')).toMatchObject({ value: 'https://acme.ssl.com/sslcom-dv-rsa' })
    const directoryUrl = 'https://acme.corp.example/directory'
    expect(chooseDirectoryUrl({ provider: 'custom', environment: 'production', directoryUrl })).toEqual({
      ok: true,
      value: directoryUrl,
    })
  })

  it('fail: a CA that has closed says since when and what to use', () => {
    expect(chooseDirectoryUrl({ provider: 'buypass', environment: 'production' })).toEqual({
      ok: false,
      error:
        'Buypass has issued no certificate since 2025-10-31; use letsencrypt, google, zerossl, actalis, sslcom instead',
    })
  })

  it('fail: an environment that is not there, an address that is missing or not wanted', () => {
    expect(chooseDirectoryUrl({ provider: 'zerossl', environment: 'staging' })).toEqual({
      ok: false,
      error: 'ZeroSSL has no staging environment',
    })
    expect(chooseDirectoryUrl({ provider: 'custom', environment: 'production' })).toMatchObject({ ok: false })
    const directoryUrl = 'https://acme.corp.example/directory'
    expect(chooseDirectoryUrl({ provider: 'google', environment: 'production', directoryUrl })).toMatchObject({
      ok: false,
    })
  })
})
