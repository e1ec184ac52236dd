/** openssl's word on a chain that Pebble issued: to Pebble's root, for every name. */
import { isIP } from 'node:net'
import { openssl } from './openssl.ts'
import type { Pebble } from './pebble.ts'

/** What is wrong with a chain (leaf first, PEM), one line each; empty where nothing is. */
export async function verifyChain(pebble: Pebble, pem: string, domains: readonly string[]): Promise<string[]> {
  const [leaf = '', ...rest] = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? []
  const files = { 'leaf.pem': leaf, 'chain.pem': rest.join(''), 'root.pem': await pebble.rootPem(0) }
  const problems: string[] = []
  for (const domain of domains) {
    // A wildcard is tried with a host below it.
    const host = domain.replace(/^\*\./, 'anything.')
    const name = [isIP(host) === 0 ? '-verify_hostname' : '-verify_ip', host]
    const args = ['verify', '-x509_strict', '-purpose', 'sslserver', ...name, '-CAfile', 'root.pem']
    const run = await openssl([...args, '-untrusted', 'chain.pem', 'leaf.pem'], files)
    if (run.exitCode !== 0) problems.push(`${domain}: ${run.stdout}${run.stderr}`)
  }
  return problems
}
