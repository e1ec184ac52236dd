/** Signature algorithms of tokens (RFC 7518 §3.1, RFC 8037 §3.1): asymmetric ones alone, so neither `none` nor a shared secret. */
import type { PublicJwk } from '../../store/sign-in-settings.ts'

interface KeyForm {
  readonly kty: PublicJwk['kty']
  readonly crv?: string
}

const FORMS = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  PS384: { kty: 'RSA' },
  PS512: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
} as const satisfies Readonly<Record<string, KeyForm>>

export type SignInAlgorithm = keyof typeof FORMS

export const SIGN_IN_ALGORITHMS = Object.keys(FORMS) as readonly SignInAlgorithm[]

export const DEFAULT_ALGORITHMS: readonly SignInAlgorithm[] = ['RS256', 'ES256']

/** May a signature with that algorithm be verified with the key? By its kind, its curve and the one algorithm that it may name. */
export function fitsAlgorithm(jwk: PublicJwk, algorithm: string): boolean {
  if (!Object.hasOwn(FORMS, algorithm)) return false
  const form: KeyForm = FORMS[algorithm as SignInAlgorithm]
  const isKind = jwk.kty === form.kty && (form.crv === undefined || jwk.crv === form.crv)
  return isKind && (jwk.alg === undefined || jwk.alg === algorithm)
}
