/**
 * The public CAs by name: where their directories are, and what is known about them that no directory says. What a
 * directory does say (profiles, renewalInfo, keyChange) is read there; the flags here are for people and for defaults.
 */
import { err, ok, type Result } from '../core/result.ts'
import type { RevocationReason } from './revocation.ts'

export const CERTIFICATE_AUTHORITY_CODES = [
  'letsencrypt',
  'zerossl',
  'google',
  'sslcom',
  'actalis',
  'buypass',
  'custom',
] as const
export type CertificateAuthorityCode = (typeof CERTIFICATE_AUTHORITY_CODES)[number]

export const ENVIRONMENTS = ['production', 'staging'] as const
export type Environment = (typeof ENVIRONMENTS)[number]

export interface CertificateAuthority {
  readonly code: CertificateAuthorityCode
  readonly name: string
  /** Null where the caller gives it, or where there is none. */
  readonly productionUrl: string | null
  readonly stagingUrl: string | null
  /** The directory that issues from an RSA hierarchy, where the CA has one per key type; `productionUrl` is the EC one. */
  readonly productionRsaUrl?: string
  /** RFC 8555 §7.3.4: is a key from the CA's own site needed? Null: its directory says so. */
  readonly externalAccountRequired: boolean | null
  /** RFC 8659 issuer domain names, for a check before any directory was read. */
  readonly caaIdentities: readonly string[]
  readonly features: CertificateAuthorityFeatures
  /** Set where the CA issues no longer. */
  readonly closed: { readonly lastIssuedOn: string; readonly alternatives: readonly CertificateAuthorityCode[] } | null
}

/** Null: not known beforehand. */
export interface CertificateAuthorityFeatures {
  /** RFC 9773. */
  readonly renewalInfo: boolean | null
  readonly profiles: boolean | null
  /** RFC 8555 §7.3.5. */
  readonly keyRollover: boolean | null
  /** RFC 8738. */
  readonly ipIdentifiers: boolean | null
  readonly wildcards: boolean | null
  /** RFC 8555 §7.4: does `notAfter` in an order do anything? */
  readonly notAfter: boolean | null
  /** Does finalize fail for accounts without a contact? */
  readonly contactRequired: boolean
  /** Names per certificate; null where it is not known. */
  readonly maxNames: number | null
  /** post-as-get: RFC 8555 §7.3.2 works. only-return-existing: the account's address answers something else; §7.3.1 works. */
  readonly accountRefresh: 'post-as-get' | 'only-return-existing'
  /** RFC 5280 §5.3.1 codes that its subscribers may give (RFC 8555 §7.6). */
  readonly revocationReasons: readonly RevocationReason[]
  /** Does a failed challenge end the authorization? Else it stays as it was, and only a time limit of our own ends it. */
  readonly failedChallengesEnd: boolean
}

const UNKNOWN: CertificateAuthorityFeatures = {
  renewalInfo: null,
  profiles: null,
  keyRollover: null,
  ipIdentifiers: null,
  wildcards: null,
  notAfter: null,
  contactRequired: false,
  maxNames: null,
  accountRefresh: 'only-return-existing',
  // What the CA/Browser Forum's Baseline Requirements leave to subscribers.
  revocationReasons: [0, 1, 3, 4, 5],
  failedChallengesEnd: true,
}

export const CERTIFICATE_AUTHORITIES: Readonly<Record<CertificateAuthorityCode, CertificateAuthority>> = {
  letsencrypt: {
    code: 'letsencrypt',
    name: "Let's Encrypt",
    productionUrl: 'https://acme-v02.api.letsencrypt.org/directory',
    stagingUrl: 'https://acme-staging-v02.api.letsencrypt.org/directory',
    externalAccountRequired: false,
    caaIdentities: ['letsencrypt.org'],
    features: {
      ...UNKNOWN,
      renewalInfo: true,
      profiles: true,
      keyRollover: true,
      // With the profile `shortlived` alone.
      ipIdentifiers: true,
      wildcards: true,
      notAfter: false,
      maxNames: 100,
      accountRefresh: 'post-as-get',
      // letsencrypt.org/docs/revoking; Boulder answers badRevocationReason to the others.
      revocationReasons: [0, 1, 4, 5],
    },
    closed: null,
  },
  zerossl: {
    code: 'zerossl',
    name: 'ZeroSSL',
    productionUrl: 'https://acme.zerossl.com/v2/DV90',
    stagingUrl: null,
    externalAccountRequired: true,
    // ZeroSSL's help page on CAA names the domain of the CA that signs for it.
    caaIdentities: ['sectigo.com'],
    features: {
      ...UNKNOWN,
      renewalInfo: false,
      profiles: false,
      keyRollover: false,
      ipIdentifiers: false,
      wildcards: true,
      accountRefresh: 'post-as-get',
      // It validates again by itself, and the authorization stays pending.
      failedChallengesEnd: false,
    },
    closed: null,
  },
  google: {
    code: 'google',
    name: 'Google Trust Services',
    productionUrl: 'https://dv.acme-v02.api.pki.goog/directory',
    stagingUrl: 'https://dv.acme-v02.test-api.pki.goog/directory',
    externalAccountRequired: true,
    caaIdentities: ['pki.goog'],
    // Posh-ACME refreshes accounts here by newAccount as well: the account's address does not answer POST-as-GET.
    features: {
      ...UNKNOWN,
      renewalInfo: true,
      keyRollover: true,
      ipIdentifiers: false,
      wildcards: true,
      notAfter: true,
    },
    closed: null,
  },
  sslcom: {
    code: 'sslcom',
    name: 'SSL.com',
    productionUrl: 'https://acme.ssl.com/sslcom-dv-ecc',
    productionRsaUrl: 'https://acme.ssl.com/sslcom-dv-rsa',
    stagingUrl: null,
    externalAccountRequired: true,
    caaIdentities: ['ssl.com'],
    features: {
      ...UNKNOWN,
      renewalInfo: false,
      profiles: false,
      keyRollover: false,
      // Free certificates have one name and its www; an account with funds is charged for more.
      contactRequired: true,
    },
    closed: null,
  },
  actalis: {
    code: 'actalis',
    name: 'Actalis',
    productionUrl: 'https://acme-api.actalis.com/acme/directory',
    stagingUrl: null,
    externalAccountRequired: true,
    caaIdentities: ['actalis.it'],
    features: {
      ...UNKNOWN,
      renewalInfo: true,
      keyRollover: true,
      // Free certificates: one name and its www, no wildcard.
      wildcards: null,
      accountRefresh: 'post-as-get',
      failedChallengesEnd: false,
    },
    closed: null,
  },
  buypass: {
    code: 'buypass',
    name: 'Buypass',
    productionUrl: null,
    stagingUrl: null,
    externalAccountRequired: false,
    caaIdentities: ['buypass.com'],
    features: UNKNOWN,
    closed: { lastIssuedOn: '2025-10-31', alternatives: ['letsencrypt', 'google', 'zerossl', 'actalis', 'sslcom'] },
  },
  custom: {
    code: 'custom',
    name: 'another ACME server',
    productionUrl: null,
    stagingUrl: null,
    externalAccountRequired: null,
    caaIdentities: [],
    features: UNKNOWN,
    closed: null,
  },
}

/** Every directory of the table. */
export function knownDirectories(): readonly string[] {
  return Object.values(CERTIFICATE_AUTHORITIES).flatMap(({ productionUrl, productionRsaUrl, stagingUrl }) =>
    [productionUrl, productionRsaUrl ?? null, stagingUrl].filter((url) => url !== null),
  )
}

export interface DirectoryChoice {
  readonly provider: CertificateAuthorityCode
  readonly environment: Environment
  /** For `custom` alone. */
  readonly directoryUrl?: string
  /** Of the certificates to come: SSL.com has a directory for each. */
  readonly certificateKeyType?: 'ec' | 'rsa'
}

/** The directory to use; the error is a sentence that says what to do instead. */
export function chooseDirectoryUrl(choice: DirectoryChoice): Result<string, string> {
  const authority = CERTIFICATE_AUTHORITIES[choice.provider]
  if (authority.closed !== null) {
    const { lastIssuedOn, alternatives } = authority.closed
    return err(
      `${authority.name} has issued no certificate since ${lastIssuedOn}; use ${alternatives.join(', ')} instead`,
    )
  }
  if (choice.provider === 'custom') {
    return choice.directoryUrl === undefined
      ? err('give the directory_url of the ACME server')
      : ok(choice.directoryUrl)
  }
  if (choice.directoryUrl !== undefined) return err('directory_url is for the provider custom')
  const production =
    choice.certificateKeyType === 'rsa'
      ? (authority.productionRsaUrl ?? authority.productionUrl)
      : authority.productionUrl
  const url = choice.environment === 'production' ? production : authority.stagingUrl
  return url === null ? err(`${authority.name} has no ${choice.environment} environment`) : ok(url)
}
