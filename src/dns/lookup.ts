/** What an answer says about a name. Validates no DNSSEC by itself: resolvers do, and their verdict is read here. */
import { concatBytes, fromUtf8 } from '../core/bytes.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { DnsSource } from './dns-source.ts'
import { MAX_CNAME_HOPS } from './limits.ts'
import { RCODE, rcodeName, TYPE } from './wire/codes.ts'
import type { DnsMessage } from './wire/message.ts'
import { type DnsRecord, type SoaData, typeCodeOf } from './wire/record.ts'

/** An answer that says something: records, or that there are none. */
export interface Found {
  /** Who said so. */
  readonly source: string
  readonly authoritative: boolean
  /** Of the type asked for, at the name or behind its CNAMEs. */
  readonly records: readonly DnsRecord[]
  /** Of the type asked for, at the name itself. */
  readonly own: readonly DnsRecord[]
  /** Where the name's own CNAME leads; null where it has none. */
  readonly cname: string | null
  /** RFC 2308 §3: the zone that says there is nothing. */
  readonly denial: Denial | null
}

export interface Denial {
  readonly zone: string
  readonly ttlSeconds: number
  readonly soa: SoaData
}

/** Why there is no answer. */
export interface LookupFailure {
  readonly reason:
    | 'bogus' // DNSSEC does not validate: a resolver answers SERVFAIL, and answers when told not to validate
    | 'servfail' // a resolver answers SERVFAIL for another reason: a CA's resolver will most likely do the same
    | 'referral' // the server has delegated the name to others
    | 'unanswered' // no answer, or one that says nothing about the name
  /** A part of a sentence: `answered REFUSED`. */
  readonly message: string
}

/** Asks one source. SERVFAIL, REFUSED and referrals are errors: they say nothing about the name. */
export async function lookup(
  source: DnsSource,
  name: string,
  type: number,
  signal: AbortSignal,
): Promise<Result<Found, LookupFailure>> {
  const answer = await source.ask(name, type, signal)
  if (!answer.ok) return err({ reason: 'unanswered', message: answer.error })
  const isResolverFault = source.askUnvalidated !== undefined && answer.value.rcode === RCODE.SERVFAIL
  return isResolverFault
    ? explainServfail(source, name, type, signal)
    : readAnswer(source.label, answer.value, name, type)
}

/**
 * RFC 4035 §5.5: a resolver answers SERVFAIL where validation fails, and §3.2.2: with the CD bit set it leaves
 * validation to whoever asks. So an answer to the same question with CD says that DNSSEC is what is broken.
 */
async function explainServfail(
  source: DnsSource,
  name: string,
  type: number,
  signal: AbortSignal,
): Promise<Result<Found, LookupFailure>> {
  const unvalidated = await source.askUnvalidated?.(name, type, signal)
  const answers = unvalidated?.ok === true && isAnswer(unvalidated.value)
  if (!answers) return err({ reason: 'servfail', message: 'answered SERVFAIL' })
  const message = `answered SERVFAIL, and answers when told not to validate: the DNSSEC of ${name} is bogus`
  return err({ reason: 'bogus', message })
}

/**
 * Asks one after another until one answers. The error names each and what it said. A resolver that finds DNSSEC bogus
 * ends it, since a CA's resolver validates too, and where resolvers answer SERVFAIL no `fallback` source is asked.
 */
export async function lookupFirst(
  sources: readonly DnsSource[],
  name: string,
  type: number,
  signal: AbortSignal,
): Promise<Result<Found, LookupFailure>> {
  const failures: { readonly label: string; readonly failure: LookupFailure }[] = []
  const hasFailed = (reason: LookupFailure['reason']) => failures.some(({ failure }) => failure.reason === reason)
  for (const source of sources) {
    if (source.isFallback === true && hasFailed('servfail')) continue
    const found = await lookup(source, name, type, signal)
    if (found.ok) return found
    failures.push({ label: source.label, failure: found.error })
    if (found.error.reason === 'bogus' || signal.aborted) break
  }
  const message = failures.map(({ label, failure }) => `${label}: ${failure.message}`).join('; ')
  const reasons = ['bogus', 'servfail', 'referral'] as const
  return err({
    reason: reasons.find(hasFailed) ?? 'unanswered',
    message: message || 'there is no resolver or name server to ask',
  })
}

/** The TXT values of a name, each as one text; asks one source after another until one answers. */
export async function lookupTxt(
  sources: readonly DnsSource[],
  name: string,
  signal: AbortSignal,
): Promise<Result<string[], LookupFailure>> {
  const found = await lookupFirst(sources, name, TYPE.TXT, signal)
  return found.ok ? ok(txtValues(found.value.records)) : found
}

/**
 * Does DNSSEC validate where the name is? Asks resolvers for its SOA, which says nothing about names below. The text
 * says who finds it bogus; null where nobody does, be it that nobody answers.
 */
export async function findBogus(
  resolvers: readonly DnsSource[],
  name: string,
  signal: AbortSignal,
): Promise<string | null> {
  const found = await lookupFirst(resolvers, name, TYPE.SOA, signal)
  return found.ok || found.error.reason !== 'bogus' ? null : found.error.message
}

/** The values of TXT records, each as one text (RFC 1035 §3.3.14); one that is no UTF-8 is empty. */
export function txtValues(records: readonly DnsRecord[]): string[] {
  return records.flatMap(({ data }) => (data.type === TYPE.TXT ? [fromUtf8(concatBytes(...data.strings)) ?? ''] : []))
}

const isAnswer = ({ rcode }: DnsMessage): boolean => rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN

function readAnswer(source: string, answer: DnsMessage, name: string, type: number): Result<Found, LookupFailure> {
  if (!isAnswer(answer)) return err({ reason: 'unanswered', message: `answered ${rcodeName(answer.rcode)}` })
  const denial = denialIn(answer)
  // RFC 2308 §2.2: neither an answer nor an SOA, from one who is no authority, is a referral to others.
  if (answer.rcode === RCODE.NOERROR && answer.answers.length === 0 && !answer.authoritative && denial === null) {
    const referral = answer.authorities.some((record) => record.data.type === TYPE.NS)
    if (referral) return err({ reason: 'referral', message: 'referred to other servers' })
  }
  const { end, first } = chase(answer.answers, name)
  const recordsAt = (at: string) =>
    answer.answers.filter((record) => record.name === at && typeCodeOf(record.data) === type)
  const { authoritative } = answer
  return ok({ source, authoritative, records: recordsAt(end), own: recordsAt(name), cname: first, denial })
}

/** Follows the CNAMEs inside one answer (RFC 1034 §4.3.2 step 3a). */
function chase(answers: readonly DnsRecord[], name: string): { end: string; first: string | null } {
  let end = name
  let first: string | null = null
  for (let hops = 0; hops < MAX_CNAME_HOPS; hops += 1) {
    const target = cnameAt(answers, end)
    if (target === null) break
    first ??= target
    end = target
  }
  return { end, first }
}

function cnameAt(answers: readonly DnsRecord[], name: string): string | null {
  for (const { name: owner, data } of answers) if (owner === name && data.type === TYPE.CNAME) return data.target
  return null
}

function denialIn(answer: DnsMessage): Denial | null {
  for (const { name, ttlSeconds, data } of answer.authorities) {
    if (data.type === TYPE.SOA) return { zone: name, ttlSeconds, soa: data }
  }
  return null
}
