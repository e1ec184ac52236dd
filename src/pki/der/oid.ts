/** OBJECT IDENTIFIER contents (X.690 §8.19) and their dotted text. */
import type { Bytes } from '../../core/bytes.ts'
import { DerError } from './errors.ts'
import { MAX_OID_OCTETS } from './limits.ts'

/** Dotted text of content octets. `offset` is where they start, for the error. */
export function decodeOid(content: Uint8Array, offset: number): string {
  if (content.length === 0 || content.length > MAX_OID_OCTETS) {
    throw new DerError('value', offset, `an object identifier has 1 to ${MAX_OID_OCTETS} octets`)
  }
  if (((content.at(-1) as number) & 0x80) !== 0)
    throw new DerError('value', offset, 'an object identifier is cut short')
  let text = ''
  let start = true
  let small = 0
  let big: bigint | null = null
  for (const octet of content) {
    // X.690 §8.19.2: "the leading octet of the subidentifier shall not have the value 0x80".
    if (start && octet === 0x80) throw new DerError('value', offset, 'an object identifier has a padded arc')
    start = false
    if (big === null && small > 0xff_ffff_ffff) big = BigInt(small)
    if (big === null) small = small * 128 + (octet & 0x7f)
    else big = big * 128n + BigInt(octet & 0x7f)
    if ((octet & 0x80) !== 0) continue
    text += text === '' ? firstArcs(small, big) : `.${big ?? small}`
    start = true
    small = 0
    big = null
  }
  return text
}

function firstArcs(small: number, big: bigint | null): string {
  if (big !== null) return `2.${big - 80n}`
  const root = small < 40 ? 0 : small < 80 ? 1 : 2
  return `${root}.${small - root * 40}`
}

/** Content octets of dotted text. MUST be given text of that form: object identifiers to write are constants of ours. */
export function encodeOid(dotted: string): Bytes {
  if (!/^[0-2](\.(0|[1-9]\d*))+$/.test(dotted)) throw new TypeError(`${dotted} is not an object identifier`)
  const [root, second, ...rest] = dotted.split('.').map(BigInt) as [bigint, bigint, ...bigint[]]
  if (root < 2n && second > 39n) throw new TypeError(`${dotted} is not an object identifier`)
  const octets: number[] = []
  for (const arc of [root * 40n + second, ...rest]) {
    const groups: number[] = []
    for (let left = arc; groups.length === 0 || left > 0n; left >>= 7n) groups.unshift(Number(left & 0x7fn) | 0x80)
    groups[groups.length - 1] = (groups.at(-1) as number) & 0x7f
    octets.push(...groups)
  }
  return new Uint8Array(octets)
}
