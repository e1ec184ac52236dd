/** `fetch`: brings what is installed to the current version, and tells the server. The key is read only where it is needed. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { type Api, ApiError } from './api.ts'
import type { FetchCommand } from './arguments.ts'
import { install, installedCertificate, isReloadPending, setReloadPending } from './install.ts'
import { runReload } from './reload.ts'

type Say = (line: string) => void
export type FetchInput = Omit<FetchCommand, 'name'>

/** Throws where the service does not give it, or the reload command fails or is ended by `stop`; then the next call reloads again. */
export async function fetchOnce(input: FetchInput, say: Say, stop: AbortSignal): Promise<void> {
  const { api, certificateId, out, reload, reloadTimeoutSeconds } = input
  const certificatePem = await readCertificate(api, certificateId)
  if (certificatePem === installedCertificate(out)) {
    say(`${certificateId}: unchanged`)
  } else {
    const pair = await readPair(api, certificateId)
    // Before: should it end between here and the reload, the next call knows.
    if (reload !== null) setReloadPending(out, true)
    install(out, pair.certificatePem, pair.privateKeyPem)
    say(`${certificateId}: installed in ${out}, valid until ${endOf(pair.certificatePem)}`)
  }
  if (reload === null || !isReloadPending(out)) return
  await runReload(reload, reloadTimeoutSeconds * 1000, stop)
  setReloadPending(out, false)
  say(`reloaded: ${reload}`)
}

const pathOf = (id: string): string => `/v1/pki/certificates/${encodeURIComponent(id)}`

async function readCertificate(api: Api, id: string): Promise<string> {
  const { certificate_pem: pem } = await api.get<{ readonly certificate_pem: string }>(`${pathOf(id)}/pem`)
  return pem
}

/** How often a certificate may be renewed between reading it and reading its key. */
const MAX_READS = 3

/** A certificate and its own key: both are read until they belong together. */
async function readPair(api: Api, id: string): Promise<{ certificatePem: string; privateKeyPem: string }> {
  for (let reads = 0; reads < MAX_READS; reads += 1) {
    const certificatePem = await readCertificate(api, id)
    const { private_key_pem: privateKeyPem } = await api.post<{ readonly private_key_pem: string }>(
      `${pathOf(id)}/private-key`,
    )
    if (new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem))) {
      return { certificatePem, privateKeyPem }
    }
  }
  throw new ApiError('the key that the service gives does not belong to the certificate')
}

/** Not by `validToDate`, which Node 20 does not have. */
const endOf = (certificatePem: string): string => new Date(new X509Certificate(certificatePem).validTo).toISOString()
