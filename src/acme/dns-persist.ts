/**
 * The record of dns-persist-01 (draft-ietf-acme-dns-persist): built and read in the forms of the drafts -00, -01 and -02.
 * The record stays in the zone; nothing about it is secret. Publishes nothing.
 */
import { concatBytes, sha256, toBase64Url, utf8 } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { PersistChallenge } from './challenge.ts'
import type { DirectoryMeta } from './directory.ts'

/** Which draft the CA speaks: it decides how the account is written into the record. */
export type PersistDraft = '00' | '01' | '02'

export interface PersistAccount {
  readonly accountUrl: string
  /** RFC 7638 thumbprint of the account key, base64url. */
  readonly thumbprint: string
}

export interface PersistRecord {
  /** Absolute, without the trailing dot. */
  readonly name: string
  /** The TXT value; may be longer than 255 octets, then it takes several character-strings (RFC 1035 §3.3.14). */
  readonly value: string
  readonly draft: PersistDraft
}

export interface NewPersistRecord {
  /** A name as ordered; `*.` asks for a record that covers wildcards. */
  readonly domain: string
  readonly account: PersistAccount
  /** Of the directory: its `accountHashPrefix` means draft -02. */
  readonly meta: Pick<DirectoryMeta, 'accountHashPrefix' | 'issuerDomainNames' | 'caaIdentities'>
  /** Null before any order, where only the directory is known. */
  readonly challenge: Pick<PersistChallenge, 'issuerDomainNames' | 'accountUri'> | null
  /** Covers `*.domain` and every name below; a wildcard `domain` sets it by itself. */
  readonly wildcard?: boolean
  /** Epoch milliseconds after which the CA must not use the record. */
  readonly persistUntilMs?: number
  /** draft-ietf-acme-dns-persist-02: one account name for all domains, instead of one per domain. */
  readonly sameForEveryDomain?: boolean
}

/** Where the record stands, of a name as ordered. */
export const persistRecordName = (domain: string): string => `_validation-persist.${normalizeDomain(domain)}`

/** The record that would satisfy the CA. */
export async function buildPersistRecord(request: NewPersistRecord): Promise<Result<PersistRecord, string>> {
  const { account, meta, challenge } = request
  const wildcard = request.wildcard === true || request.domain.startsWith('*.')
  const domain = normalizeDomain(request.domain)
  const issuer = firstOf(challenge?.issuerDomainNames, meta.issuerDomainNames, meta.caaIdentities)
  if (issuer === null) return err('the CA names no issuer domain for dns-persist-01')
  const { draft, accountUri } = await accountUriFor(request, domain, account)
  // RFC 8659 §4.2: parameter values hold no white space and no semicolon.
  if (!/^[\x21-\x3a\x3c-\x7e]+$/.test(accountUri)) return err('the account address does not fit into a record')
  const parameters = [
    `accounturi=${accountUri}`,
    ...(wildcard ? ['policy=wildcard'] : []),
    ...(request.persistUntilMs === undefined ? [] : [`persistUntil=${Math.floor(request.persistUntilMs / 1_000)}`]),
  ]
  return ok({ name: persistRecordName(domain), value: [issuer, ...parameters].join('; '), draft })
}

/**
 * draft-ietf-acme-dns-persist-02: SHA-256 over the domain's length in one byte, the domain, the thumbprint and the
 * account's URL, as base64url. `*` in place of the domain makes one hash for all domains.
 */
export async function persistAccountHash(domain: string, { accountUrl, thumbprint }: PersistAccount): Promise<string> {
  const name = utf8(domain)
  return toBase64Url(await sha256(concatBytes(Uint8Array.of(name.length), name, utf8(thumbprint), utf8(accountUrl))))
}

/**
 * Does one of the TXT values that stand there do what `wanted`, a value from `buildPersistRecord`, would do? One that ends within the
 * hour does not: the CA may read it later.
 */
export function isStanding(wanted: string, values: readonly string[], nowMs: number): boolean {
  const record = parsePersistRecord(wanted)
  if (record === null) return false
  return values.some((value) => {
    const found = parsePersistRecord(value)
    if (found === null) return false
    const isSame = found.issuerDomainName === record.issuerDomainName && found.accountUri === record.accountUri
    const isAlive = found.persistUntilMs === null || found.persistUntilMs > nowMs + 3_600_000
    return isSame && isAlive && (found.wildcard || !record.wildcard)
  })
}

export interface ParsedPersistRecord {
  readonly issuerDomainName: string
  readonly accountUri: string
  /** True: covers `*.domain` and every name below. */
  readonly wildcard: boolean
  readonly persistUntilMs: number | null
}

/** A TXT value read as such a record, or null where it is something else or would be refused by a CA. */
export function parsePersistRecord(value: string): ParsedPersistRecord | null {
  const [issuer, ...parts] = value.split(';').map((part) => part.trim())
  if (issuer === undefined || issuer === '') return null
  const parameters = new Map<string, string>()
  for (const part of parts) {
    if (part === '') continue
    const match = /^([A-Za-z0-9-]+)\s*=\s*([\x21-\x3a\x3c-\x7e]*)$/.exec(part)
    // A parameter that is given twice makes the record ambiguous.
    if (match === null || parameters.has(match[1]?.toLowerCase() ?? '')) return null
    parameters.set(match[1]?.toLowerCase() ?? '', match[2] ?? '')
  }
  const accountUri = parameters.get('accounturi')
  const persistUntil = parameters.get('persistuntil')
  if (accountUri === undefined || accountUri === '') return null
  if (persistUntil !== undefined && !/^\d{1,12}$/.test(persistUntil)) return null
  return {
    issuerDomainName: issuer.toLowerCase().replace(/\.$/, ''),
    accountUri,
    wildcard: parameters.get('policy')?.toLowerCase() === 'wildcard',
    persistUntilMs: persistUntil === undefined ? null : Number(persistUntil) * 1_000,
  }
}

/** The server's offer decides: a hash prefix is -02, an account address in the challenge -01, neither -00. */
async function accountUriFor(
  { meta, challenge, sameForEveryDomain }: NewPersistRecord,
  domain: string,
  account: PersistAccount,
): Promise<{ readonly draft: PersistDraft; readonly accountUri: string }> {
  if (meta.accountHashPrefix !== null) {
    const hash = await persistAccountHash(sameForEveryDomain === true ? '*' : domain, account)
    return { draft: '02', accountUri: `${meta.accountHashPrefix}sha-256/${hash}` }
  }
  const named = challenge?.accountUri ?? null
  return named === null ? { draft: '00', accountUri: account.accountUrl } : { draft: '01', accountUri: named }
}

const normalizeDomain = (domain: string): string => domain.toLowerCase().replace(/^\*\./, '').replace(/\.$/, '')

function firstOf(...lists: readonly (readonly string[] | undefined)[]): string | null {
  for (const list of lists) if (list?.[0] !== undefined) return list[0]
  return null
}
