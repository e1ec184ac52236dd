/** Paths of leaf, intermediate and root, checked: over HTTP beside processes of openssl, and in one process beside node:crypto. */
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildAndCheckPath } from '../src/pki/path/path-builder.ts'
import { formatCertificatesPem } from '../src/pki/pem.ts'
import { DAY_MS, NOW_MS, testIntermediate, testLeaf, testRoot } from '../test/support/pki-hierarchy.ts'
import { runSuccessfully } from '../test/support/process.ts'
import { type Service, startService } from '../test/support/service.ts'
import { makeTempFolder } from '../test/support/temp-folder.ts'
import { answersPerSecond, CONNECTIONS } from './support/load.ts'
import { type PkiRuntime, startPkiRuntime } from './support/pki-runtime.ts'
import { type Contender, formatRates, measureInTurns } from './support/rates.ts'

const ROUNDS = 5
const ROUND_MS = 3_000
const PROCESSES = 200
/** As many as the machine of the table has cores. */
const PROCESSES_AT_ONCE = 2
const CHECKS = 2_000
const P256 = { type: 'ec', size: 256 } as const

interface Path {
  readonly rootDer: Uint8Array<ArrayBuffer>
  readonly issuingDer: Uint8Array<ArrayBuffer>
  readonly leafDer: Uint8Array<ArrayBuffer>
}

export async function benchValidate(): Promise<string> {
  const path = await newPath()
  const folder = makeTempFolder('bench-verify')
  const service = await startService()
  const runtime = await startPkiRuntime()
  try {
    const outside = [await serviceContender(service, path), await opensslContender(folder.path, path)]
    const inside = [...checkContenders(path), workerdContender(runtime)]
    for (const contender of [...outside, ...inside]) await contender.sample()
    const overHttp = { title: `Paths checked from outside`, unit: 'per second' }
    const inProcess = { title: 'Paths checked in one process, parsed anew each time', unit: 'per second' }
    return [
      formatRates({ ...overHttp, rows: await measureInTurns(outside, ROUNDS) }),
      formatRates({ ...inProcess, rows: await measureInTurns(inside, ROUNDS) }),
    ].join('\n')
  } finally {
    await runtime.stop()
    await service.stop()
    folder.remove()
  }
}

async function newPath(): Promise<Path> {
  const root = await testRoot(P256)
  const issuing = await testIntermediate(root, P256)
  // `openssl verify` knows the present alone.
  const times = { notBeforeMs: NOW_MS - 30_000, notAfterMs: NOW_MS + 1_000 * DAY_MS }
  const leaf = await testLeaf(issuing, P256, times)
  return { rootDer: root.certificate.der, issuingDer: issuing.certificate.der, leafDer: leaf.certificate.der }
}

async function serviceContender(service: Service, { rootDer, issuingDer, leafDer }: Path): Promise<Contender> {
  const anchor = { name: 'bench', certificate_pem: formatCertificatesPem([rootDer]) }
  const { status, body: answer } = await service.api('POST', '/v1/pki/trust-anchors', anchor)
  if (status !== 201) throw new Error(`no trust anchor: ${JSON.stringify(answer)}`)
  const body = {
    certificate_pem: formatCertificatesPem([leafDer]),
    chain_pem: formatCertificatesPem([issuingDer]),
    hostname: 'www.example.com',
    purpose: 'server',
  }
  const validated = await service.api('POST', '/v1/pki/certificates/validate', body)
  if (validated.body.valid !== true) throw new Error(`the path is not valid: ${JSON.stringify(validated.body)}`)
  const url = `${service.url}/v1/pki/certificates/validate`
  const headers = { authorization: `Bearer ${service.token}` }
  return {
    name: `Certwright, \`POST /v1/pki/certificates/validate\` over ${CONNECTIONS} connections`,
    sample: () => answersPerSecond({ url, headers, body, expectedStatus: 200 }, ROUND_MS),
  }
}

async function opensslContender(folder: string, { rootDer, issuingDer, leafDer }: Path): Promise<Contender> {
  const file = (name: string, der: Uint8Array<ArrayBuffer>): string => {
    writeFileSync(join(folder, name), formatCertificatesPem([der]))
    return join(folder, name)
  }
  const args = [
    ...['verify', '-purpose', 'sslserver', '-verify_hostname', 'www.example.com'],
    ...['-CAfile', file('root.pem', rootDer), '-untrusted', file('issuing.pem', issuingDer), file('leaf.pem', leafDer)],
  ]
  const version = (await runSuccessfully('openssl', ['version'])).split(' ').slice(0, 2).join(' ')
  return {
    name: `\`openssl verify\` (${version}), a process each, ${PROCESSES_AT_ONCE} at once`,
    async sample() {
      const startMs = performance.now()
      let left = PROCESSES
      const verifyWhileLeft = async (): Promise<void> => {
        for (; left > 0; ) {
          left -= 1
          await runSuccessfully('openssl', args)
        }
      }
      await Promise.all(Array.from({ length: PROCESSES_AT_ONCE }, verifyWhileLeft))
      return PROCESSES / ((performance.now() - startMs) / 1000)
    },
  }
}

function checkContenders({ rootDer, issuingDer, leafDer }: Path): Contender[] {
  const perSecond = (name: string, check: () => Promise<boolean> | boolean): Contender => ({
    name,
    async sample() {
      const startMs = performance.now()
      for (let done = 0; done < CHECKS; done += 1) {
        if (!(await check())) throw new Error(`${name}: the path does not stand`)
      }
      return CHECKS / ((performance.now() - startMs) / 1000)
    },
  })
  const ours = async (): Promise<boolean> => {
    const result = await buildAndCheckPath({
      leafDer,
      intermediates: [issuingDer],
      anchors: [{ id: 'root', der: rootDer }],
      atMs: NOW_MS,
      purpose: 'server_auth',
      name: { kind: 'dns', value: 'www.example.com' },
      checkRevocation: false,
    })
    return result.valid
  }
  const nodes = (): boolean => {
    const [leaf, issuing, root] = [leafDer, issuingDer, rootDer].map((der) => new X509Certificate(der))
    if (leaf === undefined || issuing === undefined || root === undefined) return false
    const isSigned = leaf.verify(issuing.publicKey) && issuing.verify(root.publicKey)
    const isIssued = leaf.checkIssued(issuing) && issuing.checkIssued(root) && issuing.ca && root.ca
    return isSigned && isIssued && leaf.checkHost('www.example.com') !== undefined
  }
  return [
    perSecond('node:crypto in Node: signatures, issuers, `ca`, host name; no RFC 5280 §6', nodes),
    perSecond('Certwright, `buildAndCheckPath` in Node', ours),
  ]
}

function workerdContender(runtime: PkiRuntime): Contender {
  return {
    name: 'Certwright, `buildAndCheckPath` in workerd',
    sample: async () => 1_000_000 / (await runtime.microsecondsEach('paths', CHECKS)),
  }
}
