/** What rows hold as JSON, each with every field. */
import type { OrderRequest } from '../../../src/store/order-request.ts'
import type { RolePolicy } from '../../../src/store/role-policy.ts'

export const ORDER_REQUEST: OrderRequest = {
  accountId: 'acme_x',
  domains: ['www.example.com'],
  challengeType: 'dns-01',
  autoRenew: true,
  key: { type: 'ec', size: 256 },
  csrBase64: null,
  dnsProviderIds: null,
  preferredChain: null,
  profile: null,
  notAfterMs: null,
  solver: 'auto',
  retry: false,
}

export const ROLE_POLICY: RolePolicy = {
  allowedDomains: ['example.com'],
  allowSubdomains: true,
  allowBareDomains: true,
  allowWildcardCertificates: true,
  allowAnyName: false,
  allowLocalhost: false,
  allowIpSans: false,
  allowedIpRanges: [],
  allowedUriSans: [],
  allowedEmailDomains: [],
  maxTtlSeconds: 30 * 86_400,
  defaultTtlSeconds: 30 * 86_400,
  hasDefaultTtl: false,
  keyType: 'ec',
  keyBits: 256,
  requireCn: true,
  storePrivateKeys: false,
  serverAuth: true,
  clientAuth: true,
  keyUsages: null,
  notBeforeBackdateSeconds: 30,
  subject: {},
  extKeyUsages: [],
  noRevAvail: false,
}
