/**
 * The checks of a preflight, one name at a time: each says what it found in one plain sentence, and one that could not be
 * made says that. They read only; nothing is ordered and nothing is written.
 */

import { type PersistAccount, parsePersistRecord, persistAccountHash } from '../acme/dns-persist.ts'
import { randomBytes, toBase64Url } from '../core/bytes.ts'
import { formatTime } from '../core/clock.ts'
import type { HttpClient } from '../core/http-client.ts'
import { type CaaRequest, evaluateCaa, findCaa } from '../dns/caa.ts'
import { type LookupContext, type PreferredServers, sourcesFor } from '../dns/dns-source.ts'
import { lookupTxt } from '../dns/lookup.ts'

/** ok: nothing in the way. warning: should be checked. error: the order would fail. unknown: it could not be found out. */
export const CHECK_STATUSES = ['ok', 'warning', 'error', 'unknown'] as const
export type CheckStatus = (typeof CHECK_STATUSES)[number]

export interface Check {
  readonly status: CheckStatus
  /** One plain sentence. */
  readonly message: string
}

export const OUT_OF_TIME: Check = {
  status: 'unknown',
  message: 'there was no time left to look: ask for fewer names at once',
}

export interface CaaCheck extends Check {
  /** The names by which the CA is meant in such records. */
  readonly issuerDomains: readonly string[]
  /** Where the records stand that count; null where there are none. */
  readonly foundAt: string | null
  readonly records: readonly { readonly flags: number; readonly tag: string; readonly value: string }[]
}

export interface RecordCheck extends Check {
  readonly recordName: string
  readonly values: readonly string[]
}

export interface HttpCheck extends Check {
  readonly url: string
  /** Of the answer; null where there was none. */
  readonly httpStatus: number | null
}

/** May the CA issue, by the records that count for the name (RFC 8659, RFC 8657)? */
export async function checkCaa(
  context: LookupContext,
  name: string,
  request: Omit<CaaRequest, 'wildcard'>,
  servers: PreferredServers,
  signal: AbortSignal,
): Promise<CaaCheck> {
  const { issuerDomains } = request
  const found = await findCaa(context, name, signal, servers)
  if (!found.ok) return { status: 'unknown', message: found.error, issuerDomains, foundAt: null, records: [] }
  const verdict = evaluateCaa(found.value, { ...request, wildcard: name.startsWith('*.') })
  const { foundAt } = found.value
  const records = found.value.records.map(({ flags, tag, value }) => ({ flags, tag, value }))
  const base = { issuerDomains, foundAt, records }
  if (verdict.allowed) return { ...base, status: 'ok', message: verdict.reason }
  if (issuerDomains.length > 0) return { ...base, status: 'error', message: verdict.reason }
  const message = `${foundAt} restricts issuance, and this CA does not say by which name CAA records mean it`
  return { ...base, status: 'unknown', message }
}

/** Does a record of dns-persist-01 stand there already (draft-ietf-acme-dns-persist-02), and for whom? */
export async function checkPersistentRecord(
  context: LookupContext,
  domain: string,
  account: PersistAccount | null,
  ca: { readonly issuerDomains: readonly string[]; readonly accountHashPrefix: string | null },
  servers: PreferredServers,
  now: { readonly ms: number; readonly signal: AbortSignal },
): Promise<RecordCheck> {
  const recordName = `_validation-persist.${domain}`
  const found = await lookupTxt(sourcesFor(context, servers), recordName, now.signal)
  if (!found.ok)
    return {
      status: 'unknown',
      message: `${recordName} cannot be read: ${found.error.message}`,
      recordName,
      values: [],
    }
  const values = found.value
  const ours = values.flatMap((value) => {
    const record = parsePersistRecord(value)
    return record !== null && ca.issuerDomains.includes(record.issuerDomainName) ? [record] : []
  })
  const base = { recordName, values }
  if (ours.length === 0) return { ...base, status: 'ok', message: 'no persistent record for this CA' }
  const uris = account === null ? [] : await accountUris(domain, account, ca.accountHashPrefix)
  const mine = ours.find(({ accountUri }) => uris.includes(accountUri))
  if (mine === undefined) {
    return { ...base, status: 'warning', message: `${recordName} lets another account of this CA validate the name` }
  }
  const { persistUntilMs } = mine
  if (persistUntilMs !== null && persistUntilMs <= now.ms) {
    return { ...base, status: 'warning', message: `${recordName} ended at ${formatTime(persistUntilMs)}` }
  }
  const until = persistUntilMs === null ? '' : ` until ${formatTime(persistUntilMs)}`
  return { ...base, status: 'ok', message: `${recordName} lets this account validate the name${until}` }
}

/** An account by its address, and by both hashes of the newer draft. */
async function accountUris(domain: string, account: PersistAccount, prefix: string | null): Promise<string[]> {
  if (prefix === null) return [account.accountUrl]
  const hashes = await Promise.all([domain, '*'].map((each) => persistAccountHash(each, account)))
  return [account.accountUrl, ...hashes.map((hash) => `${prefix}sha-256/${hash}`)]
}

/** Longest that a name's port 80 is waited for; CAs wait about as long. */
const HTTP_TIMEOUT_MS = 10_000

/** Statuses by which Cloudflare says that it has reached no server behind it. */
const CLOUDFLARE_UNREACHED = { from: 520, to: 530 } as const

/** Does port 80 answer, where the CA begins (RFC 8555 §8.3)? The connection counts, whatever the answer is. */
export async function checkHttp(http: HttpClient, name: string, signal: AbortSignal): Promise<HttpCheck> {
  const url = `http://${name}/.well-known/acme-challenge/${toBase64Url(randomBytes(16))}`
  const answer = await http({
    method: 'GET',
    url,
    plainHttp: true,
    timeoutMs: HTTP_TIMEOUT_MS,
    maxBytes: 65_536,
    signal,
  })
  if (answer.ok) {
    const { status } = answer.value
    const base = { url, httpStatus: status }
    if (status >= CLOUDFLARE_UNREACHED.from && status <= CLOUDFLARE_UNREACHED.to) {
      return {
        ...base,
        status: 'warning',
        message: `HTTP ${status}: a proxy answers, and cannot reach the server behind it`,
      }
    }
    return { ...base, status: 'ok', message: `port 80 answers, with HTTP ${status}` }
  }
  if (signal.aborted) return { ...OUT_OF_TIME, url, httpStatus: null }
  const { reason, message } = answer.error
  switch (reason) {
    case 'too_large':
      return { status: 'ok', message: 'port 80 answers', url, httpStatus: null }
    case 'timeout':
    case 'unreachable':
      return { status: 'error', message: `port 80 of ${name} cannot be reached: ${message}`, url, httpStatus: null }
    case 'blocked_target':
    case 'too_many_redirects':
      return { status: 'unknown', message: `port 80 of ${name} was not asked: ${message}`, url, httpStatus: null }
  }
}
