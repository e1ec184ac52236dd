/**
 * What `JSON.parse` takes without a word: a name that stands twice in an object (the last one wins), and a number that is another one afterwards
 * (9007199254740993 becomes …992). RFC 8259 §4 and §6 leave both to the reader; here both are found, by where they stand. Looks at texts
 * that `JSON.parse` has taken, whose depth is bounded, in one pass; does not look at values.
 */

export interface JsonFlaw {
  /** `data.user[0]`; the names are the caller's. */
  readonly path: string
  readonly kind: 'twice' | 'inexact'
}

/** An object with the names that it has had so far, or a list. */
interface Frame {
  readonly names: Set<string> | null
  /** The name, or the position, of the member that comes next or is being read. */
  at: string | number
  /** Is the next text a name? */
  wantsName: boolean
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const MINUS = 0x2d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** No request and no token nests deeper than a handful; what recurses over them relies on this. */
export const MAX_JSON_DEPTH = 32

/** Counts brackets outside of strings, before anything recurses over them. */
export function nestsTooDeep(text: string): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i]
    if (inString) {
      if (char === '\\') i += 1
      else if (char === '"') inString = false
    } else if (char === '"') inString = true
    else if (char === '[' || char === '{') {
      depth += 1
      if (depth > MAX_JSON_DEPTH) return true
    } else if (char === ']' || char === '}') depth -= 1
  }
  return false
}

/** The first flaw of a JSON text, or null. */
export function findJsonFlaw(text: string): JsonFlaw | null {
  const frames: Frame[] = []
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i)
    const top = frames.at(-1)
    if (code === QUOTE) {
      const end = endOfText(text, i)
      if (top?.wantsName === true) {
        const name = nameOf(text, i, end)
        top.at = name
        if (top.names?.has(name) === true) return { path: pathOf(frames), kind: 'twice' }
        top.names?.add(name)
      }
      i = end
    } else if (code === COLON) {
      if (top !== undefined) top.wantsName = false
    } else if (code === COMMA) {
      if (top !== undefined) next(top)
    } else if (code === OPEN_OBJECT) frames.push({ names: new Set(), at: '', wantsName: true })
    else if (code === OPEN_LIST) frames.push({ names: null, at: 0, wantsName: false })
    else if (code === CLOSE_OBJECT || code === CLOSE_LIST) frames.pop()
    else if (code === MINUS || isDigit(code)) {
      const end = endOfNumber(text, i)
      if (!staysItself(text.slice(i, end))) return { path: pathOf(frames), kind: 'inexact' }
      i = end - 1
    }
  }
  return null
}

function next(frame: Frame): void {
  if (typeof frame.at === 'number') frame.at += 1
  else frame.wantsName = true
}

/** Where the quote is that ends the text which begins at that quote. */
function endOfText(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

/** An odd number of backslashes stands before it. */
function isEscaped(text: string, at: number): boolean {
  let before = at - 1
  while (text.charCodeAt(before) === BACKSLASH) before -= 1
  return (at - before) % 2 === 0
}

/** As it is read: `"\u0061"` and `"a"` are the same name. */
function nameOf(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end)
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

function endOfNumber(text: string, start: number): number {
  let end = start + 1
  while (isOfNumber(text.charCodeAt(end))) end += 1
  return end
}

/** A digit, or one of `+`, `-`, `.`, `E`, `e`; not NaN, which stands behind the end. */
const isOfNumber = (code: number): boolean =>
  isDigit(code) || code === 0x2b || code === MINUS || code === 0x2e || code === 0x45 || code === 0x65

/** A double has at least that many significant decimal digits that come back as they were. */
const SAFE_DIGITS = 15
/** The longest number that a double is written as has 309 digits: a longer one is a mistake. */
const MAX_NUMBER_CHARS = 400

/** Is what the parser makes of the number, written out again, the same number? */
function staysItself(number: string): boolean {
  if (number.length <= SAFE_DIGITS && !/[eE]/.test(number)) return true
  if (number.length > MAX_NUMBER_CHARS) return false
  const read = Number(number)
  return Number.isFinite(read) && decimalOf(String(read)) === decimalOf(number)
}

/** One spelling for each number: its significant digits, and the power of ten that they are counted in. */
function decimalOf(number: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(number) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}

/** Names are the caller's: a long one is cut. */
const MAX_NAME_CHARS = 100

function pathOf(frames: readonly Frame[]): string {
  return frames.reduce((path, { at }) => {
    if (typeof at === 'number') return `${path}[${at}]`
    const name = at.slice(0, MAX_NAME_CHARS)
    return path === '' ? name : `${path}.${name}`
  }, '')
}
