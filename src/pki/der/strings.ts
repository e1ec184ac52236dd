/** Text of the ASN.1 string types that names are made of. */
import { fromUtf8 } from '../../core/bytes.ts'
import { TAG } from './tags.ts'

/** Text of a string value, or null where the tag is no string type or the bytes do not fit it. */
export function decodeString(tag: number, content: Uint8Array): string | null {
  switch (tag) {
    case TAG.utf8String:
      return fromUtf8(content)
    case TAG.printableString:
    case TAG.numericString:
    case TAG.ia5String:
    case TAG.visibleString:
      // Certificates in use hold '@' and '*' in PrintableStrings: the repertoire is not checked beyond ASCII.
      return decodeAscii(content)
    case TAG.teletexString:
      // T.61 by the standard; writers of this type put Latin-1 into it.
      return decodeUnits(content, 1)
    case TAG.bmpString:
      return decodeUnits(content, 2)
    case TAG.universalString:
      return decodeUnits(content, 4)
    default:
      return null
  }
}

/** Text of ASCII octets, or null. */
export function decodeAscii(content: Uint8Array): string | null {
  return content.every((octet) => octet < 0x80) ? decodeUnits(content, 1) : null
}

function decodeUnits(content: Uint8Array, width: 1 | 2 | 4): string | null {
  if (content.length % width !== 0) return null
  let text = ''
  for (let i = 0; i < content.length; i += width) {
    let code = 0
    for (let k = 0; k < width; k += 1) code = code * 256 + (content[i + k] as number)
    if (code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff)) return null
    text += String.fromCodePoint(code)
  }
  return text
}
