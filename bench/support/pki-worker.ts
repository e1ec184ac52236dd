/**
 * Work of the internal PKI inside workerd, without the service around it: `POST /{task}?count=n` does a task so often and
 * answers when it is done. Clocks stand still in a Worker that does not wait, so whoever asks measures.
 */
import 'reflect-metadata'
import * as peculiar from '@peculiar/x509'
import { toHex } from '../../src/core/bytes.ts'
import { buildLeaf, type LeafInput } from '../../src/pki/build-certificate.ts'
import { exportPrivateKeyPem, generateKeyPair } from '../../src/pki/keys.ts'
import { EKU } from '../../src/pki/oids.ts'
import { buildAndCheckPath } from '../../src/pki/path/path-builder.ts'
import { formatCertificatesPem } from '../../src/pki/pem.ts'
import { newSerial } from '../../src/pki/serial.ts'
import { sign } from '../../src/pki/signature.ts'
import {
  DAY_MS,
  LOCATIONS,
  NOW_MS,
  nameDer,
  type TestAuthority,
  testIntermediate,
  testLeaf,
  testRoot,
} from '../../test/support/pki-hierarchy.ts'

export type Task = 'floor' | 'sign' | 'assemble' | 'assemble-peculiar' | 'paths'

const P256 = { type: 'ec', size: 256 } as const
const NAME = 'www.example.com'

interface World {
  readonly root: TestAuthority
  readonly issuing: TestAuthority
  readonly leafDer: Uint8Array<ArrayBuffer>
  readonly leaf: LeafInput
  readonly publicKey: Parameters<typeof peculiar.X509CertificateGenerator.create>[0]['publicKey']
}

const TASKS: Readonly<Record<Task, (world: World) => Promise<unknown>>> = {
  async floor({ leafDer, issuing }) {
    const pair = await generateKeyPair(P256)
    await exportPrivateKeyPem(pair.privateKey, 'sec1')
    await sign(leafDer, issuing.issuer.privateKey)
  },
  sign: ({ leafDer, issuing }) => sign(leafDer, issuing.issuer.privateKey),
  assemble: async ({ leaf, issuing }) => formatCertificatesPem([(await buildLeaf(leaf, issuing.issuer)).der]),
  'assemble-peculiar': async (world) => (await certificateByPeculiar(world)).toString('pem'),
  async paths({ root, issuing, leafDer }) {
    const result = await buildAndCheckPath({
      leafDer,
      intermediates: [issuing.certificate.der],
      anchors: [{ id: 'root', der: root.certificate.der }],
      atMs: NOW_MS,
      purpose: 'server_auth',
      checkRevocation: false,
    })
    if (!result.valid) throw new Error(`the path is not valid: ${JSON.stringify(result.errors)}`)
  },
}

/** Tasks in which signing costs nothing. */
const UNSIGNED: ReadonlySet<Task> = new Set(['assemble', 'assemble-peculiar'])

/** The same certificate. */
async function certificateByPeculiar({ issuing, publicKey }: World): Promise<peculiar.X509Certificate> {
  return peculiar.X509CertificateGenerator.create({
    serialNumber: toHex(newSerial()),
    subject: `CN=${NAME}`,
    issuer: 'C=CH, O=Example, CN=Example Issuing CA I1',
    notBefore: new Date(NOW_MS - 30_000),
    notAfter: new Date(NOW_MS + 30 * DAY_MS),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    publicKey,
    signingKey: issuing.issuer.privateKey,
    extensions: [
      new peculiar.KeyUsagesExtension(peculiar.KeyUsageFlags.digitalSignature, true),
      new peculiar.ExtendedKeyUsageExtension([EKU.serverAuth, EKU.clientAuth]),
      new peculiar.BasicConstraintsExtension(false, undefined, true),
      await peculiar.SubjectKeyIdentifierExtension.create(publicKey),
      new peculiar.AuthorityKeyIdentifierExtension(toHex(issuing.issuer.keyIdentifier)),
      new peculiar.AuthorityInfoAccessExtension({ caIssuers: [...LOCATIONS.caIssuerUris] }),
      new peculiar.CRLDistributionPointsExtension([...LOCATIONS.crlUris]),
      new peculiar.SubjectAlternativeNameExtension([{ type: 'dns', value: NAME }]),
    ],
  })
}

let world: World | null = null

async function makeWorld(): Promise<World> {
  const root = await testRoot(P256)
  const issuing = await testIntermediate(root, P256)
  const { certificate, keyPair } = await testLeaf(issuing, P256)
  const leaf = {
    subjectDer: nameDer({ commonName: NAME }),
    spkiDer: keyPair.spkiDer,
    altNames: [{ type: 'dns', value: NAME }],
    notBeforeMs: NOW_MS - 30_000,
    notAfterMs: NOW_MS + 30 * DAY_MS,
    extKeyUsage: [EKU.serverAuth, EKU.clientAuth],
    ...LOCATIONS,
  } as const
  return { root, issuing, leafDer: certificate.der, leaf, publicKey: keyPair.spkiDer }
}

/** While `work` runs, signatures are 64 octets that were there before. */
async function withoutSigning(work: () => Promise<void>): Promise<void> {
  const { prototype } = SubtleCrypto
  const original = prototype.sign
  const signature = new Uint8Array(64).fill(0x55).buffer
  prototype.sign = () => Promise.resolve(signature)
  try {
    await work()
  } finally {
    prototype.sign = original
  }
}

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const name = pathname.slice(1) as Task
    const count = Number(searchParams.get('count'))
    world ??= await makeWorld()
    const made = world
    const repeat = async (): Promise<void> => {
      for (let done = 0; done < count; done += 1) await TASKS[name](made)
    }
    await (UNSIGNED.has(name) ? withoutSigning(repeat) : repeat())
    return Response.json({ done: count })
  },
}
