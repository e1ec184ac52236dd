import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatCertificatesPem, formatPem, parsePem, parsePemOf } from '../../../src/pki/pem.ts'

const block = (label: string, base64 = 'AQID'): string =>
  `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`
const reasonOf = (result: ReturnType<typeof parsePem>): string => (result.ok ? 'ok' : result.error.reason)

describe('PEM (RFC 7468)', () => {
  it('ok: several blocks with text around them, either line ending, lines of any length', () => {
    const text = `subject=CN\n${block('CERTIFICATE').replaceAll('\n', '\r\n')}\n\nmore text\n${block('PRIVATE KEY', 'AQ\n I D \n\nBAUG')}`
    expect(parsePem(text)).toMatchObject({ ok: false, error: { reason: 'malformed' } })
    expect(parsePem(text.replace(' I D ', ' ID '))).toEqual({
      ok: true,
      value: [
        { label: 'CERTIFICATE', der: new Uint8Array([1, 2, 3]) },
        { label: 'PRIVATE KEY', der: new Uint8Array([1, 2, 3, 4, 5, 6]) },
      ],
    })
  })

  it('ok: what was written is read, in lines of 64 characters', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), (der) => {
        const pem = formatPem('X509 CRL', der)
        expect(
          Math.max(
            ...pem
              .split('\n')
              .slice(1, -2)
              .map((line) => line.length),
          ),
        ).toBeLessThanOrEqual(64)
        expect(parsePem(pem)).toEqual({ ok: true, value: [{ label: 'X509 CRL', der }] })
      }),
    )
  })

  it('ok: several certificates in their order', () => {
    const pem = formatCertificatesPem([new Uint8Array([1]), new Uint8Array([2])])
    expect(parsePemOf('CERTIFICATE', pem)).toEqual({ ok: true, value: [new Uint8Array([1]), new Uint8Array([2])] })
  })

  it.each([
    ['no block', 'hello', 'no_block'],
    ['an empty text', '', 'no_block'],
    ['no end', '-----BEGIN CERTIFICATE-----\nAQID\n', 'malformed'],
    ['another end', '-----BEGIN CERTIFICATE-----\nAQID\n-----END PRIVATE KEY-----', 'malformed'],
    ['an end alone', '-----END CERTIFICATE-----', 'malformed'],
    ['a block in a block', `-----BEGIN CERTIFICATE-----\n${block('CERTIFICATE')}`, 'malformed'],
    ['four hyphens', '-----BEGIN CERTIFICATE----\nAQID\n-----END CERTIFICATE-----', 'malformed'],
    ['a label in lower case', block('certificate'), 'malformed'],
    ['text that is not base64', block('CERTIFICATE', 'AQ!D'), 'malformed'],
    ['no padding', block('CERTIFICATE', 'AQI'), 'malformed'],
    ['nothing inside', block('CERTIFICATE', ''), 'malformed'],
    ['headers', block('RSA PRIVATE KEY', 'Proc-Type: 4,ENCRYPTED\n\nAQID'), 'has_headers'],
  ])('fail: %s', (_, text, reason) => {
    expect(reasonOf(parsePem(text))).toBe(reason)
  })

  it('fail: more characters or blocks than the limits', () => {
    expect(reasonOf(parsePem(block('CERTIFICATE'), { maxChars: 20 }))).toBe('too_large')
    expect(reasonOf(parsePem(block('CERTIFICATE').repeat(3), { maxBlocks: 2 }))).toBe('too_large')
    expect(reasonOf(parsePem(block('CERTIFICATE').repeat(2), { maxBlocks: 2 }))).toBe('ok')
  })

  it('fail: another label than the one that belongs there', () => {
    expect(parsePemOf('CERTIFICATE', block('CERTIFICATE') + block('PRIVATE KEY'))).toMatchObject({
      ok: false,
      error: { reason: 'unexpected_label' },
    })
  })
})
