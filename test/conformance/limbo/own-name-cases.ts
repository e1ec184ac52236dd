/** Cases about names: constraints of each form, and the name that was asked for. */
import { type Bytes, concatBytes } from '../../../src/core/bytes.ts'
import type { AltName } from '../../../src/pki/alt-name.ts'
import { derExtension } from '../../../src/pki/build-extensions.ts'
import { contextConstructed, TAG } from '../../../src/pki/der/tags.ts'
import { derExplicit, derOid, derSequence, derSetOf, derUtf8String, derValue } from '../../../src/pki/der/writer.ts'
import type { SubjectFields } from '../../../src/pki/distinguished-name.ts'
import { ATTRIBUTE, EXTENSION } from '../../../src/pki/oids.ts'
import {
  base,
  directory,
  dns,
  type Entity,
  email,
  forgeCa,
  forgeLeaf,
  forgeRoot,
  ip,
  nameConstraints,
  nameDer,
  newEntity,
  range,
  rekeyed,
  type Subtrees,
  uri,
} from './forge.ts'
import type { OwnCase } from './limbo-cases.ts'
import { ownCase } from './own-case.ts'

const NOT_PERMITTED = ['name_not_permitted@0']
const EXCLUDED = ['name_excluded@0']
const MALFORMED = ['name_constraint_malformed@1']

/** Id, what the CA constrains, the names of the leaf, the errors. */
type Row = readonly [string, Subtrees, readonly AltName[], readonly string[]]

const permitted = (...names: readonly AltName[]): Subtrees => ({ permitted: names.map(base) })
const excluded = (...names: readonly AltName[]): Subtrees => ({ excluded: names.map(base) })

const DNS_ROWS: readonly Row[] = [
  ['dns-itself', permitted(dns('example.com')), [dns('example.com')], []],
  ['dns-below', permitted(dns('example.com')), [dns('a.b.example.com')], []],
  ['dns-case', permitted(dns('EXAMPLE.com')), [dns('WWW.example.COM')], []],
  ['dns-wildcard-inside', permitted(dns('example.com')), [dns('*.example.com')], []],
  ['dns-beside', permitted(dns('example.com')), [dns('notexample.com')], NOT_PERMITTED],
  ['dns-above', permitted(dns('www.example.com')), [dns('example.com')], NOT_PERMITTED],
  ['dns-one-of-two', permitted(dns('example.com')), [dns('www.example.com'), dns('example.net')], NOT_PERMITTED],
  ['dns-either', permitted(dns('example.com'), dns('example.net')), [dns('www.example.net')], []],
  ['dns-excluded', excluded(dns('example.com')), [dns('www.example.com')], EXCLUDED],
  ['dns-excluded-beside', excluded(dns('example.com')), [dns('www.example.net')], []],
  ['dns-everything-excluded', excluded(dns('')), [dns('www.example.com')], EXCLUDED],
  ['dns-wildcard-partly-excluded', excluded(dns('secret.example.com')), [dns('*.example.com')], EXCLUDED],
  ['dns-wildcard-partly-permitted', permitted(dns('www.example.com')), [dns('*.example.com')], NOT_PERMITTED],
  ['dns-wildcard-too-high', excluded(dns('a.secret.example.com')), [dns('*.example.com')], []],
  ['dns-unreadable', permitted(dns('example.com')), [dns('a..example.com')], NOT_PERMITTED],
  ['dns-leading-dot', permitted(dns('.example.com')), [dns('www.example.com')], MALFORMED],
  ['dns-star', permitted(dns('*.example.com')), [dns('www.example.com')], MALFORMED],
  ['dns-other-form', permitted(dns('example.com')), [ip('192.0.2.1')], []],
]

const IP_ROWS: readonly Row[] = [
  ['ip-inside', permitted(range(192, 0, 2, 0, 255, 255, 255, 0)), [ip('192.0.2.200')], []],
  ['ip-outside', permitted(range(192, 0, 2, 0, 255, 255, 255, 0)), [ip('192.0.3.1')], NOT_PERMITTED],
  ['ip-excluded', excluded(range(192, 0, 2, 128, 255, 255, 255, 128)), [ip('192.0.2.200')], EXCLUDED],
  ['ip-excluded-beside', excluded(range(192, 0, 2, 128, 255, 255, 255, 128)), [ip('192.0.2.100')], []],
  ['ip-everything', permitted(range(0, 0, 0, 0, 0, 0, 0, 0)), [ip('203.0.113.9')], []],
  ['ip-version', permitted(range(0, 0, 0, 0, 0, 0, 0, 0)), [ip('2001:db8::1')], NOT_PERMITTED],
  ['ip-holes', permitted(range(192, 0, 2, 0, 255, 0, 255, 0)), [ip('192.0.2.1')], MALFORMED],
]

const EMAIL_ROWS: readonly Row[] = [
  ['email-address', permitted(email('ann@example.com')), [email('ann@EXAMPLE.com')], []],
  ['email-address-case', permitted(email('ann@example.com')), [email('Ann@example.com')], NOT_PERMITTED],
  ['email-host', permitted(email('example.com')), [email('bob@example.com')], []],
  ['email-host-below', permitted(email('example.com')), [email('bob@mail.example.com')], NOT_PERMITTED],
  ['email-domain', permitted(email('.example.com')), [email('bob@mail.example.com')], []],
  ['email-domain-itself', permitted(email('.example.com')), [email('bob@example.com')], NOT_PERMITTED],
  ['email-excluded', excluded(email('example.com')), [email('bob@example.com')], EXCLUDED],
  ['email-two-ats', excluded(email('example.com')), [email('a@b@example.com')], NOT_PERMITTED],
]

const URI_ROWS: readonly Row[] = [
  ['uri-host', permitted(uri('example.com')), [uri('spiffe://example.com/ns/a')], []],
  ['uri-host-below', permitted(uri('example.com')), [uri('spiffe://a.example.com/ns/a')], NOT_PERMITTED],
  ['uri-domain', permitted(uri('.example.com')), [uri('https://a.example.com:8443/')], []],
  ['uri-user', excluded(uri('example.com')), [uri('https://other.net@example.com/')], EXCLUDED],
  ['uri-no-authority', permitted(uri('example.com')), [uri('urn:uuid:0')], NOT_PERMITTED],
  ['uri-ip-address', excluded(uri('example.com')), [uri('https://192.0.2.1/')], NOT_PERMITTED],
]

export async function nameCases(): Promise<OwnCase[]> {
  const [root, ca, leaf] = [await newEntity('Names Root'), await newEntity('Names CA'), await newEntity({})]
  const anchors = [await forgeRoot(root)]
  const cases: OwnCase[] = []
  for (const [id, subtrees, names, errors] of [...DNS_ROWS, ...IP_ROWS, ...EMAIL_ROWS, ...URI_ROWS]) {
    const above = [await forgeCa(ca, root, { more: [nameConstraints(subtrees)] })]
    const parts = { leaf: await forgeLeaf(leaf, ca, { names, more: [] }), above, anchors }
    cases.push(ownCase(`own::nc::${id}`, 'constraints of the CA against the names of the leaf', parts, { errors }))
  }
  const hierarchy: Hierarchy = { root, ca, leaf, anchors }
  return [
    ...cases,
    ...(await subjectCases(hierarchy)),
    ...(await placeCases(hierarchy)),
    ...(await peerCases(hierarchy)),
  ]
}

interface Hierarchy {
  readonly root: Entity
  readonly ca: Entity
  readonly leaf: Entity
  readonly anchors: readonly Bytes[]
}

const ACME: SubjectFields = { country: 'CH', organization: 'Acme' }

/** Constraints of directory names, and of addresses inside them. */
async function subjectCases({ root, ca, leaf, anchors }: Hierarchy): Promise<OwnCase[]> {
  const mailDer = derSequence(derSetOf(derSequence(derOid(ATTRIBUTE.emailAddress), derUtf8String('bob@example.net'))))
  const utf8Acme = derSequence(
    derSetOf(derSequence(derOid(ATTRIBUTE.country), derValue(TAG.printableString, new Uint8Array([0x43, 0x48])))),
    derSetOf(derSequence(derOid(ATTRIBUTE.organization), derUtf8String('  ACME '))),
    derSetOf(derSequence(derOid(ATTRIBUTE.commonName), derUtf8String('x'))),
  )
  const rows: readonly (readonly [string, Subtrees, Bytes, readonly string[]])[] = [
    ['below', { permitted: [directory(ACME)] }, nameDer({ ...ACME, commonName: 'x' }), []],
    ['other-string-type', { permitted: [directory(ACME)] }, utf8Acme, []],
    ['beside', { permitted: [directory(ACME)] }, nameDer({ country: 'CH', organization: 'Acme 2' }), NOT_PERMITTED],
    ['above', { permitted: [directory(ACME)] }, nameDer({ country: 'CH' }), NOT_PERMITTED],
    ['excluded', { excluded: [directory(ACME)] }, nameDer({ ...ACME, commonName: 'x' }), EXCLUDED],
    ['no-subject', { permitted: [directory(ACME)] }, nameDer({}), []],
    ['email-in-subject', excluded(email('example.net')), mailDer, EXCLUDED],
  ]
  const cases: OwnCase[] = []
  for (const [id, subtrees, subjectDer, errors] of rows) {
    const above = [await forgeCa(ca, root, { more: [nameConstraints(subtrees)] })]
    const parts = { leaf: await forgeLeaf({ ...leaf, subjectDer }, ca), above, anchors }
    cases.push(
      ownCase(`own::nc::directory-${id}`, 'constraints against the subject', parts, {
        errors: errors,
      }),
    )
  }
  return cases
}

/** Who constrains whom. */
async function placeCases({ root, ca, leaf, anchors }: Hierarchy): Promise<OwnCase[]> {
  const onlyCom = { more: [nameConstraints(permitted(dns('example.com')))] }
  const named = { ...leaf, subjectDer: nameDer({ commonName: 'x' }) }
  const newCa = await rekeyed(ca)
  const other = await newEntity('Another CA')
  const comLeaf = { names: [dns('www.example.com')] }
  const netLeaf = { names: [dns('www.example.net')] }
  const noAcme = { more: [nameConstraints({ excluded: [directory({ commonName: 'Another CA' })] })] }
  const otherName = derValue(contextConstructed(0), derOid('1.3.6.1.4.1.55555.2'), derExplicit(0, derUtf8String('x')))
  const otherNames = derExtension(EXTENSION.subjectAltName, false, derSequence(otherName))
  const dnsAndOther = derExtension(
    EXTENSION.subjectAltName,
    false,
    derSequence(concatBytes(base(dns('www.example.com')), otherName)),
  )
  const others = { more: [nameConstraints({ excluded: [otherName] })] }
  return [
    ownCase(
      'own::nc::anchor-constrains',
      'the constraints of an anchor count',
      {
        leaf: await forgeLeaf(leaf, ca, netLeaf),
        above: [await forgeCa(ca, root)],
        anchors: [await forgeRoot(root, onlyCom)],
      },
      { errors: NOT_PERMITTED },
    ),
    ownCase(
      'own::nc::grandparent-constrains',
      'constraints reach through a CA below',
      {
        leaf: await forgeLeaf(leaf, other, netLeaf),
        above: [await forgeCa(ca, root, onlyCom), await forgeCa(other, ca)],
        anchors,
      },
      { errors: NOT_PERMITTED },
    ),
    ownCase(
      'own::nc::both-constrain',
      'two CAs permit what the other does not',
      {
        leaf: await forgeLeaf(leaf, other, netLeaf),
        above: [
          await forgeCa(ca, root, onlyCom),
          await forgeCa(other, ca, { more: [nameConstraints(permitted(dns('example.net')))] }),
        ],
        anchors,
      },
      { errors: NOT_PERMITTED },
    ),
    ownCase(
      'own::nc::ca-below-excluded',
      'the name of a CA below is excluded',
      {
        leaf: await forgeLeaf(leaf, other, comLeaf),
        above: [await forgeCa(ca, root, noAcme), await forgeCa(other, ca)],
        anchors,
      },
      { errors: ['name_excluded@1'] },
    ),
    ownCase('own::nc::self-issued', 'a self-issued CA is passed over, the leaf is not (RFC 5280)', {
      leaf: await forgeLeaf(leaf, newCa, comLeaf),
      above: [
        await forgeCa(ca, root, { more: [nameConstraints({ excluded: [directory({ commonName: 'Names CA' })] })] }),
        await forgeCa(newCa, ca),
      ],
      anchors,
    }),
    ownCase(
      'own::nc::self-issued-leaf',
      'a self-issued leaf is not passed over',
      { leaf: await forgeLeaf(newCa, ca, netLeaf), above: [await forgeCa(ca, root, onlyCom)], anchors },
      { errors: NOT_PERMITTED },
    ),
    ownCase(
      'own::nc::form-not-compared',
      'a form that is not compared, in the leaf',
      {
        leaf: await forgeLeaf(named, ca, { names: [], more: [otherNames] }),
        above: [await forgeCa(ca, root, others)],
        anchors,
      },
      { errors: ['name_constraint_unsupported@0'] },
    ),
    ownCase(
      'own::nc::form-not-compared-beside',
      'a form that is not compared, beside one that is',
      {
        leaf: await forgeLeaf(named, ca, { names: [], more: [dnsAndOther] }),
        above: [await forgeCa(ca, root, others)],
        anchors,
      },
      { errors: ['name_constraint_unsupported@0'] },
    ),
    ownCase('own::nc::form-not-there', 'a form that is not compared, and not in the leaf', {
      leaf: await forgeLeaf(leaf, ca, comLeaf),
      above: [await forgeCa(ca, root, others)],
      anchors,
    }),
    ownCase(
      'own::nc::in-leaf',
      'a leaf that constrains',
      {
        leaf: await forgeLeaf(leaf, ca, onlyCom),
        above: [await forgeCa(ca, root)],
        anchors,
      },
      { errors: ['extension_refused@0'] },
    ),
  ]
}

/** The name that was asked for. */
async function peerCases({ root, ca, leaf, anchors }: Hierarchy): Promise<OwnCase[]> {
  const names = [
    dns('www.example.com'),
    dns('*.wild.example.com'),
    ip('192.0.2.1'),
    ip('2001:db8::1'),
    email('ann@example.com'),
  ]
  const subject = { ...leaf, subjectDer: nameDer({ commonName: 'cn.example.com' }) }
  const parts = { leaf: await forgeLeaf(subject, ca, { names }), above: [await forgeCa(ca, root)], anchors }
  const rows = [
    ['DNS', 'www.example.com', true],
    ['DNS', 'WWW.Example.COM', true],
    ['DNS', 'a.wild.example.com', true],
    ['DNS', 'wild.example.com', false],
    ['DNS', 'a.b.wild.example.com', false],
    ['DNS', 'cn.example.com', false],
    ['DNS', '*.wild.example.com', false],
    ['DNS', '192.0.2.1', false],
    ['DNS', '', false],
    ['IP', '192.0.2.1', true],
    ['IP', '2001:0db8::0001', true],
    ['IP', '192.0.2.2', false],
    ['IP', 'www.example.com', false],
    ['RFC822', 'ann@EXAMPLE.com', true],
    ['RFC822', 'Ann@example.com', false],
    ['RFC822', 'example.com', false],
  ] as const
  return rows.map(([kind, value, matches], index) => {
    const answer = matches ? {} : { errors: ['name_mismatch@0'] }
    return ownCase(
      `own::peer::${kind.toLowerCase()}-${index}`,
      `asked for ${value}`,
      { ...parts, peer: [kind, value] },
      answer,
    )
  })
}
