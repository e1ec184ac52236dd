/**
 * CRL numbers (RFC 5280 §5.2.3) are counted as integers in the CA's row; make-crl.ts claims them. Those of an imported CA may be
 * larger than the database counts exactly: then they go on from a base, which is added wherever a number leaves.
 */
import { type Bytes, toHex } from '../../core/bytes.ts'
import type { CaRow } from '../../store/authorities.ts'

type CrlBase = Pick<CaRow, 'crlNumberBase'>

/** The number of a CRL, of its count. */
export const fullCrlNumber = ({ crlNumberBase }: CrlBase, count: number): bigint =>
  BigInt(count) + (crlNumberBase === null ? 0n : BigInt(`0x${crlNumberBase}`))

/** As answers and events show it: digits in a string where it is beyond what a JSON number holds exactly. */
export function shownCrlNumber(base: CrlBase, count: number): number | string {
  const full = fullCrlNumber(base, count)
  return full <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(full) : full.toString()
}

/** RFC 5280 §5.2.3: "CRL issuers MUST NOT use CRLNumber values longer than 20 octets"; the highest bit is the sign. */
const LARGEST = (1n << 159n) - 1n
/** Room for more lists than a CA will ever make. */
const ROOM = 1n << 40n

/** Count and base that go on behind that number, given as a magnitude. Null where there is no room behind it. */
export function crlNumbersAfter(magnitude: Bytes): { readonly count: number; readonly base: string | null } | null {
  const last = BigInt(`0x${toHex(magnitude)}`)
  if (last + ROOM > LARGEST) return null
  return last + ROOM > BigInt(Number.MAX_SAFE_INTEGER)
    ? { count: 0, base: last.toString(16) }
    : { count: Number(last), base: null }
}
