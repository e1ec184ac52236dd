/**
 * Internationalized labels as certificates may hold them: IDNA2008 (RFC 5890 to 5893). Platforms apply UTS 46, which also takes
 * symbols. The properties of characters are those of the platform's Unicode. Mapping, normalization and the rule for
 * text that runs from right to left are left to UTS 46, which has the same ones.
 */

/** What is wrong with the A-labels of a name in lower case, as a sentence for the caller, or null. */
export function idnaProblem(asciiName: string): string | null {
  if (!/(^|\.)xn--/.test(asciiName)) return null
  const labels = asciiName.split('.')
  const decoded = labels.map((label) => (label.startsWith('xn--') ? decodePunycode(label.slice(4)) : label))
  for (const [index, label] of decoded.entries()) {
    if (label === null) return NO_A_LABEL
    const problem = labels[index] === label ? null : labelProblem(label)
    if (problem !== null) return problem
  }
  // RFC 5890 §2.3.2.1: an A-label and its U-label are "always convertible" into each other.
  return hostOf(decoded.join('.')) === asciiName ? null : NO_A_LABEL
}

const NO_A_LABEL = 'a DNS name has an xn-- label that is not valid'

function hostOf(name: string): string | null {
  const url = `http://${name}/`
  return URL.canParse(url) ? new URL(url).hostname : null
}

/** RFC 5891 §4.2.3, RFC 5892 §3. */
function labelProblem(label: string): string | null {
  // RFC 5891 §4.2.3.1: no hyphens in the third and fourth place, none at the ends.
  if (label.slice(2, 4) === '--' || label.startsWith('-') || label.endsWith('-')) return NO_A_LABEL
  // RFC 5891 §4.2.3.2: "The Unicode string MUST NOT begin with a combining mark".
  if (/^\p{M}/u.test(label)) return 'a label of a DNS name begins with a combining mark'
  const characters = [...label]
  for (const [index, character] of characters.entries()) {
    if (isValid(character) || isValidHere(character, index, characters, label)) continue
    const codePoint = (character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')
    return `a DNS name holds U+${codePoint}, which internationalized names do not have (RFC 5892)`
  }
  return null
}

/** RFC 5892 §2.6: exceptions. */
const ALWAYS_VALID = /[\u00df\u03c2\u06fd\u06fe\u0f0b\u3007]/u
const NEVER_VALID: readonly number[] = [0x0640, 0x07fa, 0x302e, 0x302f, 0x3031, 0x3032, 0x3033, 0x3034, 0x3035, 0x303b]
/** RFC 5892 §2.8 and §2.9: blocks for notation, and old jamo. */
const DISALLOWED_BLOCKS: readonly (readonly [number, number])[] = [
  [0x1100, 0x11ff],
  [0x20d0, 0x20ff],
  [0xa960, 0xa97f],
  [0xd7b0, 0xd7ff],
  [0x1d100, 0x1d24f],
]

/** RFC 5892 §2.1 (letters, digits and marks) without §2.2 (what changes when it is normalized). */
function isValid(character: string): boolean {
  if (/^[a-z0-9-]$/.test(character) || ALWAYS_VALID.test(character)) return true
  const codePoint = character.codePointAt(0) as number
  const isBlocked = DISALLOWED_BLOCKS.some(([first, last]) => codePoint >= first && codePoint <= last)
  if (NEVER_VALID.includes(codePoint) || isBlocked || IN_CONTEXT.test(character)) return false
  return /[\p{Ll}\p{Lu}\p{Lo}\p{Nd}\p{Lm}\p{Mn}\p{Mc}]/u.test(character) && !/\p{CWKCF}/u.test(character)
}

/** Characters that are valid beside certain others alone (RFC 5892 Appendix A). */
const IN_CONTEXT = /[\u00b7\u0375\u05f3\u05f4\u30fb\u0660-\u0669\u06f0-\u06f9]|\u200c|\u200d/u

function isValidHere(character: string, index: number, characters: readonly string[], label: string): boolean {
  const before = characters[index - 1] ?? ''
  const after = characters[index + 1] ?? ''
  switch (character) {
    case '\u00b7':
      return before === 'l' && after === 'l'
    case '\u0375':
      return /\p{Script=Greek}/u.test(after)
    case '\u05f3':
    case '\u05f4':
      return /\p{Script=Hebrew}/u.test(before)
    case '\u30fb':
      return /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(label.replaceAll('\u30fb', ''))
    case '\u200c':
    case '\u200d':
      // RFC 5892 §A.1, §A.2: UTS 46 has checked what stands around them.
      return true
    default:
      // RFC 5892 §A.8, §A.9: digits of the two Arabic kinds do not stand in one label.
      return IN_CONTEXT.test(character) && !(/[\u0660-\u0669]/u.test(label) && /[\u06f0-\u06f9]/u.test(label))
  }
}

/** RFC 3492 §6.2, with the parameters of §5. Null where it is no Punycode. */
function decodePunycode(encoded: string): string | null {
  const delimiter = encoded.lastIndexOf('-')
  const output = [...encoded.slice(0, Math.max(delimiter, 0))]
  let [codePoint, position, bias] = [128, 0, 72]
  for (let next = delimiter < 0 ? 0 : delimiter + 1; next < encoded.length; ) {
    const start = position
    for (let weight = 1, k = 36; ; k += 36) {
      const digit = '0123456789'.includes(encoded[next] ?? ' ')
        ? encoded.charCodeAt(next) - 22
        : encoded.charCodeAt(next) - 97
      next += 1
      if (!(digit >= 0 && digit < 36)) return null
      position += digit * weight
      const threshold = Math.min(26, Math.max(1, k - bias))
      if (digit < threshold) break
      weight *= 36 - threshold
      if (position > MAX_DELTA || weight > MAX_DELTA) return null
    }
    const length = output.length + 1
    bias = adaptedBias(position - start, length, start === 0)
    codePoint += Math.floor(position / length)
    position %= length
    if (codePoint > 0x10_ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) return null
    output.splice(position, 0, String.fromCodePoint(codePoint))
    position += 1
  }
  return output.join('')
}

const MAX_DELTA = 0x7fff_ffff

/** RFC 3492 §6.1. */
function adaptedBias(delta: number, length: number, isFirst: boolean): number {
  let rest = Math.floor(delta / (isFirst ? 700 : 2))
  rest += Math.floor(rest / length)
  let k = 0
  for (; rest > 455; k += 36) rest = Math.floor(rest / 35)
  return k + Math.floor((36 * rest) / (rest + 38))
}
