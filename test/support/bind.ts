/**
 * A real BIND on loopback: authoritative for the zones of a test, updated only with TSIG keys that are made for it.
 * It is authoritative for an empty root too, so that every other name does not exist and nothing leaves the machine.
 * Asked with dig, never with the product's own resolver.
 */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireServers } from '../../tools/install-servers.ts'
import { freePort } from './ports.ts'
import { runSuccessfully, startProcess, waitForPort } from './process.ts'
import { makeTempFolder } from './temp-folder.ts'

/** RFC 8945 §6: the algorithms that BIND takes, with the length of a key that is as long as the digest. */
const TSIG_KEY_BYTES = {
  'hmac-sha1': 20,
  'hmac-sha224': 28,
  'hmac-sha256': 32,
  'hmac-sha384': 48,
  'hmac-sha512': 64,
} as const

export type TsigAlgorithm = keyof typeof TSIG_KEY_BYTES

export interface TsigKey {
  readonly name: string
  readonly algorithm: TsigAlgorithm
  /** Base64. */
  readonly secret: string
}

export interface BindOptions {
  /** Zone names without trailing dot. The apex and `ns.` of each have the address 127.0.0.1. */
  readonly zones: readonly string[]
  /** One key per algorithm. Default: hmac-sha256 alone. */
  readonly tsig?: readonly TsigAlgorithm[]
}

export interface Bind {
  readonly host: '127.0.0.1'
  readonly port: number
  /** `host:port`, UDP and TCP. */
  readonly address: string
  readonly tsigKeys: readonly TsigKey[]
  /** The TXT values at a name, sorted; CNAMEs inside the zones are followed. */
  txt(name: string): Promise<string[]>
  /** `addRecord('www.acme.example', 'A', '127.0.0.1')`. TXT values are quoted here; names in values are absolute. */
  addRecord(name: string, type: string, value: string, ttlSeconds?: number): Promise<void>
  /** Takes one record away, or every record of the type where no value is given. */
  removeRecord(name: string, type: string, value?: string): Promise<void>
  /** `addCname('_acme-challenge.www.acme.example', 'www.challenges.example')`. */
  addCname(name: string, target: string): Promise<void>
  /** Every record of a zone by zone transfer, sorted, without the SOA (its serial counts the updates): equal before and after means a clean zone. */
  transfer(zone: string): Promise<string[]>
  /** What it has logged, updates and refusals included. */
  log(): string
  stop(): Promise<void>
}

/** Starts BIND and resolves when it answers. */
export async function startBind(options: BindOptions): Promise<Bind> {
  const { named, dig, nsupdate } = requireServers()
  const folder = makeTempFolder('bind')
  const port = await freePort()
  const tsigKeys = (options.tsig ?? ['hmac-sha256']).map((algorithm) => ({
    name: `${algorithm}.key`,
    algorithm,
    secret: randomBytes(TSIG_KEY_BYTES[algorithm]).toString('base64'),
  }))
  const key = tsigKeys[0]
  if (key === undefined) throw new Error('BIND needs at least one TSIG key')

  for (const zone of options.zones) writeFileSync(join(folder.path, `${zone}.zone`), zoneFile(zone))
  writeFileSync(join(folder.path, 'root.zone'), zoneFile(''))
  const configurationFile = join(folder.path, 'named.conf')
  writeFileSync(configurationFile, configuration(folder.path, port, options.zones, tsigKeys), { mode: 0o600 })
  const server = startProcess(named, ['-g', '-c', configurationFile], { cwd: folder.path })
  await server.waitForLine(/ running$/)
  await waitForPort(port, server)

  const ask = (...args: string[]): Promise<string> =>
    runSuccessfully(dig, ['@127.0.0.1', '-p', String(port), '+tcp', '+time=5', '+tries=2', ...args])
  const update = async (...lines: string[]): Promise<void> => {
    const script = [`server 127.0.0.1 ${port}`, ...lines, 'send', ''].join('\n')
    await runSuccessfully(nsupdate, ['-v', '-y', `${key.algorithm}:${key.name}:${key.secret}`], { stdin: script })
  }

  const bind: Bind = {
    host: '127.0.0.1',
    port,
    address: `127.0.0.1:${port}`,
    tsigKeys,
    async txt(name) {
      const answer = await ask('+short', absolute(name), 'TXT')
      return answer.split('\n').filter(isTxtData).map(parseCharacterStrings).sort()
    },
    addRecord: (name, type, value, ttlSeconds = 60) =>
      update(`update add ${absolute(name)} ${ttlSeconds} ${type} ${dataOf(type, value)}`),
    removeRecord: (name, type, value) =>
      update(`update delete ${absolute(name)} ${type}${value === undefined ? '' : ` ${dataOf(type, value)}`}`),
    addCname: (name, target) => bind.addRecord(name, 'CNAME', target),
    async transfer(zone) {
      const keyArgument = `${key.algorithm}:${key.name}:${key.secret}`
      const answer = await ask('-y', keyArgument, '+noall', '+answer', absolute(zone), 'AXFR')
      const records = answer.split('\n').filter((line) => line !== '' && !line.startsWith(';'))
      // dig ends with code 0 when a transfer is refused: a zone always has its SOA.
      if (!records.some((line) => /\sSOA\s/.test(line))) throw new Error(`no transfer of ${zone}:\n${answer}`)
      const kept = records.filter((line) => !/\s(SOA|TSIG)\s/.test(line))
      return kept.map((line) => line.replaceAll(/\s+/g, ' ')).sort()
    },
    log: () => server.output(),
    async stop() {
      await server.stop()
      folder.remove()
    },
  }
  return bind
}

/** RFC 1035 §5.1: a name without the trailing dot is relative. */
function absolute(name: string): string {
  return name.endsWith('.') ? name : `${name}.`
}

const TYPES_WITH_NAMES = new Set(['CNAME', 'NS'])

function dataOf(type: string, value: string): string {
  if (TYPES_WITH_NAMES.has(type)) return absolute(value)
  return type === 'TXT' ? `"${value.replaceAll(/["\\]/g, '\\$&')}"` : value
}

/** A CNAME on the way to a TXT record is a line without quotes. */
function isTxtData(line: string): boolean {
  return line.startsWith('"')
}

/** RFC 1035 §3.3.14: a TXT value is one or more character-strings; here they are one text. */
function parseCharacterStrings(line: string): string {
  const strings = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1] ?? '')
  return strings.join('').replaceAll(/\\(\d{3}|.)/g, (_, escaped: string) => {
    return escaped.length === 3 ? String.fromCharCode(Number(escaped)) : escaped
  })
}

/** The empty name is the root. */
function zoneFile(zone: string): string {
  const origin = zone === '' ? '' : `${zone}.`
  return [
    '$TTL 60',
    // A short negative TTL (the last number, RFC 2308 §4): a value that was missing is seen as soon as it is there.
    `@ IN SOA ns.${origin} hostmaster.${origin} 1 3600 600 86400 1`,
    `@ IN NS ns.${origin}`,
    '@ IN A 127.0.0.1',
    'ns IN A 127.0.0.1',
    '',
  ].join('\n')
}

function configuration(folder: string, port: number, zones: readonly string[], keys: readonly TsigKey[]): string {
  const keyStatements = keys.map(
    ({ name, algorithm, secret }) => `key "${name}" { algorithm ${algorithm}; secret "${secret}"; };`,
  )
  const keyNames = keys.map(({ name }) => `key "${name}";`).join(' ')
  const zoneStatements = zones.map(
    (zone) =>
      `zone "${zone}" { type primary; file "${zone}.zone"; allow-update { ${keyNames} }; allow-transfer { ${keyNames} }; notify no; };`,
  )
  return [
    'options {',
    `  directory "${folder}";`,
    `  pid-file "${folder}/named.pid";`,
    `  session-keyfile "${folder}/session.key";`,
    `  listen-on port ${port} { 127.0.0.1; };`,
    '  listen-on-v6 { none; };',
    // RFC 1034 §4.3.2 step 3a: a CNAME into another zone is followed only for those who ask for recursion.
    '  recursion yes;',
    '  allow-recursion { 127.0.0.1; };',
    '  empty-zones-enable no;',
    '  dnssec-validation no;',
    '};',
    'controls { };',
    ...keyStatements,
    'zone "." { type primary; file "root.zone"; notify no; };',
    ...zoneStatements,
    '',
  ].join('\n')
}
