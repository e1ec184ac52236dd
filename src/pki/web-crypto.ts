/** A key of the platform's WebCrypto: the type library of Workers and that of Node each name it their own way. */
export type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/** What of a JSON Web Key is read and written here: the public half on a curve (RFC 7518 §6.2, RFC 8037 §2). */
export interface CurveJwk {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y?: string
}
