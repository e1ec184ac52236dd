/** What hand-made certificates do not reach; the rest is in test/conformance/limbo. */
import { beforeAll, describe, expect, it } from 'vitest'
import { type Certificate, parseCertificate } from '../../../../src/pki/certificate.ts'
import { checkCertificate, type Place } from '../../../../src/pki/path/check-certificate.ts'
import { forgeLeaf, forgeRoot, newEntity } from '../../../conformance/limbo/forge.ts'

let root: Certificate
let leaf: Certificate

beforeAll(async () => {
  const entity = await newEntity('Root')
  const [rootCert, leafCert] = [
    parseCertificate(await forgeRoot(entity)),
    parseCertificate(await forgeLeaf(await newEntity({}), entity)),
  ]
  if (!rootCert.ok || !leafCert.ok) throw new TypeError('malformed')
  root = rootCert.value
  leaf = leafCert.value
})

const LEAF: Place = { isLeaf: true, isAnchor: false }
const ANCHOR: Place = { isLeaf: false, isAnchor: true }
const BOTH: Place = { isLeaf: true, isAnchor: true }
const codes = (certificate: Certificate, place: Place): string[] =>
  checkCertificate(certificate, place).map(({ code }) => code)

describe('checkCertificate', () => {
  it('ok: nothing is wrong with these', () => {
    expect([codes(leaf, LEAF), codes(root, ANCHOR)]).toEqual([[], []])
  })

  it('ok: a date before 2050 as GeneralizedTime is worth a warning (RFC 5280 §4.1.2.5)', () => {
    expect(codes({ ...leaf, timeFormsConform: false }, LEAF)).toEqual(['time_form'])
  })

  it.each([0x00, 0xff])('fail: the serial number %i, but for anchors that are not the leaf', (octet) => {
    const serialNumber = new Uint8Array([octet])
    expect(codes({ ...leaf, serialNumber }, LEAF)).toEqual(['serial_number_refused'])
    expect(codes({ ...leaf, serialNumber }, BOTH)).toEqual(['serial_number_refused'])
    expect(codes({ ...root, serialNumber }, ANCHOR)).toEqual(['anchor_serial_number'])
  })

  it('ok: an anchor needs no authority key identifier, and one that it has must fit', () => {
    const without = { ...root, authorityKeyIdentifier: null }
    const other = { keyIdentifier: new Uint8Array([1]), hasIssuerAndSerial: false }
    expect(codes(without, ANCHOR)).toEqual([])
    expect(codes(without, { isLeaf: false, isAnchor: false })).toEqual(['key_identifier_refused'])
    expect(codes({ ...root, authorityKeyIdentifier: other }, ANCHOR)).toEqual(['key_identifier_refused'])
    // Cross-certified: the identifier is that of another CA, as it should be.
    expect(codes({ ...root, issuer: leaf.subject, authorityKeyIdentifier: other }, ANCHOR)).not.toContain(
      'key_identifier_refused',
    )
  })

  it('ok: critical names beside a subject are worth a warning', () => {
    const warned = { ...leaf, subject: root.subject }
    expect(codes(warned, LEAF)).toEqual(['names_critical', 'common_name_not_in_names'])
  })
})
