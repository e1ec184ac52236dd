/** The fake's own idea of a signature, against the example that AWS publishes. */
import { describe, expect, it } from 'vitest'
import { checkSignature } from '../../../support/dns-fakes/sigv4.ts'

// docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html, the request to list IAM users.
const KEY = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: null,
}
const SCOPE = { region: 'us-east-1', service: 'iam', nowMs: Date.UTC(2015, 7, 30, 12, 36) }
const SIGNATURE = '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7'
const URL_TEXT = 'https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08'

function request(url: string, signedHeaders = 'content-type;host;x-amz-date', signature = SIGNATURE) {
  const scope = '20150830/us-east-1/iam/aws4_request'
  const headers = new Headers({
    'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    'x-amz-date': '20150830T123600Z',
    authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
  })
  return { method: 'GET', url: new URL(url), headers, body: '' }
}

describe('the signature check of the fake', () => {
  it('ok: the published example', () => {
    expect(checkSignature(request(URL_TEXT), KEY, SCOPE)).toBe('ok')
    const reordered = 'https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers'
    expect(checkSignature(request(reordered), KEY, SCOPE)).toBe('ok')
  })

  it('fail: another query, another key, no signature', () => {
    const other = request(URL_TEXT.replace('ListUsers', 'ListRoles'))
    expect(checkSignature(other, KEY, SCOPE)).toBe('SignatureDoesNotMatch')
    const wrong = { ...KEY, secretAccessKey: `${KEY.secretAccessKey}x` }
    expect(checkSignature(request(URL_TEXT), wrong, SCOPE)).toBe('SignatureDoesNotMatch')
    const unsigned = request(URL_TEXT)
    unsigned.headers.delete('authorization')
    expect(checkSignature(unsigned, KEY, SCOPE)).toBe('MissingAuthenticationToken')
    expect(checkSignature(request(URL_TEXT), { ...KEY, accessKeyId: 'AKIDOTHER' }, SCOPE)).toBe('InvalidClientTokenId')
  })

  it('fail: a request that no service would take is a mistake of the code', () => {
    expect(() => checkSignature(request(URL_TEXT, 'host'), KEY, SCOPE)).toThrow('x-amz-date is not signed')
    expect(() => checkSignature(request(URL_TEXT), KEY, { ...SCOPE, region: 'eu-west-1' })).toThrow('scoped to')
    expect(() => checkSignature(request(URL_TEXT), KEY, { ...SCOPE, nowMs: SCOPE.nowMs + 600_000 })).toThrow(
      'signed at',
    )
  })
})
