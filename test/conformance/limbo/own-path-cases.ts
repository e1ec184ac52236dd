/** Cases about the shape of paths: loops, lengths, purposes, times, extensions, and what a search may cost. */
import type { Bytes } from '../../../src/core/bytes.ts'
import { derExtension } from '../../../src/pki/build-extensions.ts'
import { derInteger, derNull, derSequence } from '../../../src/pki/der/writer.ts'
import { EKU, EXTENSION } from '../../../src/pki/oids.ts'
import {
  CASE_TIME_MS,
  DAY_MS,
  type Entity,
  type ForgeOptions,
  forgeCa,
  forgeLeaf,
  forgeRoot,
  newEntity,
  rekeyed,
} from './forge.ts'
import type { OwnCase } from './limbo-cases.ts'
import { ownCase } from './own-case.ts'

export async function pathCases(): Promise<OwnCase[]> {
  const world: World = {
    root: await newEntity('Path Root'),
    a: await newEntity('Path CA A'),
    b: await newEntity('Path CA B'),
    leaf: await newEntity({}),
  }
  const anchors = [await forgeRoot(world.root)]
  return [
    ...(await shapeCases(world, anchors)),
    ...(await lengthCases(world, anchors)),
    ...(await purposeCases(world, anchors)),
    ...(await certificateCases(world, anchors)),
    await meshCase(world, anchors),
  ]
}

interface World {
  readonly root: Entity
  readonly a: Entity
  readonly b: Entity
  readonly leaf: Entity
}

const UNKNOWN_CRITICAL = derExtension('1.3.6.1.4.1.55555.1', true, derNull())
const UNKNOWN_HARMLESS = derExtension('1.3.6.1.4.1.55555.1', false, derNull())
const PAST: ForgeOptions = { notBeforeMs: CASE_TIME_MS - 9 * DAY_MS, notAfterMs: CASE_TIME_MS - DAY_MS }
const FUTURE: ForgeOptions = { notBeforeMs: CASE_TIME_MS + DAY_MS }

async function shapeCases({ root, a, b, leaf }: World, anchors: readonly Bytes[]): Promise<OwnCase[]> {
  const [aCert, bCert] = [await forgeCa(a, root), await forgeCa(b, root)]
  const [aByB, bByA] = [await forgeCa(a, b), await forgeCa(b, a)]
  const underA = await forgeLeaf(leaf, a)
  const otherRoot = await newEntity('Another root')
  const namesake = await rekeyed(root)
  return [
    ownCase('own::path::direct', 'root -> leaf', { leaf: await forgeLeaf(leaf, root), anchors }),
    ownCase('own::path::one-ca', 'root -> A -> leaf', { leaf: underA, above: [aCert], anchors }),
    ownCase('own::path::any-order', 'what does not belong is passed over, and so is the root', {
      leaf: await forgeLeaf(leaf, b),
      above: [anchors[0] as Bytes, aCert, await forgeRoot(otherRoot), bByA],
      anchors,
    }),
    ownCase('own::loop::with-exit', 'A and B certify each other, and the root certifies B', {
      leaf: underA,
      above: [aByB, bByA, bCert],
      anchors,
    }),
    ownCase(
      'own::loop::without-exit',
      'A and B certify each other, and nobody else does',
      { leaf: underA, above: [aByB, bByA], anchors },
      { errors: ['issuer_not_found@2'] },
    ),
    ownCase(
      'own::loop::self-signed',
      'a root that nobody trusts',
      { leaf: await forgeLeaf(leaf, otherRoot), above: [await forgeRoot(otherRoot)], anchors },
      { errors: ['root_not_trusted@1'] },
    ),
    ownCase('own::path::no-issuer', 'A is missing', { leaf: underA, anchors }, { errors: ['issuer_not_found@0'] }),
    ownCase(
      'own::path::namesake',
      'the name of the root with another key',
      { leaf: await forgeLeaf(leaf, namesake), anchors },
      { errors: ['signature_invalid@0'] },
    ),
    ownCase('own::path::namesakes-trusted', 'two anchors of one name', {
      leaf: await forgeLeaf(leaf, namesake),
      anchors: [...anchors, await forgeRoot(namesake)],
    }),
    ownCase(
      'own::path::leaf-signs',
      'a leaf signs another',
      { leaf: await forgeLeaf(leaf, a), above: [await forgeLeaf(a, root)], anchors },
      { errors: ['not_a_ca@1', 'key_usage_refused@1'] },
    ),
    ownCase('own::alternative::expired', 'A is certified twice, once in the past', {
      leaf: underA,
      above: [await forgeCa(a, root, PAST), aCert],
      anchors,
    }),
    ownCase('own::alternative::longer', 'the short way has expired, and the long way stands', {
      leaf: underA,
      above: [await forgeCa(a, root, PAST), aByB, bCert],
      anchors,
    }),
    ownCase('own::alternative::anchor', 'A is certified by two roots, one of which has expired', {
      leaf: underA,
      above: [aCert, await forgeCa(a, otherRoot)],
      anchors: [await forgeRoot(root, PAST), await forgeRoot(otherRoot)],
    }),
    ownCase(
      'own::time::expired-ca',
      'A has expired, and there is no other way',
      { leaf: underA, above: [await forgeCa(a, root, PAST)], anchors },
      { errors: ['expired@1'] },
    ),
    ownCase(
      'own::time::not-yet',
      'the leaf is not valid yet',
      { leaf: await forgeLeaf(leaf, a, FUTURE), above: [aCert], anchors },
      { errors: ['not_yet_valid@0'] },
    ),
    ownCase('own::time::last-second', 'both ends belong to the validity', {
      leaf: await forgeLeaf(leaf, a, { notBeforeMs: CASE_TIME_MS, notAfterMs: CASE_TIME_MS }),
      above: [aCert],
      anchors,
    }),
  ]
}

async function lengthCases({ root, a, b, leaf }: World, anchors: readonly Bytes[]): Promise<OwnCase[]> {
  const newA = await rekeyed(a)
  const bUnderNewA = await forgeLeaf(leaf, newA)
  return [
    ownCase('own::length::zero', 'A allows no CA below it, and there is none', {
      leaf: await forgeLeaf(leaf, a),
      above: [await forgeCa(a, root, { pathLength: 0 })],
      anchors,
    }),
    ownCase(
      'own::length::exceeded',
      'A allows no CA below it, and B is there',
      {
        leaf: await forgeLeaf(leaf, b),
        above: [await forgeCa(a, root, { pathLength: 0 }), await forgeCa(b, a)],
        anchors,
      },
      { errors: ['path_length_exceeded@2'] },
    ),
    ownCase(
      'own::length::of-the-anchor',
      'the root allows one CA below it, and there are two',
      {
        leaf: await forgeLeaf(leaf, b),
        above: [await forgeCa(a, root), await forgeCa(b, a)],
        anchors: [await forgeRoot(root, { pathLength: 1 })],
      },
      { errors: ['path_length_exceeded@3'] },
    ),
    ownCase('own::length::self-issued', 'A certifies its own new key, which does not count (RFC 5280)', {
      leaf: bUnderNewA,
      above: [await forgeCa(a, root, { pathLength: 0 }), await forgeCa(newA, a, { pathLength: 0 })],
      anchors,
    }),
    ownCase(
      'own::length::self-issued-then-another',
      'A certifies its own new key, which certifies B, which counts',
      {
        leaf: await forgeLeaf(leaf, b),
        above: [await forgeCa(a, root, { pathLength: 0 }), await forgeCa(newA, a), await forgeCa(b, newA)],
        anchors,
      },
      { errors: ['path_length_exceeded@3'] },
    ),
    ownCase('own::length::max-depth-self-issued', 'self-issued ones do not count here either', {
      leaf: bUnderNewA,
      above: [await forgeCa(a, root), await forgeCa(newA, a)],
      anchors,
      maxDepth: 1,
    }),
    ownCase(
      'own::length::max-depth',
      'two CAs where one is followed',
      { leaf: await forgeLeaf(leaf, b), above: [await forgeCa(a, root), await forgeCa(b, a)], anchors, maxDepth: 1 },
      { errors: ['path_too_long@1'] },
    ),
  ]
}

async function purposeCases({ root, a, leaf }: World, anchors: readonly Bytes[]): Promise<OwnCase[]> {
  const leafFor = (...extKeyUsage: string[]): Promise<Bytes> => forgeLeaf(leaf, a, { extKeyUsage })
  const caFor = async (...extKeyUsage: string[]): Promise<Bytes[]> => [await forgeCa(a, root, { extKeyUsage })]
  const both = await leafFor(EKU.serverAuth, EKU.clientAuth)
  return [
    ownCase('own::purpose::ca-limited-to-it', 'A is for servers', {
      leaf: both,
      above: await caFor(EKU.serverAuth),
      anchors,
    }),
    ownCase('own::purpose::ca-any', 'A is for any purpose', { leaf: both, above: await caFor(EKU.any), anchors }),
    ownCase(
      'own::purpose::ca-limited-to-another',
      'A is for clients, the leaf for both, the question is about servers',
      { leaf: both, above: await caFor(EKU.clientAuth), anchors },
      { errors: ['purpose_refused@1'] },
    ),
    ownCase('own::purpose::client', 'the same for a client', {
      leaf: both,
      above: await caFor(EKU.clientAuth),
      anchors,
      kind: 'CLIENT',
    }),
    ownCase(
      'own::purpose::leaf-of-another',
      'the leaf is for clients',
      { leaf: await leafFor(EKU.clientAuth), above: await caFor(), anchors },
      { errors: ['purpose_refused@0'] },
    ),
    ownCase(
      'own::purpose::leaf-any-alone',
      'the leaf is for any purpose, and does not name the one',
      { leaf: await leafFor(EKU.any), above: await caFor(), anchors },
      { errors: ['purpose_refused@0'] },
    ),
    ownCase(
      'own::purpose::anchor-limited',
      'the root is for clients',
      { leaf: both, above: await caFor(), anchors: [await forgeRoot(root, { extKeyUsage: [EKU.clientAuth] })] },
      { errors: ['purpose_refused@2'] },
    ),
    ownCase(
      'own::purpose::client-key-usage',
      'a key for encrypting keys does for a server, and not for a client',
      {
        leaf: await forgeLeaf(leaf, a, { keyUsage: ['keyEncipherment'] }),
        above: await caFor(),
        anchors,
        kind: 'CLIENT',
      },
      { errors: ['purpose_refused@0'] },
    ),
    ownCase(
      'own::purpose::key-usage',
      'a key for encryption of data alone',
      { leaf: await forgeLeaf(leaf, a, { keyUsage: ['dataEncipherment'] }), above: await caFor(), anchors },
      { errors: ['purpose_refused@0'] },
    ),
  ]
}

async function certificateCases({ root, a, leaf }: World, anchors: readonly Bytes[]): Promise<OwnCase[]> {
  const aCert = await forgeCa(a, root)
  const [own, nameless] = [await newEntity('Self-signed'), await newEntity({})]
  const [trusted, expired] = [await forgeLeaf(own, own), await forgeLeaf(leaf, a, PAST)]
  const policyConstraints = derExtension(EXTENSION.policyConstraints, true, derSequence(derInteger(0)))
  const withLeaf = async (
    id: string,
    text: string,
    options: ForgeOptions,
    errors: readonly string[],
  ): Promise<OwnCase> =>
    ownCase(`own::leaf::${id}`, text, { leaf: await forgeLeaf(leaf, a, options), above: [aCert], anchors }, { errors })
  const withCa = async (id: string, text: string, options: ForgeOptions, errors: readonly string[]): Promise<OwnCase> =>
    ownCase(
      `own::ca::${id}`,
      text,
      { leaf: await forgeLeaf(leaf, a), above: [await forgeCa(a, root, options)], anchors },
      { errors },
    )
  return [
    await withLeaf('critical-unknown', 'a critical extension that nobody knows', { more: [UNKNOWN_CRITICAL] }, [
      'critical_extension_unknown@0',
    ]),
    await withLeaf('harmless-unknown', 'the same, not critical', { more: [UNKNOWN_HARMLESS] }, []),
    await withLeaf('no-authority-key', 'no authority key identifier', { without: ['authorityKeyIdentifier'] }, [
      'key_identifier_refused@0',
    ]),
    await withLeaf('serial-zero', 'the serial number 0', { serialNumber: new Uint8Array([0]) }, [
      'serial_number_refused@0',
    ]),
    await withLeaf('serial-long', 'a serial number of 21 octets', { serialNumber: new Uint8Array(21).fill(1) }, [
      'serial_number_refused@0',
    ]),
    await withLeaf('signs-certificates', 'keyCertSign without cA', { keyUsage: ['digitalSignature', 'keyCertSign'] }, [
      'key_usage_refused@0',
    ]),
    await withCa('critical-unknown', 'a critical extension that nobody knows', { more: [UNKNOWN_CRITICAL] }, [
      'critical_extension_unknown@1',
    ]),
    await withCa('policy-constraints', 'an explicit policy is wanted', { more: [policyConstraints] }, [
      'policy_refused@1',
    ]),
    await withCa('no-cert-sign', 'a key that is not for certificates', { keyUsage: ['cRLSign'] }, [
      'key_usage_refused@1',
    ]),
    await withCa('no-basic-constraints', 'a CA that does not say so', { without: ['basicConstraints'] }, [
      'not_a_ca@1',
    ]),
    await withCa('no-subject-key', 'no subject key identifier', { without: ['subjectKeyIdentifier'] }, [
      'key_identifier_refused@1',
    ]),
    await withLeaf('version-1', 'a certificate as of 1988', { isVersion1: true }, [
      'version_not_three@0',
      'key_identifier_refused@0',
      'name_empty@0',
    ]),
    ownCase(
      'own::anchor::nameless',
      'a CA without a name, and so a leaf without the name of its issuer',
      { leaf: await forgeLeaf(leaf, nameless), anchors: [await forgeRoot(nameless)] },
      { errors: ['name_empty@0', 'name_empty@1', 'name_empty@1'] },
    ),
    ownCase(
      'own::anchor::critical-unknown',
      'the anchor has a critical extension that nobody knows',
      {
        leaf: await forgeLeaf(leaf, a),
        above: [aCert],
        anchors: [await forgeRoot(root, { more: [UNKNOWN_CRITICAL] })],
      },
      { errors: ['critical_extension_unknown@2'] },
    ),
    ownCase('own::anchor::serial-zero', 'old roots have the number 0', {
      leaf: await forgeLeaf(leaf, a),
      above: [aCert],
      anchors: [await forgeRoot(root, { serialNumber: new Uint8Array([0]) })],
    }),
    ownCase('own::anchor::trusted-leaf', 'the leaf itself is trusted', { leaf: trusted, anchors: [trusted] }),
    ownCase(
      'own::anchor::trusted-leaf-expired',
      'the leaf itself is trusted, and has expired',
      { leaf: expired, anchors: [expired] },
      { errors: ['expired@0'] },
    ),
  ]
}

/** CAs that all certify each other, and none of which is certified by the root. */
async function meshCase({ leaf }: World, anchors: readonly Bytes[]): Promise<OwnCase> {
  const size = 30
  const members: Entity[] = []
  for (let index = 0; index < size; index += 1) members.push(await newEntity(`Mesh CA ${index}`))
  const above: Bytes[] = []
  // Neighbours first: the search takes 200 certificates at most, and is to meet every CA.
  for (let distance = 1; distance < size; distance += 1) {
    for (const [index, subject] of members.entries()) {
      const issuer = members[(index + distance) % size] as Entity
      above.push(await forgeCa(subject, issuer))
    }
  }
  const [first] = members as [Entity, ...Entity[]]
  return ownCase(
    'own::budget::mesh',
    '30 CAs, each certified by all others',
    { leaf: await forgeLeaf(leaf, first), above, anchors },
    { errors: ['path_too_long@10', 'budget_exceeded'] },
  )
}
