/**
 * A second, naive statement of what a role allows, for judging certificates as another parser reads them. It lists the names that a
 * wildcard stands for instead of reasoning about it.
 */
import 'reflect-metadata'
import { isIP } from 'node:net'
import type { X509Certificate } from '@peculiar/x509'
import { SubjectAlternativeNameExtension } from '@peculiar/x509'
import type { RolePolicy } from '../../../../src/store/role-policy.ts'

export interface Item {
  readonly type: string
  readonly value: string
}

export interface ReadBack {
  readonly commonName: string | null
  readonly items: readonly Item[]
}

export const LABELS = ['a', 'b', 'example', 'com', 'evilexample', 'localhost', 'localdomain', 'xn--bcher-kva'] as const
/** Written by nobody: what holds for it holds for every label. */
const FRESH = 'q7'

/** The second statement of the rules. Shares nothing with the first but the names of the settings. */
export function isAllowed(policy: RolePolicy, { commonName, items }: ReadBack): boolean {
  const isCommonNameCovered =
    commonName === null ||
    policy.allowAnyName ||
    items.some(({ type, value }) => type !== 'url' && comparable(value) === comparable(commonName))
  if (!isCommonNameCovered || (policy.requireCn && commonName === null)) return false
  return items.every((item) => isItemAllowed(policy, item))
}

/** One text for one address, however it is written; other names as they are. */
export const comparable = (text: string): string => (isIP(text) === 0 ? text : bitsOf(text).join(''))

function isItemAllowed(policy: RolePolicy, { type, value }: Item): boolean {
  switch (type) {
    case 'dns': {
      const [first, ...rest] = value.split('.')
      if (first !== '*') return isHostAllowed(policy, value.split('.'))
      return (
        policy.allowWildcardCertificates && [FRESH, ...LABELS].every((label) => isHostAllowed(policy, [label, ...rest]))
      )
    }
    case 'ip': {
      if (!policy.allowIpSans) return false
      const bits = bitsOf(value).join('')
      return (
        policy.allowedIpRanges.length === 0 || policy.allowedIpRanges.some((range) => bits.startsWith(prefixOf(range)))
      )
    }
    case 'email':
      return policy.allowedEmailDomains.some((domain) => {
        const wanted = domain.split('.')
        const host = value.split('@')[1]?.split('.') ?? []
        return host.length === wanted.length && wanted.every((label, index) => label === '*' || label === host[index])
      })
    case 'url':
      return (
        /^[a-z]+:\/\/[a-z.]+(\/[\w.-]+)*$/.test(value) &&
        !value.split('/').some((segment) => segment === '.' || segment === '..') &&
        policy.allowedUriSans.some((pattern) =>
          new RegExp(
            `^${pattern
              .split('*')
              .map((piece) => piece.replaceAll('.', '\\.'))
              .join('.*')}$`,
          ).test(value),
        )
      )
    default:
      return false
  }
}

/** One host name, no wildcard. */
function isHostAllowed(policy: RolePolicy, host: readonly string[]): boolean {
  const last = host.at(-1)
  if (last === 'localhost' || (last === 'localdomain' && host.at(-2) === 'localhost')) return policy.allowLocalhost
  if (policy.allowAnyName) return true
  return policy.allowedDomains.some((domain) => {
    const isStar = domain.startsWith('*.')
    const base = domain.split('.').slice(isStar ? 1 : 0)
    const missing = host.length - base.length
    if (missing < 0 || host.slice(missing).join('.') !== base.join('.')) return false
    if (missing === 0) return policy.allowBareDomains && !isStar
    if (missing === 1 && isStar) return true
    return policy.allowSubdomains
  })
}

/** `4` or `6`, then one bit each. A mapped address counts as the IPv4 address that it leads to. */
function bitsOf(text: string): string[] {
  const binary = (value: number, length: number): string => value.toString(2).padStart(length, '0')
  if (!text.includes(':')) return ['4', ...text.split('.').map((part) => binary(Number(part), 8))]
  const [head = '', tail] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::')
  const groups = (part: string): string[] => part.split(':').filter((group) => group !== '')
  const end = groups(tail ?? '')
  const zeros = new Array<string>(8 - groups(head).length - end.length).fill('0')
  const bits = [...groups(head), ...zeros, ...end].map((group) => binary(Number.parseInt(group, 16), 16)).join('')
  const mapped = `${'0'.repeat(80)}${'1'.repeat(16)}`
  return bits.startsWith(mapped) ? ['4', bits.slice(96)] : ['6', bits]
}

function prefixOf(range: string): string {
  const [address = '', length] = range.split('/')
  return bitsOf(address)
    .join('')
    .slice(0, 1 + Number(length))
}

/** The names of a certificate, read by a parser that is not this project's. */
export const readNames = (certificate: X509Certificate): ReadBack => ({
  commonName: certificate.subjectName.getField('CN')[0] ?? null,
  items: certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON() ?? [],
})
