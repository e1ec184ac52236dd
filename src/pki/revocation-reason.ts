/** Why a certificate was revoked (RFC 5280 §5.3.1), by the names of the API. One table. */

/** 7 is not used; 8, removeFromCRL, exists in delta CRLs alone, which are not made here. */
export const REVOCATION_REASONS = {
  unspecified: 0,
  key_compromise: 1,
  ca_compromise: 2,
  affiliation_changed: 3,
  superseded: 4,
  cessation_of_operation: 5,
  certificate_hold: 6,
  privilege_withdrawn: 9,
  aa_compromise: 10,
} as const

export type RevocationReason = keyof typeof REVOCATION_REASONS

/** The name of a reasonCode, or null. */
export function revocationReasonOf(code: number): RevocationReason | null {
  const names = Object.keys(REVOCATION_REASONS) as RevocationReason[]
  return names.find((name) => REVOCATION_REASONS[name] === code) ?? null
}
