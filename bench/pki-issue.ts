/** Certificates per second with a new P-256 key, over HTTP, beside cfssl and beside what the runtime's cryptography alone allows. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { type Service, startService } from '../test/support/service.ts'
import { type Cfssl, startCfssl } from './support/cfssl.ts'
import { answersPerSecond, CONNECTIONS, type LoadRequest } from './support/load.ts'
import { type PkiRuntime, startPkiRuntime } from './support/pki-runtime.ts'
import { type Contender, formatRates, measureInTurns, ratiosOf } from './support/rates.ts'

const ROUNDS = 7
const ROUND_MS = 3_000
const FLOOR_PAIRS = 4_000
const ROWS_TEST = join('test', 'objects', 'issue-rows-written.test.ts')

export async function benchIssue(): Promise<string> {
  const runtime = await startPkiRuntime()
  const cfssl = await startCfssl()
  const service = await startService()
  try {
    const contenders = [cfsslContender(cfssl), await serviceContender(service), ...floors(runtime)]
    // Code is compiled, the role and its CA are read, connections are made.
    for (const contender of contenders) await contender.sample()
    const rows = await measureInTurns(contenders, ROUNDS)
    const table = { title: `P-256 certificates over ${CONNECTIONS} connections`, unit: 'per second', rows }
    const { median, best } = ratiosOf(rows, SERVICE, cfssl.name)
    const ratios = `Certwright to cfssl: ${median.toFixed(2)} by the medians, ${best.toFixed(2)} by the best rounds.`
    return [formatRates(table), `${ratios} ${countRows()}`, ''].join('\n')
  } finally {
    await service.stop()
    await cfssl.stop()
    await runtime.stop()
  }
}

const SERVICE = 'Certwright, `POST /v1/pki/issue/{role}`: stored, journalled'
const NAME = 'www.example.com'

function loadOf(name: string, request: LoadRequest): Contender {
  return { name, sample: () => answersPerSecond(request, ROUND_MS) }
}

function cfsslContender({ name, newCertificateUrl }: Cfssl): Contender {
  const body = { request: { CN: NAME, hosts: [NAME], key: { algo: 'ecdsa', size: 256 } } }
  return loadOf(name, { url: newCertificateUrl, body, expectedStatus: 200 })
}

/** A root, a role for it, and a token that may issue under it alone. */
async function serviceContender(service: Service): Promise<Contender> {
  const made = async (path: string, body: unknown) => {
    const answer = await service.api('POST', path, body)
    if (answer.status !== 201) throw new Error(`${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const ca = await made('/v1/pki/ca', { name: 'bench', common_name: 'Bench CA', ca_type: 'root', key_type: 'ec' })
  await made('/v1/pki/roles', { name: 'bench', ca_id: ca.id, allowed_domains: ['example.com'], allow_subdomains: true })
  const { token } = await made('/v1/tokens', { name: 'bench', scopes: ['pki:issue'], paths: ['pki/roles/bench'] })
  return loadOf(SERVICE, {
    url: `${service.url}/v1/pki/issue/bench`,
    headers: { authorization: `Bearer ${token}` },
    body: { common_name: NAME },
    expectedStatus: 201,
  })
}

function floors(runtime: PkiRuntime): Contender[] {
  return [
    loadOf('floor: key and signature in workerd, one request each', {
      url: runtime.url('floor', 1),
      body: {},
      expectedStatus: 200,
    }),
    {
      name: 'floor: key and signature in workerd, in one request',
      sample: async () => 1_000_000 / (await runtime.microsecondsEach('floor', FLOOR_PAIRS)),
    },
  ]
}

/** One sentence. Throws where the test of the budget fails or has not said what it counted. */
function countRows(): string {
  const args = ['run', '--config', 'vitest.objects.config.ts', ROWS_TEST]
  const run = spawnSync(join('node_modules', '.bin', 'vitest'), args, { encoding: 'utf8' })
  const counted = /rows written per certificate: (\d+) in D1/.exec(run.stdout)
  if (run.status !== 0 || counted === null) throw new Error(`the rows were not counted:\n${run.stdout}${run.stderr}`)
  return `Rows written per certificate: ${counted[1]} in D1.`
}
