/** The second half of the demo: a root, an intermediate, a role and a leaf, revoked at the end, with openssl as the judge. */
import { openssl } from '../test/support/openssl.ts'
import type { Service } from '../test/support/service.ts'

/** Throws where a step answers something else than it should, or openssl does not agree. */
export async function internalPki(service: Service, say: (line: string) => void): Promise<void> {
  const call = async (method: string, path: string, body?: unknown) => {
    const { status, body: answer } = await service.api(method, path, body)
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(answer)}`)
    return answer
  }
  say('\n5. A private CA: a root and an intermediate')
  const ec = { key_type: 'ec', key_size: 256 }
  const root = await call('POST', '/v1/pki/ca', { name: 'demo-root', common_name: 'Demo Root', ca_type: 'root', ...ec })
  const intermediate = await call('POST', '/v1/pki/ca', {
    name: 'demo-services',
    common_name: 'Demo Services',
    ca_type: 'intermediate',
    parent_ca_id: root.id,
    ...ec,
  })
  say(`   ${root.id} until ${root.valid_until}, ${intermediate.id} until ${intermediate.valid_until}`)

  say('6. A role that allows names below svc.internal, and a certificate under it')
  await call('POST', '/v1/pki/roles', {
    name: 'services',
    ca_id: intermediate.id,
    allowed_domains: ['svc.internal'],
    allow_subdomains: true,
    max_ttl: '720h',
  })
  const issued = await call('POST', '/v1/pki/issue/services', { common_name: 'billing.svc.internal', ttl: '168h' })
  const crls = async () => (await Promise.all([root, intermediate].map(({ id }) => crlPem(service, id)))).join('')
  const before = await opensslVerify(issued.certificate, issued.ca_chain, await crls())
  if (before !== null) throw new Error(`openssl: ${before}`)
  say(`   certificate ${issued.id}: openssl verifies it with both CRLs, until ${issued.not_after}`)

  say('7. Revoke it')
  await call('POST', '/v1/pki/revoke', { certificate_id: issued.id, reason: 'superseded' })
  const verdict = await opensslVerify(issued.certificate, issued.ca_chain, await crls())
  if (verdict === null || !verdict.includes('revoked')) throw new Error(`openssl still takes it: ${verdict}`)
  say('   the CRL has it, and openssl refuses it: certificate revoked')
}

async function crlPem(service: Service, caId: string): Promise<string> {
  const response = await fetch(`${service.url}/v1/pki/ca/${caId}/crl`, {
    headers: { accept: 'application/x-pem-file' },
  })
  if (!response.ok) throw new Error(`the CRL of ${caId}: ${response.status}`)
  return response.text()
}

/** Null where openssl takes the chain, else what it says. */
async function opensslVerify(leafPem: string, chainPems: readonly string[], crlsPem: string): Promise<string | null> {
  const files = {
    'root.pem': chainPems.at(-1) ?? '',
    'above.pem': chainPems.slice(0, -1).join(''),
    'crls.pem': crlsPem,
    'leaf.pem': leafPem,
  }
  const trust = ['-CAfile', 'root.pem', '-untrusted', 'above.pem', '-CRLfile', 'crls.pem']
  const run = await openssl(['verify', '-x509_strict', '-crl_check_all', ...trust, 'leaf.pem'], files)
  return run.exitCode === 0 ? null : run.stdout + run.stderr
}
