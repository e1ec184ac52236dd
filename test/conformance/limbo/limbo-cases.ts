/** Reads cases in the format of the C2SP x509-limbo project and asks the path builder about them. Runs in workerd too. */
import { z } from 'zod'
import type { Bytes } from '../../../src/core/bytes.ts'
import { buildAndCheckPath, type PathInput } from '../../../src/pki/path/path-builder.ts'
import type { PathResult } from '../../../src/pki/path/path-result.ts'
import type { ReferenceName } from '../../../src/pki/path/subject-name.ts'
import { parsePemOf } from '../../../src/pki/pem.ts'

const peerName = z.object({ kind: z.enum(['DNS', 'IP', 'RFC822']), value: z.string() })
const verdict = z.enum(['SUCCESS', 'FAILURE'])

const limboCase = z.object({
  id: z.string(),
  validation_kind: z.enum(['SERVER', 'CLIENT']),
  trusted_certs: z.array(z.string()),
  untrusted_intermediates: z.array(z.string()),
  peer_certificate: z.string(),
  validation_time: z.string().nullable(),
  expected_result: verdict,
  expected_peer_name: peerName.nullable(),
  expected_peer_names: z.array(peerName),
  max_chain_depth: z.number().nullable(),
  crls: z.array(z.string()),
})
export type LimboCase = z.infer<typeof limboCase>
export type Verdict = z.infer<typeof verdict>

const limboFile = z.object({ version: z.literal(1), testcases: z.array(limboCase) })
export const parseLimbo = (json: string): LimboCase[] => limboFile.parse(JSON.parse(json)).testcases

/** The project's own cases say more than whether the path stands. */
const ownCase = limboCase.extend({
  description: z.string(),
  /** `code@depth`, in order; `code` alone where it is about no certificate. */
  expected_errors: z.array(z.string()),
  expected_not_revoked: z.boolean().nullable(),
})
export type OwnCase = z.infer<typeof ownCase>

const ownFile = z.object({ version: z.literal(1), testcases: z.array(ownCase) })
export const parseOwnCases = (json: string): OwnCase[] => ownFile.parse(JSON.parse(json)).testcases

const exceptionFile = z.array(
  z.strictObject({
    id: z.string(),
    expected: verdict,
    actual: verdict,
    reason: z.string().min(40),
    /** The warning that is given where the case wants a refusal. */
    warning: z.string().optional(),
  }),
)
export type LimboException = z.infer<typeof exceptionFile>[number]
export const parseExceptions = (json: string): LimboException[] => exceptionFile.parse(JSON.parse(json))

function ders(label: string, pem: string): Bytes[] {
  const blocks = parsePemOf(label, pem)
  if (!blocks.ok) throw new TypeError(blocks.error.message)
  return blocks.value
}

const KINDS = { DNS: 'dns', IP: 'ip', RFC822: 'email' } as const

export interface Outcome {
  readonly verdict: Verdict
  /** One per name that is asked for, and one where there is none. */
  readonly results: readonly PathResult[]
}

/** SUCCESS where the path stands for every name of the case. `undatedMs` is for cases without a time. */
export async function runCase(testCase: LimboCase, undatedMs: number): Promise<Outcome> {
  const names = [testCase.expected_peer_name, ...testCase.expected_peer_names].filter((name) => name !== null)
  const references: (ReferenceName | null)[] = names.map(({ kind, value }) => ({ kind: KINDS[kind], value }))
  const [leafDer] = ders('CERTIFICATE', testCase.peer_certificate)
  if (leafDer === undefined) throw new TypeError('a case without a certificate')
  const { validation_time: time, max_chain_depth: maxDepth } = testCase
  const input: PathInput = {
    leafDer,
    intermediates: testCase.untrusted_intermediates.flatMap((pem) => ders('CERTIFICATE', pem)),
    anchors: testCase.trusted_certs
      .flatMap((pem) => ders('CERTIFICATE', pem))
      .map((der, index) => ({ id: `anchor ${index}`, der })),
    atMs: time === null ? undatedMs : Date.parse(time),
    purpose: testCase.validation_kind === 'SERVER' ? 'server_auth' : 'client_auth',
    crls: testCase.crls.flatMap((pem) => ders('X509 CRL', pem)),
    checkRevocation: testCase.crls.length > 0,
    ...(maxDepth === null ? {} : { maxDepth }),
  }
  const results: PathResult[] = []
  for (const name of references.length === 0 ? [null] : references) {
    results.push(await buildAndCheckPath(name === null ? input : { ...input, name }))
  }
  return { verdict: results.every(({ valid }) => valid) ? 'SUCCESS' : 'FAILURE', results }
}

/** What an own case says about the answer, taken from the answer. */
export async function runOwnCase(testCase: OwnCase): Promise<Pick<OwnCase, OwnExpectation>> {
  const { verdict: expected_result, results } = await runCase(testCase, Number.NaN)
  const [result] = results
  if (result === undefined) throw new TypeError('a case without an answer')
  const expected_errors = result.errors.map(({ code, depth }) => (depth === null ? code : `${code}@${depth}`))
  return { expected_result, expected_errors, expected_not_revoked: result.notRevoked }
}

export type OwnExpectation = 'expected_result' | 'expected_errors' | 'expected_not_revoked'

export const expectationOf = (testCase: OwnCase): Pick<OwnCase, OwnExpectation> => ({
  expected_result: testCase.expected_result,
  expected_errors: testCase.expected_errors,
  expected_not_revoked: testCase.expected_not_revoked,
})
