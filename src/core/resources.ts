/**
 * What resources are called: in the paths of tokens and subscriptions, in the journal, and in the log. One name for each kind, here alone.
 * The forms as they are explained to callers: access/resource-forms.ts.
 */

/** The name of one resource by its id; a role's and a secret's by name and path. */
export const resourceName = {
  acmeAccount: (id: string): string => `pki/acme/accounts/${id}`,
  acmeOrder: (id: string): string => `pki/acme/orders/${id}`,
  ca: (id: string): string => `pki/ca/${id}`,
  certificate: (id: string): string => `pki/certificates/${id}`,
  csr: (id: string): string => `pki/csr/${id}`,
  dnsProvider: (id: string): string => `pki/dns-providers/${id}`,
  role: (name: string): string => `pki/roles/${name}`,
  secret: (path: string): string => `secrets/${path}`,
  signInIssuer: (id: string): string => `sign-in/issuers/${id}`,
  subscription: (id: string): string => `subscriptions/${id}`,
  tenant: (id: string): string => `tenants/${id}`,
  token: (id: string): string => `tokens/${id}`,
  trustAnchor: (id: string): string => `pki/trust-anchors/${id}`,
  zone: (id: string): string => `zones/${id}`,
} as const

/** Every resource of a kind, as a glob: what a list shows. */
export const everyResource = {
  acmeAccount: 'pki/acme/accounts/acme_*',
  acmeOrder: 'pki/acme/orders/acme_order_*',
  ca: 'pki/ca/ca_*',
  certificate: 'pki/certificates/cert_*',
  csr: 'pki/csr/csr_*',
  dnsProvider: 'pki/dns-providers/dnsp_*',
  role: 'pki/roles/*',
  secret: 'secrets/*',
  signInIssuer: 'sign-in/issuers/idp_*',
  subscription: 'subscriptions/sub_*',
  tenant: 'tenants/ten_*',
  token: 'tokens/tok_*',
  trustAnchor: 'pki/trust-anchors/trust_anchor_*',
  zone: 'zones/zone_*',
} as const

/** The settings of the caller's own tenant: an area, whatever the tenant's id. */
export const OWN_TENANT = 'tenant'
