/**
 * Makes certificates and CRLs for test cases, also such as no CA of this project would issue: every extension can be replaced
 * or left out. Signs with P-256. Runs in workerd too.
 */
import { type Bytes, equalBytes } from '../../../src/core/bytes.ts'
import { type AltName, derAltName, parseAltName } from '../../../src/pki/alt-name.ts'
import {
  authorityKeyIdentifierExtension,
  caConstraintsExtension,
  crlDistributionPointsExtension,
  derExtension,
  derFullName,
  endEntityConstraintsExtension,
  extKeyUsageExtension,
  keyUsageExtension,
  subjectAltNameExtension,
  subjectKeyIdentifierExtension,
} from '../../../src/pki/build-extensions.ts'
import { parseSubjectPublicKeyInfo } from '../../../src/pki/certificate.ts'
import { contextPrimitive, TAG } from '../../../src/pki/der/tags.ts'
import {
  derExplicit,
  derInteger,
  derNamedBits,
  derSequence,
  derTime,
  derTrue,
  derUnsigned,
  derValue,
} from '../../../src/pki/der/writer.ts'
import { buildName, type SubjectFields } from '../../../src/pki/distinguished-name.ts'
import type { KeyUsage } from '../../../src/pki/extensions.ts'
import { generateKeyPair, type KeyPair } from '../../../src/pki/keys.ts'
import { EKU, EXTENSION } from '../../../src/pki/oids.ts'
import { keyIdentifierOf } from '../../../src/pki/public-key.ts'
import { newSerial } from '../../../src/pki/serial.ts'
import { signatureAlgorithmDerOf, signWhole } from '../../../src/pki/signature.ts'

export const DAY_MS = 86_400_000

/** The time of all cases: a whole second. */
export const CASE_TIME_MS = Date.UTC(2026, 10, 20, 12)

/** A name with a key, of which there can be any number of certificates. */
export interface Entity {
  readonly subjectDer: Bytes
  readonly keyPair: KeyPair
  readonly keyIdentifier: Bytes
}

export function nameDer(fields: SubjectFields): Bytes {
  const name = buildName(fields)
  if (!name.ok) throw new TypeError(`${name.error.field} ${name.error.message}`)
  return name.value
}

export async function newEntity(subject: string | SubjectFields): Promise<Entity> {
  const keyPair = await generateKeyPair({ type: 'ec', size: 256 })
  const spki = parseSubjectPublicKeyInfo(keyPair.spkiDer)
  if (!spki.ok) throw spki.error
  const subjectDer = nameDer(typeof subject === 'string' ? { commonName: subject } : subject)
  return { subjectDer, keyPair, keyIdentifier: await keyIdentifierOf(spki.value) }
}

/** The same name with a new key. */
export const rekeyed = async ({ subjectDer }: Entity): Promise<Entity> => ({ ...(await newEntity({})), subjectDer })

export interface ForgeOptions {
  readonly serialNumber?: Bytes
  readonly notBeforeMs?: number
  readonly notAfterMs?: number
  /** Null: none. */
  readonly keyUsage?: readonly KeyUsage[] | null
  /** Object identifiers; none for CAs unless given. */
  readonly extKeyUsage?: readonly string[]
  readonly crlUris?: readonly string[]
  /** Whole extensions, after the others. */
  readonly more?: readonly Bytes[]
  /** As of 1988: without any extension. */
  readonly isVersion1?: boolean
  /** Extensions that are left out. */
  readonly without?: readonly ('authorityKeyIdentifier' | 'subjectKeyIdentifier' | 'basicConstraints')[]
}

export interface CaOptions extends ForgeOptions {
  readonly pathLength?: number
}

export interface LeafOptions extends ForgeOptions {
  readonly names?: readonly AltName[]
}

const CA_USAGES: readonly KeyUsage[] = ['keyCertSign', 'cRLSign']

export const forgeCa = (subject: Entity, issuer: Entity, options: CaOptions = {}): Promise<Bytes> =>
  forge(subject, issuer, options, caConstraintsExtension(options.pathLength ?? null), CA_USAGES)

export const forgeRoot = (subject: Entity, options: CaOptions = {}): Promise<Bytes> =>
  forgeCa(subject, subject, options)

export const forgeLeaf = (subject: Entity, issuer: Entity, options: LeafOptions = {}): Promise<Bytes> => {
  const names = options.names ?? [dns('www.example.com')]
  const more = names.length === 0 ? [] : [subjectAltNameExtension(names, isNameless(subject))]
  const withNames = {
    extKeyUsage: [EKU.serverAuth, EKU.clientAuth],
    ...options,
    more: [...more, ...(options.more ?? [])],
  }
  return forge(subject, issuer, withNames, endEntityConstraintsExtension(), ['digitalSignature'])
}

const isNameless = ({ subjectDer }: Entity): boolean => equalBytes(subjectDer, derSequence())

const VERSION_3 = derExplicit(0, derInteger(2))

async function forge(
  subject: Entity,
  issuer: Entity,
  options: ForgeOptions,
  basicConstraints: Bytes,
  usages: readonly KeyUsage[],
): Promise<Bytes> {
  const { keyUsage = usages, extKeyUsage = [], crlUris = [], more = [], without = [] } = options
  const extensions = [
    ...(keyUsage === null ? [] : [keyUsageExtension(keyUsage)]),
    ...(extKeyUsage.length === 0 ? [] : [extKeyUsageExtension(extKeyUsage)]),
    ...(without.includes('basicConstraints') ? [] : [basicConstraints]),
    ...(without.includes('subjectKeyIdentifier') ? [] : [subjectKeyIdentifierExtension(subject.keyIdentifier)]),
    ...(without.includes('authorityKeyIdentifier') ? [] : [authorityKeyIdentifierExtension(issuer.keyIdentifier)]),
    ...(crlUris.length === 0 ? [] : [crlDistributionPointsExtension(crlUris)]),
    ...more,
  ]
  const { notBeforeMs = CASE_TIME_MS - DAY_MS, notAfterMs = CASE_TIME_MS + 90 * DAY_MS } = options
  const tbsDer = derSequence(
    ...(options.isVersion1 === true ? [] : [VERSION_3]),
    derUnsigned(options.serialNumber ?? newSerial()),
    signatureAlgorithmDerOf(issuer.keyPair.privateKey),
    issuer.subjectDer,
    derSequence(derTime(notBeforeMs), derTime(notAfterMs)),
    subject.subjectDer,
    subject.keyPair.spkiDer,
    ...(options.isVersion1 === true ? [] : [derExplicit(3, derSequence(...extensions))]),
  )
  return signWhole(tbsDer, issuer.keyPair.privateKey)
}

/** GeneralNames in DER, as constraints have them. */
export interface Subtrees {
  readonly permitted?: readonly Bytes[]
  readonly excluded?: readonly Bytes[]
}

export function nameConstraints({ permitted = [], excluded = [] }: Subtrees): Bytes {
  const side = (number: number, bases: readonly Bytes[]): Bytes[] =>
    bases.length === 0 ? [] : [derExplicit(number, ...bases.map((base) => derSequence(base)))]
  return derExtension(EXTENSION.nameConstraints, true, derSequence(...side(0, permitted), ...side(1, excluded)))
}

export const dns = (value: string): AltName => ({ type: 'dns', value })
export const email = (value: string): AltName => ({ type: 'email', value })
export const uri = (value: string): AltName => ({ type: 'uri', value })

export function ip(text: string): AltName {
  const name = parseAltName('ip', text)
  if (!name.ok) throw new TypeError(`${text} ${name.error}`)
  return name.value
}

/** An address with its mask, as a constraint has it. */
export const range = (...octets: readonly number[]): AltName => ({ type: 'ip', value: new Uint8Array(octets) })

/** X.680 §31.2.7: explicit, as a name is a CHOICE. */
export const directory = (fields: SubjectFields): Bytes => derExplicit(4, nameDer(fields))

export const base = (name: AltName): Bytes => derAltName(name)

export interface ForgeCrlOptions {
  readonly revoked?: readonly {
    readonly serialNumber: Bytes
    readonly reasonCode?: number
    /** Whole extensions of the entry, after its reason. */
    readonly more?: readonly Bytes[]
  }[]
  readonly thisUpdateMs?: number
  /** Null: none. */
  readonly nextUpdateMs?: number | null
  /** Whole extensions, after the key identifier. */
  readonly more?: readonly Bytes[]
  readonly withoutNumber?: boolean
}

export async function forgeCrl(issuer: Entity, options: ForgeCrlOptions = {}): Promise<Bytes> {
  const { thisUpdateMs = CASE_TIME_MS - DAY_MS, nextUpdateMs = CASE_TIME_MS + DAY_MS } = options
  const { revoked = [], more = [], withoutNumber = false } = options
  const entries = revoked.map(({ serialNumber, reasonCode = 0, more: ofEntry = [] }) => {
    const reason = derExtension(EXTENSION.reasonCode, false, derValue(TAG.enumerated, new Uint8Array([reasonCode])))
    const extensions = [...(reasonCode === 0 ? [] : [reason]), ...ofEntry]
    return derSequence(
      derUnsigned(serialNumber),
      derTime(thisUpdateMs),
      ...(extensions.length === 0 ? [] : [derSequence(...extensions)]),
    )
  })
  const extensions = [
    authorityKeyIdentifierExtension(issuer.keyIdentifier),
    ...(withoutNumber ? [] : [derExtension(EXTENSION.crlNumber, false, derInteger(7))]),
    ...more,
  ]
  const tbsDer = derSequence(
    derInteger(1),
    signatureAlgorithmDerOf(issuer.keyPair.privateKey),
    issuer.subjectDer,
    derTime(thisUpdateMs),
    ...(nextUpdateMs === null ? [] : [derTime(nextUpdateMs)]),
    ...(entries.length === 0 ? [] : [derSequence(...entries)]),
    derExplicit(0, derSequence(...extensions)),
  )
  return signWhole(tbsDer, issuer.keyPair.privateKey)
}

/** Numbers of the flags of RFC 5280 §5.2.5. */
const SCOPE_FLAGS = { userCertificates: 1, caCertificates: 2, indirect: 4, attributeCertificates: 5 } as const

export function issuingDistributionPoint(uris: readonly string[], flag?: keyof typeof SCOPE_FLAGS): Bytes {
  const name = uris.length === 0 ? [] : [derExplicit(0, derFullName(uris))]
  return scopeOf(...name, ...(flag === undefined ? [] : [derTrue(contextPrimitive(SCOPE_FLAGS[flag]))]))
}

/** From the fields in DER. */
export const scopeOf = (...fields: readonly Bytes[]): Bytes =>
  derExtension(EXTENSION.issuingDistributionPoint, true, derSequence(...fields))

/** keyCompromise alone (RFC 5280 §4.2.1.13), under the tag that it has in both places. */
export const someReasons = (tagNumber: number): Bytes => derNamedBits([1], contextPrimitive(tagNumber))

/** One distribution point, from its fields in DER. */
export const distributionPoint = (...fields: readonly Bytes[]): Bytes =>
  derExtension(EXTENSION.crlDistributionPoints, false, derSequence(derSequence(...fields)))

/** A DistributionPointName of one GeneralName. */
export const pointName = (generalName: Bytes): Bytes => derExplicit(0, derExplicit(0, generalName))

export const deltaIndicator = (): Bytes => derExtension(EXTENSION.deltaCrlIndicator, true, derInteger(6))
