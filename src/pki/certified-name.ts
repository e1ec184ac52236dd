/**
 * Names from elsewhere as RFC 5280 has them: each value in the string type of its attribute, within its bounds, sets in the order of
 * DER. What cannot be written so is refused by name; the text itself is never changed.
 */
import type { Bytes } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { parseAltName } from './alt-name.ts'
import { TAG } from './der/tags.ts'
import {
  derIa5String,
  derOidOnce,
  derPrintableString,
  derSequence,
  derSetOf,
  derUtf8String,
  isPrintableText,
} from './der/writer.ts'
import { checkCountry, checkNameText } from './distinguished-name.ts'
import type { DistinguishedName, NameAttribute } from './general-name.ts'
import { ATTRIBUTE } from './oids.ts'

/** RFC 5280 §4.1.2.4: DirectoryString as PrintableString or UTF8String; the others have one type alone. */
type Syntax = 'directory' | 'printable' | 'ia5' | 'country' | 'email'

/** RFC 5280 Appendix A.1 and A.2 with X.520 (2019) §6 where the RFC leaves the length open. */
const ATTRIBUTES: Readonly<Record<string, readonly [Syntax, number]>> = {
  [ATTRIBUTE.commonName]: ['directory', 64],
  [ATTRIBUTE.surname]: ['directory', 64],
  [ATTRIBUTE.serialNumber]: ['printable', 64],
  [ATTRIBUTE.country]: ['country', 2],
  [ATTRIBUTE.locality]: ['directory', 128],
  [ATTRIBUTE.province]: ['directory', 128],
  [ATTRIBUTE.streetAddress]: ['directory', 128],
  [ATTRIBUTE.organization]: ['directory', 64],
  [ATTRIBUTE.organizationalUnit]: ['directory', 64],
  [ATTRIBUTE.title]: ['directory', 64],
  [ATTRIBUTE.postalCode]: ['directory', 40],
  [ATTRIBUTE.givenName]: ['directory', 64],
  [ATTRIBUTE.dnQualifier]: ['printable', 64],
  [ATTRIBUTE.pseudonym]: ['directory', 128],
  [ATTRIBUTE.domainComponent]: ['ia5', 63],
  [ATTRIBUTE.userId]: ['directory', 256],
  [ATTRIBUTE.emailAddress]: ['email', 255],
}
/** For attributes that are not known here. */
const MAX_CHARS = 256
/** More attributes than any real name has. */
const MAX_ATTRIBUTES = 50

/** The name in DER, with `commonName` in place of its own where one is given. The error is a sentence for the caller. */
export function certifiedName(name: DistinguishedName, commonName: string | null = null): Result<Bytes, string> {
  if (name.rdns.flat().length > MAX_ATTRIBUTES) return err(`the subject has more than ${MAX_ATTRIBUTES} attributes`)
  const rdns: Bytes[] = []
  for (const rdn of name.rdns) {
    const attributes: Bytes[] = []
    // X.501 §9.3: a set has each type once.
    if (new Set(rdn.map(({ oid }) => oid)).size < rdn.length)
      return err('the subject has one attribute twice in one set')
    for (const attribute of rdn) {
      const text = attribute.oid === ATTRIBUTE.commonName && commonName !== null ? commonName : attribute.text
      const value = encode(attribute, text)
      if (!value.ok) return err(`the attribute ${nameOf(attribute.oid)} of the subject ${value.error}`)
      attributes.push(derSequence(derOidOnce(attribute.oid), value.value))
    }
    rdns.push(derSetOf(...attributes))
  }
  return ok(derSequence(...rdns))
}

function encode({ oid, valueTag }: NameAttribute, text: string | null): Result<Bytes, string> {
  if (text === null) return err('is not text')
  const [syntax, maxChars] = ATTRIBUTES[oid] ?? [valueTag === TAG.ia5String ? 'ia5' : 'directory', MAX_CHARS]
  const problem = syntax === 'country' ? checkCountry(text) : checkNameText(text, maxChars)
  if (problem !== null) return err(problem)
  switch (syntax) {
    case 'directory':
      return ok(isPrintableText(text) ? derPrintableString(text) : derUtf8String(text))
    case 'country':
    case 'printable':
      return isPrintableText(text)
        ? ok(derPrintableString(text))
        : err('has a character that it cannot hold (PrintableString)')
    case 'email':
      return parseAltName('email', text).ok ? ok(derIa5String(text)) : err('is not an e-mail address')
    case 'ia5':
      return /^[\x20-\x7e]*$/.test(text) ? ok(derIa5String(text)) : err('is not ASCII')
  }
}

const nameOf = (oid: string): string => Object.entries(ATTRIBUTE).find(([, each]) => each === oid)?.[0] ?? oid
