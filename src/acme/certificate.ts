/** Issued chains (RFC 8555 §7.4.2, §9.1): split into certificates, not parsed and not verified. */
import { type Bytes, fromBase64, fromUtf8, toBase64 } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { MAX_CHAIN_CERTIFICATES } from './limits.ts'

export interface DownloadedChain {
  /** Where it came from. */
  readonly url: string
  /** Leaf first, written anew: nothing but certificates. */
  readonly chainPem: string
  /** The same, leaf first. */
  readonly certificatesDer: readonly Bytes[]
  /** `Link: rel="alternate"`: other chains for the same leaf. */
  readonly alternateUrls: readonly string[]
}

/**
 * The DER certificates of a PEM chain, leaf first. RFC 8555 §11.4: where anything but a certificate is found, "the client
 * MUST reject the file as invalid", since a server could slip in a private key of its choosing.
 */
export function parsePemChain(body: Uint8Array): Result<readonly Bytes[], string> {
  const text = fromUtf8(body)
  if (text === null) return err('is not text')
  const certificates: Bytes[] = []
  const rest = text.replace(PEM_BLOCK, (_block, content: string) => {
    const der = fromBase64(content.replace(/\s+/g, ''))
    certificates.push(der ?? new Uint8Array(0))
    return ''
  })
  if (rest.trim() !== '') return err('holds something besides certificates')
  if (certificates.length === 0) return err('holds no certificate')
  if (certificates.length > MAX_CHAIN_CERTIFICATES) return err(`holds more than ${MAX_CHAIN_CERTIFICATES} certificates`)
  // A DER SEQUENCE; what is in it is read by pki/.
  if (certificates.some((der) => der.length < 4 || der[0] !== 0x30)) return err('holds a block that is no certificate')
  return ok(certificates)
}

/** RFC 7468 §3: 64 characters a line. */
export function formatPemChain(certificatesDer: readonly Uint8Array[]): string {
  return certificatesDer
    .map((der) => {
      const lines = toBase64(der).match(/.{1,64}/g) ?? []
      return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
    })
    .join('')
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*?)-----END CERTIFICATE-----/g
