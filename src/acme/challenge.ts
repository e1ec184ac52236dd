/**
 * Challenges (RFC 8555 §7.1.5, §8; RFC 8737; draft-ietf-acme-dns-account-label-02; draft-ietf-acme-dns-persist) and what
 * is published to answer them. Publishes nothing.
 */
import { z } from 'zod'
import { sha256, toBase64Url, utf8 } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import { MAX_ISSUER_DOMAINS, MAX_TOKEN_CHARS } from './limits.ts'
import { type AcmeProblem, parseProblem } from './problem.ts'
import { checkServerUrls, checkShape, optionalTime, type TargetPolicy, urlText } from './shape.ts'

/** RFC 8555 §7.1.6. */
export const CHALLENGE_STATUSES = ['pending', 'processing', 'valid', 'invalid'] as const
export type ChallengeStatus = (typeof CHALLENGE_STATUSES)[number]

/** The types that an order may choose: those that can be answered here. */
export const CHALLENGE_TYPES = ['http-01', 'dns-01', 'tls-alpn-01', 'dns-persist-01'] as const
export type ChallengeType = (typeof CHALLENGE_TYPES)[number]

/** Is such a challenge answered by a TXT record? */
export function isAnsweredInDns(type: ChallengeType): boolean {
  return type === 'dns-01' || type === 'dns-persist-01'
}

/** Answered with a key authorization. */
const TOKEN_CHALLENGE_TYPES = ['http-01', 'dns-01', 'tls-alpn-01', 'dns-account-01'] as const
export type TokenChallengeType = (typeof TOKEN_CHALLENGE_TYPES)[number]

interface ChallengeBase {
  readonly url: string
  readonly status: ChallengeStatus
  readonly validatedAtMs: number | null
  /** What went wrong; an errored challenge may still be `processing` (RFC 8555 errata 5732). */
  readonly error: AcmeProblem | null
}

export interface TokenChallenge extends ChallengeBase {
  readonly type: TokenChallengeType
  readonly token: string
}

/** Answered by a record that stays; there is no token. */
export interface PersistChallenge extends ChallengeBase {
  readonly type: 'dns-persist-01'
  readonly issuerDomainNames: readonly string[]
  /** draft-ietf-acme-dns-persist-01: what goes into the record, verbatim. */
  readonly accountUri: string | null
}

export type Challenge = TokenChallenge | PersistChallenge

/** A challenge of a type that this client knows, or the type's name alone: RFC 8555 §8 leaves the set open. */
export type ParsedChallenge = { readonly known: Challenge } | { readonly unknownType: string }

export function parseChallenge(value: unknown, policy: TargetPolicy): Result<ParsedChallenge, string> {
  const typed = checkShape(typeShape, value, 'challenge')
  if (!typed.ok) return typed
  const tokenType = TOKEN_CHALLENGE_TYPES.find((known) => known === typed.value.type)
  if (tokenType === undefined && typed.value.type !== 'dns-persist-01') return ok({ unknownType: typed.value.type })
  const base = parseBase(value, policy)
  if (!base.ok) return base
  if (tokenType === undefined) {
    const persist = checkShape(persistShape, value, 'dns-persist-01 challenge')
    if (!persist.ok) return persist
    // -00 and -01 write `issuer-domain-names`, -02 `issuerDomainNames`.
    const names = persist.value.issuerDomainNames ?? persist.value['issuer-domain-names'] ?? []
    const accountUri = persist.value.accounturi ?? null
    return ok({ known: { ...base.value, type: 'dns-persist-01', issuerDomainNames: names, accountUri } })
  }
  const token = checkShape(tokenShape, value, `${tokenType} challenge`)
  return token.ok ? ok({ known: { ...base.value, type: tokenType, token: token.value.token } }) : token
}

/** RFC 8555 §8.1: token, ".", thumbprint of the account key. Changes with the account key. */
export function keyAuthorization(token: string, thumbprint: string): string {
  return `${token}.${thumbprint}`
}

/** RFC 8555 §8.4: the TXT value, base64url of the SHA-256 of the key authorization. */
export async function dns01Value(authorization: string): Promise<string> {
  return toBase64Url(await sha256(utf8(authorization)))
}

/** RFC 8737 §3: what the acmeIdentifier extension carries. */
export function tlsAlpn01Digest(authorization: string): Promise<Uint8Array<ArrayBuffer>> {
  return sha256(utf8(authorization))
}

/** RFC 8555 §8.4: the TXT record's name, before any CNAME; a wildcard's is its parent's. */
export function dns01RecordName(domain: string): string {
  return `_acme-challenge.${withoutWildcard(domain)}`
}

const withoutWildcard = (domain: string): string => domain.replace(/^\*\./, '')

function parseBase(value: unknown, policy: TargetPolicy): Result<ChallengeBase, string> {
  const shaped = checkShape(baseShape, value, 'challenge')
  if (!shaped.ok) return shaped
  const { url, status, validated, error } = shaped.value
  const urls = checkServerUrls([['url', url]], policy)
  if (!urls.ok) return err(`names an address that may not be asked: ${urls.error}`)
  return ok({ url, status, validatedAtMs: validated, error: error === undefined ? null : parseProblem(error) })
}

const typeShape = z.object({ type: z.string().min(1).max(128) })

const baseShape = z.object({
  url: urlText,
  status: z.enum(CHALLENGE_STATUSES),
  validated: optionalTime,
  error: z.unknown().optional(),
})

// RFC 8555 §8.3: the token "MUST NOT contain any characters outside the base64url alphabet": it becomes part of a path.
const tokenShape = z.object({
  token: z
    .string()
    .max(MAX_TOKEN_CHARS)
    .regex(/^[A-Za-z0-9_-]+$/, 'the token is not base64url'),
})

const issuerDomains = z.array(z.string().min(1).max(253)).max(MAX_ISSUER_DOMAINS).nullish()

const persistShape = z.object({
  issuerDomainNames: issuerDomains,
  'issuer-domain-names': issuerDomains,
  accounturi: urlText.nullish(),
})
