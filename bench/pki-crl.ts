/** CRLs of growing size beside `openssl ca -gencrl`, which reads an index.txt with as many revoked certificates. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runSuccessfully } from '../test/support/process.ts'
import { makeTempFolder } from '../test/support/temp-folder.ts'
import { type CrlReport, reasonOf, revokedAtMsOf, serialHexOf } from './support/crl-process.ts'
import { medianOf, timeMs } from './table.ts'

const SIZES = [1_000, 10_000, 100_000] as const
const ROUNDS = 5
const TIMEOUT_MS = 120_000
/** GNU time, which knows how much memory a process came to need. */
const TIME = '/usr/bin/time'

export async function benchCrl(): Promise<string> {
  if (!existsSync(TIME)) throw new Error(`the memory of openssl is measured by ${TIME} (Debian package time)`)
  const version = (await runSuccessfully('openssl', ['version'])).split(' ').slice(0, 2).join(' ')
  const openssl = await OpensslAuthority.create()
  const startMs = medianOf(await samplesOf(() => timeMs(() => runSuccessfully('openssl', ['version']))))
  const lines: string[] = []
  try {
    for (const size of SIZES) lines.push(await lineOf(openssl, size))
  } finally {
    openssl.remove()
  }
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const head = ['entries', 'warm', 'cold', version, 'ratio', 'memory', `memory of ${version}`, 'CRL']
  return [
    '### CRLs: `buildCrl` beside `openssl ca -gencrl`',
    '',
    line(head),
    line(head.map(() => '---:')),
    ...lines,
    '',
    `Starting openssl alone takes ${startMs.toFixed(0)} ms. The ratio is openssl's time to that of Certwright's first CRL in a process (cold).`,
    '',
  ].join('\n')
}

/** Both in turns; each round of ours is a process of its own too, whose first CRL is the cold one. */
async function lineOf(openssl: OpensslAuthority, size: number): Promise<string> {
  openssl.revoke(size)
  const warm: number[] = []
  const cold: number[] = []
  const theirs: number[] = []
  const memory: number[] = []
  const theirMemory: number[] = []
  let octets = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    const report = await ownReport(size)
    const { samplesMs } = report
    cold.push(samplesMs[0] ?? Number.NaN)
    warm.push(medianOf(samplesMs.slice(1)))
    memory.push(report.peakKib - report.peakBeforeKib)
    octets = report.octets
    const { durationMs, peakKib } = await openssl.makeCrl()
    theirs.push(durationMs)
    theirMemory.push(peakKib)
  }
  const ms = (samples: readonly number[]): string => `${medianOf(samples).toFixed(1)} ms`
  const mib = (samples: readonly number[]): string => `${(medianOf(samples) / 1024).toFixed(0)} MiB`
  const ratio = (medianOf(theirs) / medianOf(cold)).toFixed(2)
  const cells = [size.toLocaleString('en'), ms(warm), ms(cold), ms(theirs), ratio, mib(memory), mib(theirMemory)]
  return `| ${[...cells, `${Math.round(octets / 1024).toLocaleString('en')} KiB`].join(' | ')} |`
}

async function ownReport(size: number): Promise<CrlReport> {
  const script = join(import.meta.dirname, 'support', 'crl-process.ts')
  const said = await runSuccessfully(process.execPath, [script, String(size), '6'], { timeoutMs: TIMEOUT_MS })
  return JSON.parse(said) as CrlReport
}

async function samplesOf(sample: () => Promise<number>): Promise<number[]> {
  const samples: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) samples.push(await sample())
  return samples
}

/** Names of reasons as index.txt has them (ca.c of openssl). */
const REASONS = {
  key_compromise: ',keyCompromise',
  superseded: ',superseded',
  cessation_of_operation: ',cessationOfOperation',
  unspecified: '',
} as const

class OpensslAuthority {
  readonly #folder: ReturnType<typeof makeTempFolder>

  static async create(): Promise<OpensslAuthority> {
    const authority = new OpensslAuthority()
    await runSuccessfully('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
      ...['-subj', '/CN=Bench CA', '-keyout', authority.#path('ca.key'), '-out', authority.#path('ca.pem')],
    ])
    const lines = [
      ...['[ca]', 'default_ca = own', '[own]', 'default_md = sha256', 'default_crl_days = 1', 'crl_extensions = crl'],
      ...['database', 'crlnumber', 'certificate', 'private_key'].map(
        (name) => `${name} = ${authority.#path(FILES[name as keyof typeof FILES])}`,
      ),
      ...['[crl]', 'authorityKeyIdentifier = keyid'],
    ]
    writeFileSync(authority.#path('openssl.cnf'), `${lines.join('\n')}\n`)
    writeFileSync(authority.#path('index.txt.attr'), 'unique_subject = no\n')
    writeFileSync(authority.#path('crlnumber'), '01\n')
    return authority
  }

  private constructor() {
    this.#folder = makeTempFolder('bench-openssl')
  }

  #path(name: string): string {
    return join(this.#folder.path, name)
  }

  /** So many certificates in its index, all of them revoked. */
  revoke(count: number): void {
    const lines = Array.from({ length: count }, (_, index) => {
      const revoked = `${utcTimeOf(revokedAtMsOf(index))}${REASONS[reasonOf(index)]}`
      return `R\t281120120000Z\t${revoked}\t${serialHexOf(index).toUpperCase()}\tunknown\t/CN=www.example.com\n`
    })
    writeFileSync(this.#path('index.txt'), lines.join(''))
  }

  async makeCrl(): Promise<{ readonly durationMs: number; readonly peakKib: number }> {
    const args = ['ca', '-gencrl', '-config', this.#path('openssl.cnf'), '-out', this.#path('crl.pem')]
    const report = this.#path('time.txt')
    const durationMs = await timeMs(() =>
      runSuccessfully(TIME, ['-f', '%M', '-o', report, 'openssl', ...args], { timeoutMs: TIMEOUT_MS }),
    )
    if (statSync(this.#path('crl.pem')).size === 0) throw new Error('openssl has made no CRL')
    return { durationMs, peakKib: Number(readFileSync(report, 'utf8').trim()) }
  }

  remove(): void {
    this.#folder.remove()
  }
}

const FILES = { database: 'index.txt', crlnumber: 'crlnumber', certificate: 'ca.pem', private_key: 'ca.key' } as const

/** RFC 5280 §4.1.2.5.1: two digits for the year. */
const utcTimeOf = (epochMs: number): string =>
  `${new Date(epochMs)
    .toISOString()
    .replaceAll(/[-:T]|\.\d+/g, '')
    .slice(2)}`
