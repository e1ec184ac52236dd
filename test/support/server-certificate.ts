/** TLS certificates for servers on loopback, made anew for every run. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runSuccessfully } from './process.ts'

export interface ServerCertificate {
  /** PEM file of the CA that clients must trust. */
  readonly caFile: string
  readonly certificateFile: string
  readonly keyFile: string
}

/** A fresh CA and a certificate of it for TLS servers on loopback: `localhost`, `127.0.0.1` and `::1`. */
export async function makeServerCertificate(folder: string): Promise<ServerCertificate> {
  const caFile = join(folder, 'tls-ca.pem')
  const caKeyFile = join(folder, 'tls-ca-key.pem')
  const certificateFile = join(folder, 'tls.pem')
  const keyFile = join(folder, 'tls-key.pem')
  // The system's openssl.cnf would add extensions of its own to every certificate.
  const configurationFile = join(folder, 'openssl.cnf')
  writeFileSync(configurationFile, '[req]\ndistinguished_name = dn\n[dn]\n')
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '2']
  const request = ['req', '-x509', '-config', configurationFile, ...newKey]
  await runSuccessfully('openssl', [
    ...[...request, '-subj', '/CN=Certwright test TLS CA', '-keyout', caKeyFile, '-out', caFile],
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  ])
  await runSuccessfully('openssl', [
    ...[...request, '-subj', '/CN=localhost', '-keyout', keyFile, '-out', certificateFile],
    ...['-CA', caFile, '-CAkey', caKeyFile, '-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1', '-addext', 'extendedKeyUsage=serverAuth'],
  ])
  return { caFile, certificateFile, keyFile }
}
