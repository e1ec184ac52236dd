import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../../../src/core/bytes.ts'
import { type AltNameType, derAltName, formatAltName, parseAltName, uniqueAltNames } from '../../../src/pki/alt-name.ts'

const textOf = (type: AltNameType, text: string): string => {
  const parsed = parseAltName(type, text)
  return parsed.ok ? formatAltName(parsed.value) : `refused: ${parsed.error}`
}

describe('subject alternative names', () => {
  it.each<[AltNameType, string, string]>([
    ['dns', 'WWW.example.com', 'www.example.com'],
    ['ip', '2001:DB8:0::1', '2001:db8::1'],
    ['email', 'Alice.B+tag@EXAMPLE.com', 'Alice.B+tag@example.com'],
    ['email', 'a@bücher.example', 'a@xn--bcher-kva.example'],
    ['uri', 'spiffe://example.org/ns/default/sa/web', 'spiffe://example.org/ns/default/sa/web'],
    ['uri', 'spiffe://trust_domain/a', 'spiffe://trust_domain/a'],
    ['uri', 'https://u:p@example.com:8443/a?b#c', 'https://u:p@example.com:8443/a?b#c'],
    ['uri', 'https://[2001:db8::1]:1/', 'https://[2001:db8::1]:1/'],
    ['uri', 'https://192.0.2.1', 'https://192.0.2.1'],
    ['uri', 'mailto:a@example.com', 'mailto:a@example.com'],
    ['uri', 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6'],
  ])('ok: %s %s', (type, text, expected) => {
    expect(textOf(type, text)).toBe(expected)
  })

  it.each<[AltNameType, string]>([
    ['dns', 'a_b.example'],
    ['ip', 'example.com'],
    ['email', 'example.com'],
    ['email', '@example.com'],
    ['email', 'a b@example.com'],
    ['email', 'a..b@example.com'],
    ['email', 'a@*.example.com'],
    ['email', `${'a'.repeat(65)}@example.com`],
    ['email', 'ä@example.com'],
    ['email', 'a@b@example.com'],
    ['uri', '/relative'],
    ['uri', 'spiffe:'],
    ['uri', 'https://bücher.example/'],
    ['uri', 'https://a./'],
    ['uri', 'https://a..b/'],
    ['uri', 'https://.a/'],
    ['uri', 'https:///a'],
    ['uri', 'spiffe://example.org./ns'],
    ['uri', 'https://-a.example/'],
    ['uri', 'https://a%2eb/'],
    ['uri', 'https://1.2.3.256/'],
    ['uri', 'https://[1.2.3.4]/'],
    ['uri', 'https://[::1/'],
    ['uri', 'https://a@b@c/'],
    ['uri', 'https://a:b/'],
    ['uri', 'https://example.com/[a]'],
    ['uri', 'https://example.com/#a#b'],
    ['uri', 'https://example.com/a b'],
    ['uri', 'https://example.com/%zz'],
    ['uri', 'https://example.com/<x>'],
    ['uri', `https://example.com/${'a'.repeat(2_048)}`],
  ])('fail: %s %j', (type, text) => {
    expect(textOf(type, text)).toMatch(/^refused: /)
  })

  it('ok: each form has its tag (RFC 5280 §4.2.1.6)', () => {
    expect(toHex(derAltName({ type: 'email', value: 'a@b' }))).toBe(`8103${toHex(utf8('a@b'))}`)
    expect(toHex(derAltName({ type: 'dns', value: 'a.b' }))).toBe(`8203${toHex(utf8('a.b'))}`)
    expect(toHex(derAltName({ type: 'uri', value: 'a:b' }))).toBe(`8603${toHex(utf8('a:b'))}`)
    expect(toHex(derAltName({ type: 'ip', value: new Uint8Array([192, 0, 2, 1]) }))).toBe('8704c0000201')
  })

  it('ok: doubles go, the order stays', () => {
    const names = [
      { type: 'dns', value: 'b.example' },
      { type: 'ip', value: new Uint8Array([192, 0, 2, 1]) },
      { type: 'dns', value: 'a.example' },
      { type: 'ip', value: new Uint8Array([192, 0, 2, 1]) },
      { type: 'dns', value: 'b.example' },
      { type: 'uri', value: 'b.example' },
    ] as const
    expect(uniqueAltNames(names).map((name) => `${name.type} ${formatAltName(name)}`)).toEqual([
      'dns b.example',
      'ip 192.0.2.1',
      'dns a.example',
      'uri b.example',
    ])
  })
})
