/** Reading the names that are asked for: one form, the common name among the alternative names, and what is no name at all. */
import { describe, expect, it } from 'vitest'
import {
  CSR_PATHS,
  fieldOfName,
  MAX_NAMES,
  type NamePaths,
  namesOfCsr,
  type RequestedNames,
  requireNames,
  resolveNames,
  SAN_PATHS,
} from '../../../../src/authority/roles/requested-names.ts'
import { formatAltName } from '../../../../src/pki/alt-name.ts'
import { buildCsr, parseCsr } from '../../../../src/pki/csr.ts'
import { derOid, derSequence, derSetOf, derUtf8String } from '../../../../src/pki/der/writer.ts'
import { generateKeyPair } from '../../../../src/pki/keys.ts'
import { ATTRIBUTE } from '../../../../src/pki/oids.ts'

const EMPTY: RequestedNames = { commonName: null, dns: [], ip: [], email: [], uri: [] }
const PATHS: NamePaths = {
  commonName: 'common_name',
  dns: 'alt_names',
  ip: 'ip_sans',
  email: 'email_sans',
  uri: 'uri_sans',
}

function resolved(names: Partial<RequestedNames>) {
  const value = requireNames({ ...EMPTY, ...names }, PATHS)
  return { ...value, altNames: value.altNames.map((name) => `${name.type}:${formatAltName(name)}`) }
}

function errors(names: Partial<RequestedNames>, paths = PATHS): readonly (readonly [string, string])[] {
  const result = resolveNames({ ...EMPTY, ...names }, paths)
  return result.ok ? [] : result.error.map(({ path, message }) => [path, message] as const)
}

describe('names in one form', () => {
  it('ok: every type, the common name first', () => {
    const names = {
      commonName: 'WWW.example.com',
      dns: ['*.Example.com'],
      ip: ['2001:DB8:0::1', '192.0.2.1'],
      email: ['A.b@Example.com'],
      uri: ['spiffe://example.org/a'],
    }
    expect(resolved(names)).toEqual({
      commonName: 'www.example.com',
      altNames: [
        'dns:www.example.com',
        'dns:*.example.com',
        'ip:2001:db8::1',
        'ip:192.0.2.1',
        'email:A.b@example.com',
        'uri:spiffe://example.org/a',
      ],
      hasCommonName: true,
      warnings: [],
    })
  })
  it('ok: each name once, in whatever form it was written', () => {
    const names = {
      commonName: 'example.com',
      dns: ['EXAMPLE.com', 'b.test', 'example.com'],
      ip: ['::1', '0:0:0:0:0:0:0:1'],
    }
    expect(resolved(names).altNames).toEqual(['dns:example.com', 'dns:b.test', 'ip:::1'])
  })
  it('ok: U-labels become A-labels, and each conversion is said once', () => {
    const names = {
      commonName: 'Bücher.example',
      dns: ['Bücher.example', 'xn--bcher-kva.example', '*.straße.example'],
      email: ['a@bücher.example'],
    }
    const { commonName, altNames, warnings } = resolved(names)
    expect(commonName).toBe('xn--bcher-kva.example')
    expect(altNames).toEqual([
      'dns:xn--bcher-kva.example',
      'dns:*.xn--strae-oqa.example',
      'email:a@xn--bcher-kva.example',
    ])
    expect([...warnings].sort()).toEqual([
      '"*.straße.example" is certified with *.xn--strae-oqa.example',
      '"Bücher.example" is certified with xn--bcher-kva.example',
      '"a@bücher.example" is certified with xn--bcher-kva.example',
    ])
  })

  it.each([
    ['a host name', 'example.com', 'dns:example.com'],
    ['a wildcard', '*.example.com', 'dns:*.example.com'],
    ['an IPv4 address', '192.0.2.1', 'ip:192.0.2.1'],
    ['an IPv6 address', '2001:db8::1', 'ip:2001:db8::1'],
    ['a mailbox', 'a@example.com', 'email:a@example.com'],
  ])('ok: a common name that is %s is an alternative name too (RFC 9525 §2)', (_, text, altName) => {
    expect(resolved({ commonName: text })).toMatchObject({ commonName: text, altNames: [altName] })
  })
  it('ok: other text stays a common name alone', () => {
    expect(resolved({ commonName: 'Billing Service 7', dns: ['a.test'] })).toMatchObject({
      commonName: 'Billing Service 7',
      altNames: ['dns:a.test'],
    })
  })
  it('ok: a host name of 64 characters is a common name, one of 65 is not', () => {
    const name = (length: number): string => `${'a'.repeat(60)}.${'b'.repeat(length - 61)}`
    expect(resolved({ commonName: name(64) })).toMatchObject({ commonName: name(64), warnings: [] })
    expect(resolved({ commonName: name(65) })).toEqual({
      commonName: null,
      altNames: [`dns:${name(65)}`],
      hasCommonName: true,
      warnings: [expect.stringContaining('alternative names alone')],
    })
  })
  it('ok: a hundred names, not counting repeats', () => {
    const dns = Array.from({ length: MAX_NAMES }, (_, index) => `a${index}.test`)
    expect(resolved({ commonName: 'a0.test', dns: [...dns, 'A1.test'] }).altNames).toHaveLength(100)
  })
})

describe('names that are refused before any role is asked', () => {
  it('fail: a hundred and one names', () => {
    const dns = Array.from({ length: MAX_NAMES }, (_, index) => `a${index}.test`)
    expect(errors({ commonName: 'more.test', dns })).toEqual([['alt_names', 'a certificate has at most 100 names']])
  })
  it('fail: of a thousand wrong names a hundred are said, of more none is read', () => {
    const wrong = (length: number): string[] => Array.from({ length }, (_, index) => `a b${index}`)
    expect(errors({ dns: wrong(1_000) })).toHaveLength(100)
    expect(errors({ dns: wrong(1_000), uri: ['a'] })).toEqual([['alt_names', 'a certificate has at most 100 names']])
  })
  it('fail: no name at all', () => {
    expect(errors({})).toEqual([['common_name', expect.stringContaining('at least one alternative name')]])
  })
  it('fail: each wrong name is said with its place', () => {
    const names = { dns: ['a.test', 'a b'], ip: ['x'], email: ['@'], uri: ['/a', 'b'] }
    expect(errors(names).map(([path]) => path)).toEqual([
      'alt_names[1]',
      'ip_sans[0]',
      'email_sans[0]',
      'uri_sans[0]',
      'uri_sans[1]',
    ])
  })
  it.each([
    ['192.0.2.1', PATHS, 'in ip_sans)'],
    ['2001:db8::1', PATHS, 'in ip_sans)'],
    ['a@example.com', PATHS, 'in email_sans)'],
    ['192.0.2.1', SAN_PATHS, 'in san.ip)'],
    ['a@example.com', SAN_PATHS, 'in san.email)'],
    ['192.0.2.1', CSR_PATHS, 'to the IP names)'],
    ['a@example.com', CSR_PATHS, 'to the e-mail names)'],
  ])('fail: %s among the DNS names is told where it belongs (%#)', (text, paths, end) => {
    expect(errors({ dns: ['a.test', text] }, paths)).toEqual([
      [paths.dns === 'csr_pem' ? 'csr_pem' : `${paths.dns}[1]`, expect.stringContaining(end)],
    ])
  })
  it('fail: requireNames throws every detail as invalid_request', () => {
    expect(() => requireNames({ ...EMPTY, dns: ['a b', 'c d'] }, PATHS)).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        details: [expect.objectContaining({ path: 'alt_names[0]' }), expect.objectContaining({ path: 'alt_names[1]' })],
      }),
    )
  })
})

describe('the field that a name stands in', () => {
  const requested: RequestedNames = {
    commonName: 'Main.test',
    dns: ['a.test', 'Bücher.example', '*.B.test'],
    ip: ['192.0.2.1', '2001:DB8:0::1'],
    email: ['a@Bücher.example'],
    uri: ['urn:uuid:a'],
  }
  it('ok: however it was written there', () => {
    const { altNames } = requireNames(requested, PATHS)
    expect(altNames.map((name) => fieldOfName(requested, PATHS, formatAltName(name)))).toEqual([
      'common_name',
      'alt_names[0]',
      'alt_names[1]',
      'alt_names[2]',
      'ip_sans[0]',
      'ip_sans[1]',
      'email_sans[0]',
      'uri_sans[0]',
    ])
  })
  it('ok: a CSR is one field', () => {
    expect(fieldOfName(requested, CSR_PATHS, 'a.test')).toBe('csr_pem')
  })
})

/** What CAs have been made to sign by other readings of the same text. */
const NO_HOST_NAMES = [
  'example.com.',
  '.example.com',
  'a..example.com',
  ' example.com',
  'example.com ',
  'example.com\t',
  'example.com\n',
  'exam ple.com',
  'example.com\0.evil.test',
  'example.com\u00a0',
  'a*.example.com',
  '*a.example.com',
  'a.*.example.com',
  '*.*.example.com',
  '*',
  '*.',
  '**.example.com',
  'xn--a.example',
  'xn--localhost',
  'XN--localhost',
  'xn--example-.com',
  'xn--EXAMPLE.com',
  'a_b.example.com',
  '-a.example.com',
  'a-.example.com',
  'ab--c.example.com',
  '192.0.2.1',
  '192.0.2.256',
  '*.192.0.2.1',
  'example.com:443',
  'example.com/a',
  'https://example.com',
  'user@example.com',
  'exam\u202eple.com',
  'example.com,b.test',
  'DNS:example.com',
]

describe('smuggled names', () => {
  it.each(NO_HOST_NAMES)('fail: the DNS name %j', (text) => {
    expect(errors({ commonName: 'a.test', dns: [text] })).toEqual([['alt_names[0]', expect.any(String)]])
  })

  /** Common names of another kind, and text that no reader takes for a host name. */
  const OTHER_COMMON_NAMES = ['192.0.2.1', 'user@example.com', 'exam ple.com']
  it.each(NO_HOST_NAMES.filter((text) => !OTHER_COMMON_NAMES.includes(text)))('fail: the common name %j', (text) => {
    expect(errors({ commonName: text, dns: ['a.test'] })).toEqual([['common_name', expect.any(String)]])
  })

  it.each(['', ' ', ' a', 'a ', 'a\0b', 'Billing\0 Service', 'a\nb c', '\u007f a', '\ud800 a', 'a'.repeat(65)])(
    'fail: the common name %j',
    (text) => {
      expect(errors({ commonName: text, dns: ['a.test'] })).toEqual([['common_name', expect.any(String)]])
    },
  )

  it.each([
    'Alice <alice@example.com>',
    '"alice"@example.com',
    '<alice@example.com>',
    'mailto:alice@example.com',
    'alice@example.com.',
    'alice@example.com\0.evil.test',
    'alice@[192.0.2.1]',
    'alice@192.0.2.1',
    'alice@*.example.com',
    'a@b@example.com ',
    'alice@',
    '@example.com',
    'example.com',
    'ali..ce@example.com',
    'a@example.com,b@example.com',
  ])('fail: the mailbox %j', (text) => {
    expect(errors({ email: [text] })).toEqual([['email_sans[0]', expect.any(String)]])
  })

  it.each([
    '192.0.2.01',
    '0xc0.0.2.1',
    '3221225985',
    '192.0.2.1::',
    '::192.0.2.1:1',
    '192.0.2',
    '192.0.2.1/32',
    ' 192.0.2.1',
    'fe80::1%eth0',
    '[::1]',
    ':::',
    '',
  ])('fail: the address %j', (text) => {
    expect(errors({ ip: [text] })).toEqual([['ip_sans[0]', expect.any(String)]])
  })

  it.each([
    '//example.com/a',
    'example.com',
    'https://exa mple.com',
    'https://bücher.example',
    'https://a.test/\0',
    'spiffe:',
    'https://a.test/%zz',
  ])('fail: the URI %j', (text) => {
    expect(errors({ uri: [text] })).toEqual([['uri_sans[0]', expect.any(String)]])
  })

  it('fail: no message carries a control character', () => {
    // The last ones: CSI in one octet, as terminals read it, text from right to left, and ends of lines of JavaScript.
    const dns = ['a\0b', 'c\r\nd', '\u009b2J', 'a\u007f', 'a\u202eb', '\u2066a', 'a\u2028b', 'a\u200bb c']
    const messages = errors({ commonName: 'a\u001b[2Jb c', dns, ip: ['\u0007'] })
    expect(messages).toHaveLength(10)
    expect(messages.map(([, message]) => message).join('')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
  })
})

describe('the names of a CSR', () => {
  const commonName = (text: string) =>
    derSequence(derSetOf(derSequence(derOid(ATTRIBUTE.commonName), derUtf8String(text))))
  async function fromCsr(subject: string | null, dns: readonly string[]) {
    const pair = await generateKeyPair({ type: 'ec', size: 256 })
    const der = await buildCsr({
      ...pair,
      altNames: [
        ...dns.map((value) => ({ type: 'dns', value }) as const),
        { type: 'ip', value: new Uint8Array([192, 0, 2, 1]) },
        { type: 'email', value: 'a@example.com' },
        { type: 'uri', value: 'spiffe://example.org/a' },
      ],
      ...(subject === null ? {} : { subjectDer: commonName(subject) }),
    })
    const csr = parseCsr(der)
    if (!csr.ok) throw csr.error
    return namesOfCsr(csr.value)
  }

  it('ok: its common name and its alternative names, by type', async () => {
    expect(await fromCsr('Example.com', ['*.example.com'])).toEqual({
      commonName: 'Example.com',
      dns: ['*.example.com'],
      ip: ['192.0.2.1'],
      email: ['a@example.com'],
      uri: ['spiffe://example.org/a'],
    })
  })
  it('ok: a common name that differs from the alternative names is one more name', async () => {
    const names = requireNames(await fromCsr('other.test', ['example.com']), CSR_PATHS)
    expect(names.altNames.slice(0, 2)).toEqual([
      { type: 'dns', value: 'other.test' },
      { type: 'dns', value: 'example.com' },
    ])
  })
  it.each(['example.com\0.evil.test', 'example.com.', ' example.com', 'a*.example.com', '192.0.2.1', 'xn--a.example'])(
    'fail: the dNSName %j',
    async (text) => {
      expect(errors(await fromCsr(null, [text]), CSR_PATHS)).toEqual([['csr_pem', expect.any(String)]])
    },
  )
  it.each(['example.com\0.evil.test', 'example.com.', ' example.com', 'a*.example.com', 'xn--a.example', 'a\0b'])(
    'fail: the common name %j',
    async (text) => {
      expect(errors(await fromCsr(text, ['example.com']), CSR_PATHS)).toEqual([['csr_pem', expect.any(String)]])
    },
  )
})
