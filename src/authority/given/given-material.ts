/** Certificates and keys as callers bring them, encrypted or in a PKCS#12 file, brought to plain PEM. Keeps no passphrase. */
import { type Bytes, equalBytes, fromBase64 } from '../../core/bytes.ts'
import { type AppError, invalidField } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../pki/certificate.ts'
import { importPrivateKey, privateKeyMatches } from '../../pki/keys.ts'
import { openEncryptedKey, type PassphraseError, passphraseProblem } from '../../pki/pbes2.ts'
import { formatCertificatesPem, formatPem, parsePem } from '../../pki/pem.ts'
import { readPkcs12 } from '../../pki/read-pkcs12.ts'
import { isSignedBy } from './given-certificates.ts'

export interface BroughtMaterial {
  readonly certificatePem: string | null
  readonly privateKeyPem: string | null
  readonly chainPem: string | null
  /** A PKCS#12 file in base64, in place of the three above. */
  readonly pkcs12: string | null
  /** Of the PKCS#12 file, or of an encrypted private key. */
  readonly passphrase: string | null
}

/** Where the caller sent what: errors name the field that was sent. */
export interface MaterialFields {
  readonly certificate: string
  readonly privateKey: string
  readonly chain: string
}

const PEM_FIELDS: MaterialFields = {
  certificate: 'certificate_pem',
  privateKey: 'private_key_pem',
  chain: 'chain_pem',
}
const FILE_FIELDS: MaterialFields = { certificate: 'pkcs12', privateKey: 'pkcs12', chain: 'pkcs12' }

export interface GivenMaterial {
  readonly fields: MaterialFields
  readonly certificatePem: string
  /** Plain. */
  readonly privateKeyPem: string | null
  readonly chainPem: string | null
}

/** Throws `invalid_request`: for a passphrase that is another one, and for what is not opened here. */
export async function openMaterial(brought: BroughtMaterial): Promise<GivenMaterial> {
  const { certificatePem, privateKeyPem, chainPem, pkcs12, passphrase } = brought
  const problem = passphrase === null ? null : passphraseProblem(passphrase)
  if (problem !== null) throw invalidField('passphrase', problem)
  if (pkcs12 !== null) {
    if (certificatePem !== null || privateKeyPem !== null || chainPem !== null) {
      throw invalidField('pkcs12', 'give either the file, or certificate_pem with what belongs to it')
    }
    return openFile(pkcs12, passphrase ?? '')
  }
  if (certificatePem === null)
    throw invalidField('certificate_pem', 'give the certificate, or a PKCS#12 file in pkcs12')
  const plain = privateKeyPem === null || passphrase === null ? privateKeyPem : await openKey(privateKeyPem, passphrase)
  return { fields: PEM_FIELDS, certificatePem, privateKeyPem: plain, chainPem }
}

/** A key that is not encrypted stays as it is. */
async function openKey(pem: string, passphrase: string): Promise<string> {
  const blocks = parsePem(pem)
  const encrypted = blocks.ok ? blocks.value.filter(({ label }) => label === 'ENCRYPTED PRIVATE KEY') : []
  const [block, ...more] = encrypted
  if (block === undefined) return pem
  if (more.length > 0) throw invalidField('private_key_pem', 'there is more than one private key in the PEM text')
  const opened = await openEncryptedKey(block.der, passphrase)
  if (!opened.ok) throw refusal('private_key_pem', opened.error)
  return formatPem('PRIVATE KEY', opened.value)
}

function refusal(field: string, { reason, message }: PassphraseError): AppError {
  return invalidField(reason === 'passphrase' ? 'passphrase' : field, message)
}

async function openFile(base64: string, passphrase: string): Promise<GivenMaterial> {
  const der = fromBase64(base64.replace(/\s+/g, ''))
  if (der === null) throw invalidField('pkcs12', 'give the file in base64')
  const content = await readPkcs12(der, passphrase)
  if (!content.ok) throw refusal('pkcs12', content.error)
  const { privateKeys, certificates: ders } = content.value
  const certificates = ders.map(requireCertificate)
  const [privateKey, ...more] = privateKeys
  if (more.length > 0) throw invalidField('pkcs12', 'the file has more than one private key')
  if (privateKey === undefined) {
    const [only, ...others] = certificates
    if (only === undefined || others.length > 0)
      throw invalidField('pkcs12', 'the file has no private key, and not one certificate')
    const certificatePem = formatCertificatesPem([only.der])
    return { fields: FILE_FIELDS, certificatePem, privateKeyPem: null, chainPem: null }
  }
  const leaf = await certificateOf(privateKey, certificates)
  const chain = await chainOf(leaf, certificates)
  return {
    fields: FILE_FIELDS,
    certificatePem: formatCertificatesPem([leaf.der]),
    privateKeyPem: formatPem('PRIVATE KEY', privateKey),
    chainPem: chain.length === 0 ? null : formatCertificatesPem(chain.map((each) => each.der)),
  }
}

function requireCertificate(der: Bytes): Certificate {
  const parsed = parseCertificate(der)
  if (!parsed.ok) throw invalidField('pkcs12', `a certificate is malformed: ${parsed.error.message}`)
  return parsed.value
}

async function certificateOf(privateKey: Bytes, certificates: readonly Certificate[]): Promise<Certificate> {
  const pair = await importPrivateKey('pkcs8', privateKey, { extractable: false })
  if (!pair.ok) throw invalidField('pkcs12', pair.error.message)
  for (const certificate of certificates) {
    const { der } = certificate.subjectPublicKeyInfo
    if (equalBytes(der, pair.value.spkiDer) || (await privateKeyMatches(pair.value.privateKey, der))) return certificate
  }
  throw invalidField('pkcs12', 'the file has no certificate of its private key')
}

/** Files have their certificates in any order: each one's issuer, as far as they are there. */
async function chainOf(leaf: Certificate, certificates: readonly Certificate[]): Promise<Certificate[]> {
  const rest = certificates.filter((each) => each !== leaf)
  const chain: Certificate[] = []
  for (let child = leaf; ; ) {
    let issuer: Certificate | undefined
    for (const each of rest) {
      const isNext = !chain.includes(each) && equalBytes(each.subject.der, child.issuer.der)
      if (isNext && (await isSignedBy(child, each))) issuer = each
    }
    if (issuer === undefined) return chain
    chain.push(issuer)
    child = issuer
  }
}
