/** One of the project's own cases, from bytes to the format of limbo-cases.ts. */
import type { Bytes } from '../../../src/core/bytes.ts'
import { formatPem } from '../../../src/pki/pem.ts'
import { CASE_TIME_MS } from './forge.ts'
import type { OwnCase, OwnExpectation } from './limbo-cases.ts'

type Peer = NonNullable<OwnCase['expected_peer_name']>

export interface CaseParts {
  readonly leaf: Bytes
  readonly above?: readonly Bytes[]
  readonly anchors: readonly Bytes[]
  readonly crls?: readonly Bytes[]
  readonly peer?: readonly [Peer['kind'], string]
  readonly kind?: OwnCase['validation_kind']
  readonly maxDepth?: number
}

/** What comes out. No errors: the path stands. */
export interface CaseAnswer {
  readonly errors?: readonly string[]
  readonly notRevoked?: boolean | null
}

const certificatePem = (der: Bytes): string => formatPem('CERTIFICATE', der)

export function ownCase(id: string, description: string, parts: CaseParts, answer: CaseAnswer = {}): OwnCase {
  const { errors = [], notRevoked = null } = answer
  const expected: Pick<OwnCase, OwnExpectation> = {
    expected_result: errors.length === 0 ? 'SUCCESS' : 'FAILURE',
    expected_errors: [...errors],
    expected_not_revoked: notRevoked,
  }
  return {
    id,
    description,
    validation_kind: parts.kind ?? 'SERVER',
    trusted_certs: parts.anchors.map(certificatePem),
    untrusted_intermediates: (parts.above ?? []).map(certificatePem),
    peer_certificate: certificatePem(parts.leaf),
    validation_time: new Date(CASE_TIME_MS).toISOString(),
    expected_peer_name: parts.peer === undefined ? null : { kind: parts.peer[0], value: parts.peer[1] },
    expected_peer_names: [],
    max_chain_depth: parts.maxDepth ?? null,
    crls: (parts.crls ?? []).map((der) => formatPem('X509 CRL', der)),
    ...expected,
  }
}
