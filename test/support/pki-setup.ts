/** A running service with CAs and roles of the internal PKI, and openssl's word on what it issues. */
import { type OpensslRun, openssl } from './openssl.ts'
import { type ApiAnswer, type Service, startService } from './service.ts'

type Body = ApiAnswer['body']
export type KeyFields = Readonly<Record<string, unknown>>
const EC_256: KeyFields = { key_type: 'ec', key_size: 256 }

export interface PkiSetup {
  readonly service: Service
  /** The body of an answer that has that status; else an error with what was answered. */
  call(status: number, method: string, path: string, body?: unknown): Promise<Body>
  /** A root, or an intermediate where `more` names a parent. */
  createCa(name: string, more?: Readonly<Record<string, unknown>>): Promise<Body>
  /** A role that allows names below svc.internal, and more. */
  createRole(name: string, caId: string, more?: Readonly<Record<string, unknown>>): Promise<Body>
  issue(role: string, commonName: string, more?: Readonly<Record<string, unknown>>): Promise<Body>
  crlPem(caId: string): Promise<string>
}

export async function startPkiSetup(): Promise<PkiSetup> {
  const service = await startService()
  const call: PkiSetup['call'] = async (status, method, path, body) => {
    const answer = await service.api(method, path, body)
    if (answer.status === status) return answer.body
    throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  }
  return {
    service,
    call,
    createCa(name, more = {}) {
      const caType = more.parent_ca_id === undefined ? 'root' : 'intermediate'
      return call(201, 'POST', '/v1/pki/ca', { name, common_name: `${name} CA`, ca_type: caType, ...EC_256, ...more })
    },
    createRole: (name, caId, more = {}) =>
      call(201, 'POST', '/v1/pki/roles', {
        name,
        ca_id: caId,
        allowed_domains: ['svc.internal'],
        allow_subdomains: true,
        max_ttl: '720h',
        ...more,
      }),
    issue: (role, commonName, more = {}) =>
      call(201, 'POST', `/v1/pki/issue/${role}`, { common_name: commonName, ttl: '168h', ...more }),
    async crlPem(caId) {
      const headers = { accept: 'application/x-pem-file' }
      return (await fetch(`${service.url}/v1/pki/ca/${caId}/crl`, { headers })).text()
    },
  }
}

/** `openssl verify -x509_strict -crl_check_all` of a leaf to the last of its chain. */
export function verifyWithCrls(
  leafPem: string,
  chainPems: readonly string[],
  crlPems: readonly string[],
  more: readonly string[] = [],
): Promise<OpensslRun> {
  const files = {
    'root.pem': chainPems.at(-1) ?? '',
    'above.pem': chainPems.slice(0, -1).join(''),
    'crls.pem': crlPems.join(''),
    'leaf.pem': leafPem,
  }
  const above = chainPems.length > 1 ? ['-untrusted', 'above.pem'] : []
  const trust = ['-CAfile', 'root.pem', ...above, '-CRLfile', 'crls.pem']
  return openssl(['verify', '-x509_strict', '-crl_check_all', ...trust, ...more, 'leaf.pem'], files)
}

/** What `openssl x509 -text` says. */
export async function textOf(pem: string): Promise<string> {
  return (await openssl(['x509', '-in', 'a.pem', '-noout', '-text'], { 'a.pem': pem })).stdout
}
