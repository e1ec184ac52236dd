/** Ranges of IP addresses in CIDR notation (RFC 4632, RFC 4291). IPv4 and IPv6 never match each other. */
import { err, ok, type Result } from '../core/result.ts'
import { parseIpAddress } from './ip-address.ts'

export interface IpRange {
  /** 4 or 16 octets. */
  readonly octets: Uint8Array
  readonly prefixBits: number
}

/** The error is a sentence for the caller. */
export function parseIpRange(text: string): Result<IpRange, string> {
  const match = /^([0-9a-fA-F.:]+)\/(0|[1-9]\d{0,2})$/.exec(text)
  const octets = match === null ? null : parseIpAddress(match[1] as string)
  const prefixBits = Number(match?.[2])
  if (octets === null || prefixBits > octets.length * 8) {
    return err('give a range such as 10.0.0.0/8 or fd00::/8')
  }
  const range = { octets, prefixBits }
  const hasHostBits = octets.some((octet, index) => (octet & ~maskOctet(prefixBits, index) & 0xff) !== 0)
  return hasHostBits ? err('the address has bits set behind the prefix: is it the range that you mean?') : ok(range)
}

export function isInIpRange(octets: Uint8Array, range: IpRange): boolean {
  if (octets.length !== range.octets.length) return false
  return range.octets.every((octet, index) => {
    const mask = maskOctet(range.prefixBits, index)
    return (octet & mask) === ((octets[index] as number) & mask)
  })
}

/** The mask of a range, in as many octets as its address has. */
export const maskOf = ({ octets, prefixBits }: IpRange): Uint8Array =>
  Uint8Array.from(octets, (_, index) => maskOctet(prefixBits, index))

function maskOctet(prefixBits: number, index: number): number {
  const bits = Math.min(8, Math.max(0, prefixBits - 8 * index))
  return (0xff << (8 - bits)) & 0xff
}

/** RFC 4291 §2.5.5.2: `::ffff:0:0/96`, IPv4 addresses in the form of IPv6. */
const MAPPED: IpRange = {
  octets: new Uint8Array([...new Array<number>(10).fill(0), 255, 255, 0, 0, 0, 0]),
  prefixBits: 96,
}

/** Octets of an IPv6 address that is an IPv4 address, its last four octets. */
export const isMappedAddress = (octets: Uint8Array): boolean => isInIpRange(octets, MAPPED)

/** A range of such addresses alone. */
export const isMappedRange = ({ octets, prefixBits }: IpRange): boolean =>
  prefixBits >= MAPPED.prefixBits && isMappedAddress(octets)
