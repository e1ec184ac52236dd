/**
 * Publishes what the challenges ask for: TXT values (RFC 8555 §8.4), which are written down before they are written, or
 * key authorizations over HTTP (§8.3).
 */

import { dns01RecordName } from '../../acme/challenge.ts'
import { persistRecordName } from '../../acme/dns-persist.ts'
import type { RecordState } from '../../challenges/challenge-record.ts'
import { serveHttpChallenges } from '../../challenges/http-01.ts'
import { PROVIDER_GONE } from '../../challenges/provider-failure.ts'
import type { PeerFailure } from '../../core/peer-failure.ts'
import { err, ok, type Result } from '../../core/result.ts'
import { type AuthorizationState, logged, type OrderState, orderedName } from '../order-state.ts'
import { forgetGoneRecords, isAnsweredElsewhere, recordsEntry, recordsOf, tokensOf } from '../published.ts'
import type { Step, StepContext, StepResult } from '../step.ts'
import { advance, afterFailure, forEach } from '../step.ts'

export const present: Step = async (context, state) => {
  if (isAnsweredElsewhere(state)) return advance(state, 'respond')
  if (state.request.challengeType === 'http-01') return serveOverHttp(context, state)
  if (state.request.challengeType === 'dns-persist-01') return presentStanding(context, state)
  const placed = await placeRecords(context, state)
  if (!placed.ok) return afterFailure(context, state, placed.error)
  const intent = { ...state, authorizations: placed.value }
  await context.save(intent)
  const records = recordsOf(intent)
  const written = await context.dns.present(records)
  if (!written.ok) return afterWriteFailure(context, intent, written.error)
  const names = [...new Set(records.map(({ name }) => name))]
  const entry = recordsEntry(intent, 'dns_record_create', records)
  return advance(logged(intent, context.now(), `TXT records written: ${names.join(', ')}`), 'propagate', [entry])
}

/** Each try looks for the provider again: one that was removed meanwhile is no reason to give up. */
async function afterWriteFailure(context: StepContext, state: OrderState, failure: PeerFailure): Promise<StepResult> {
  if (failure.code !== PROVIDER_GONE) return afterFailure(context, state, failure)
  return afterFailure(context, await forgetGoneRecords(context, state), { ...failure, transient: true })
}

async function serveOverHttp(context: StepContext, state: OrderState): Promise<StepResult> {
  await serveHttpChallenges(context, state, tokensOf(state))
  return advance(logged(state, context.now(), 'key authorizations are served over HTTP'), 'respond')
}

/**
 * dns-persist-01: what stands there already is used, and nothing is written; else the record is written, and stays for the orders to
 * come (draft-ietf-acme-dns-persist).
 */
async function presentStanding(context: StepContext, state: OrderState): Promise<StepResult> {
  const missing: RecordState[] = []
  const { dnsProviderIds } = state.request
  const placed = await forEach(state.authorizations, async (authorization) => {
    const { challenge, status, domain } = authorization
    const recordName = persistRecordName(domain)
    if (challenge === null || status === 'valid') return ok(authorization)
    const value = widestValue(state, authorization, challenge.recordValue)
    const place = await context.dns.placeStanding(recordName, value, dnsProviderIds)
    if (!place.ok) return err({ ...place.error, message: `${orderedName(authorization)}: ${place.error.message}` })
    if (place.value === null) return ok({ ...authorization, record: null })
    const record: RecordState = { ...place.value, value, written: false }
    missing.push(record)
    return ok({ ...authorization, record })
  })
  if (!placed.ok) return afterFailure(context, state, placed.error)
  const known = { ...state, authorizations: placed.value }
  if (missing.length === 0) {
    return advance(logged(known, context.now(), 'the standing TXT records are there: nothing is written'), 'respond')
  }
  await context.save(known)
  const written = await context.dns.present(missing)
  if (!written.ok) return afterWriteFailure(context, known, written.error)
  const names = [...new Set(missing.map(({ name }) => name))]
  const entry = recordsEntry(known, 'dns_record_create', missing)
  const line = `standing TXT records written: ${names.join(', ')}`
  return advance(logged(known, context.now(), line), 'propagate', [entry])
}

/** The record for a wildcard also stands for the name itself. */
function widestValue(state: OrderState, { domain }: AuthorizationState, own: string): string {
  const wildcard = state.authorizations.find(
    (each) => each.domain === domain && each.wildcard && each.status !== 'valid',
  )
  return wildcard?.challenge?.recordValue ?? own
}

async function placeRecords(
  context: StepContext,
  state: OrderState,
): Promise<Result<AuthorizationState[], PeerFailure>> {
  return forEach(state.authorizations, async (authorization) => {
    const { challenge, status, record } = authorization
    if (challenge === null || status === 'valid' || record !== null) return ok(authorization)
    const place = await context.dns.place(dns01RecordName(authorization.domain), state.request.dnsProviderIds)
    if (!place.ok) {
      const message = `${orderedName(authorization)}: ${place.error.message}`
      return err({ ...place.error, message })
    }
    return ok({ ...authorization, record: { ...place.value, value: challenge.recordValue, written: true } })
  })
}
