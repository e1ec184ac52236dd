/** `cfssl serve` with an EC P-256 CA, which is the peer of the internal PKI: pinned, installed into `.cache` when first asked for. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../test/support/ports.ts'
import { runSuccessfully, startProcess, waitForPort } from '../../test/support/process.ts'
import { makeTempFolder } from '../../test/support/temp-folder.ts'
import { PROJECT_FOLDER } from '../../tools/project-files.ts'

const CFSSL_VERSION = 'v1.6.5'
/** The version is part of the folder's name, so that a change of it installs anew. */
const CFSSL_FOLDER = join(PROJECT_FOLDER, '.cache', 'bin', `cfssl-${CFSSL_VERSION}`)
const CFSSL = join(CFSSL_FOLDER, 'cfssl')

export interface Cfssl {
  /** With its version. */
  readonly name: string
  /** Takes a request for a key and its certificate. */
  readonly newCertificateUrl: string
  stop(): Promise<void>
}

/** Starts it with a CA of its own; it stores nothing and logs nothing. */
export async function startCfssl(): Promise<Cfssl> {
  if (!existsSync(CFSSL)) installCfssl()
  const folder = makeTempFolder('bench-cfssl')
  const file = (name: string): string => join(folder.path, name)
  const request = { CN: 'Bench CA', key: { algo: 'ecdsa', size: 256 }, ca: { expiry: '87600h' } }
  writeFileSync(file('request.json'), JSON.stringify(request))
  const made = JSON.parse(await runSuccessfully(CFSSL, ['gencert', '-initca', file('request.json')])) as {
    readonly cert: string
    readonly key: string
  }
  writeFileSync(file('ca.pem'), made.cert)
  writeFileSync(file('ca-key.pem'), made.key, { mode: 0o600 })
  const usages = ['digital signature', 'server auth', 'client auth']
  writeFileSync(file('config.json'), JSON.stringify({ signing: { default: { expiry: '720h', usages } } }))
  const port = await freePort()
  const server = startProcess(CFSSL, [
    ...['serve', '-address', '127.0.0.1', '-port', String(port), '-loglevel', '5', '-config', file('config.json')],
    ...['-ca', file('ca.pem'), '-ca-key', file('ca-key.pem')],
  ])
  await waitForPort(port, server)
  return {
    name: `cfssl ${CFSSL_VERSION}`,
    newCertificateUrl: `http://127.0.0.1:${port}/api/v1/cfssl/newcert`,
    async stop() {
      await server.stop()
      folder.remove()
    },
  }
}

function installCfssl(): void {
  console.info(`installing cfssl ${CFSSL_VERSION}: some minutes`)
  mkdirSync(CFSSL_FOLDER, { recursive: true })
  // GOOS and GOARCH of a cross-compiling shell would build for another machine, and refuse GOBIN.
  const { GOOS: _os, GOARCH: _arch, ...environment } = process.env
  const program = `github.com/cloudflare/cfssl/cmd/cfssl@${CFSSL_VERSION}`
  const installed = spawnSync('go', ['install', program], {
    stdio: 'inherit',
    env: { ...environment, GOBIN: CFSSL_FOLDER },
  })
  if (installed.status !== 0) throw new Error('cfssl could not be installed: install Go 1.24 or later')
}
