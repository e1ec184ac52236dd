/**
 * Textual encodings (RFC 7468): several blocks, text around them ignored, lines of any length and either line ending.
 * Strict about labels and the alphabet. Does not look into the DER, and refuses blocks with headers, which are encrypted keys.
 */
import { type Bytes, fromBase64, toBase64 } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { MAX_PEM_BLOCKS, MAX_PEM_CHARS } from './limits.ts'

export interface PemBlock {
  /** As in `-----BEGIN <label>-----`. */
  readonly label: string
  readonly der: Bytes
}

export interface PemError {
  readonly reason: 'too_large' | 'no_block' | 'malformed' | 'has_headers' | 'unexpected_label'
  readonly message: string
}

export interface PemLimits {
  readonly maxChars?: number
  readonly maxBlocks?: number
}

const fault = (reason: PemError['reason'], message: string): Result<never, PemError> => err({ reason, message })

/** A line that is a boundary, whole (RFC 7468 §3: the label has no hyphen at its ends). */
const BOUNDARY = /^-----(BEGIN|END) ([A-Z0-9]+(?:[ -][A-Z0-9]+)*)-----$/

/** Every block of a text, at least one. */
export function parsePem(text: string, limits: PemLimits = {}): Result<PemBlock[], PemError> {
  const maxChars = limits.maxChars ?? MAX_PEM_CHARS
  const maxBlocks = limits.maxBlocks ?? MAX_PEM_BLOCKS
  if (text.length > maxChars) return fault('too_large', `the PEM text is longer than ${maxChars} characters`)
  const blocks: PemBlock[] = []
  let open: { label: string; base64: string[] } | null = null
  for (const rawLine of text.split('\n')) {
    const line = rawLine.trim()
    const boundary = line.startsWith('-----') ? BOUNDARY.exec(line) : null
    if (boundary === null) {
      if (line.startsWith('-----')) return fault('malformed', 'a line that starts with hyphens is no PEM boundary')
      if (open === null || line === '') continue
      // RFC 1421 §4.4 headers: only encrypted keys still have them.
      if (line.includes(':')) return fault('has_headers', 'a PEM block has headers, as encrypted keys have')
      open.base64.push(line)
      continue
    }
    const [, edge, label] = boundary as unknown as [string, 'BEGIN' | 'END', string]
    if (edge === 'BEGIN') {
      if (open !== null) return fault('malformed', 'a PEM block starts inside another one')
      if (blocks.length >= maxBlocks) return fault('too_large', `there are more than ${maxBlocks} PEM blocks`)
      open = { label, base64: [] }
      continue
    }
    if (open === null || open.label !== label) return fault('malformed', 'a PEM block ends that did not start')
    const der = fromBase64(open.base64.join(''))
    if (der === null || der.length === 0) return fault('malformed', `a ${label} block is not base64`)
    blocks.push({ label, der })
    open = null
  }
  if (open !== null) return fault('malformed', `a ${open.label} block has no end`)
  return blocks.length === 0 ? fault('no_block', 'there is no PEM block') : ok(blocks)
}

/** The DER of every block, all of which MUST bear that label. */
export function parsePemOf(label: string, text: string, limits: PemLimits = {}): Result<Bytes[], PemError> {
  const blocks = parsePem(text, limits)
  if (!blocks.ok) return blocks
  const other = blocks.value.find((block) => block.label !== label)
  if (other !== undefined) return fault('unexpected_label', `found a ${other.label} block where ${label} belongs`)
  return ok(blocks.value.map((block) => block.der))
}

/** RFC 7468 §2: lines of 64 characters. Ends with a line feed. */
export function formatPem(label: string, der: Uint8Array): string {
  const lines = toBase64(der).match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** Certificates one after another, leaf first as the caller orders them. */
export const formatCertificatesPem = (ders: readonly Uint8Array[]): string =>
  ders.map((der) => formatPem('CERTIFICATE', der)).join('')
