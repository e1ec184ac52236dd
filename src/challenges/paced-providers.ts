/**
 * Everything that is asked of DNS providers with one set of credentials, in one place: calls keep the provider's pace,
 * what it says of zones is shared, and the changes of a zone are made one after another. Stores nothing: after a restart
 * the pace is learned anew from what the provider answers.
 */

import type { Clock } from '../core/clock.ts'
import type { HttpClient } from '../core/http-client.ts'
import type { PeerFailure } from '../core/peer-failure.ts'
import { err, ok, type Result } from '../core/result.ts'
import type { DnsProvider, DnsProviderError } from '../dns/dns-provider.ts'
import { createGate } from '../dns/gate.ts'
import { MAX_PARALLEL_LOOKUPS, ZONE_TIMEOUT_MS } from '../dns/limits.ts'
import { Pace } from '../dns/pace.ts'
import { type PacedOperation, pacedOperation } from '../dns/paced-http.ts'
import type { DnsProviderContext } from '../dns/provider-descriptor.ts'
import type { ProviderRate } from '../dns/rates.ts'
import { ZoneMemo } from '../dns/zone-memo.ts'
import { leavingFailure, providerFailure } from './provider-failure.ts'
import type { ZoneChange, ZoneObject, ZoneQuestion } from './zone-object.ts'
import { ZoneWriter } from './zone-writer.ts'

/** What tells providers apart whose calls have something in common. Keyed digests, since secrets are in it. */
export interface ProviderKeys {
  /** The type, its address and its secrets: whom the provider counts the calls for. */
  readonly credentials: string
  /** All settings of the type. */
  readonly settings: string
}

/** Which way the calls of a provider go; asked once, while it is opened. */
export type ProviderCalls = (
  rate: ProviderRate | null,
  keys: ProviderKeys,
) => Pick<DnsProviderContext, 'http' | 'zones'>

/** A provider that is ready for use, as far as its calls are concerned. */
export interface CallableProvider {
  readonly provider: DnsProvider
  readonly descriptor: { readonly code: string }
  /** It is being removed, and takes no new records. */
  readonly isLeaving: boolean
}

export interface PacedProvidersOptions {
  /** Opens a provider whose calls go the given way. */
  open(tenantId: string, providerId: string, calls: ProviderCalls): Promise<Result<CallableProvider, PeerFailure>>
  readonly http: HttpClient
  readonly now: Clock
  /** For less than a few seconds; longer waits are the caller's. */
  readonly pause: (ms: number) => Promise<void>
  readonly random: () => number
}

/** Longest that a provider may take for one change. */
const CHANGE_TIMEOUT_MS = 60_000

/** Credentials of one object: it has one, and for a moment two when they are rotated. */
const MAX_CREDENTIALS = 4

export class PacedProviders implements ZoneObject {
  readonly #options: PacedProvidersOptions
  readonly #gate = createGate(MAX_PARALLEL_LOOKUPS)
  readonly #paces = new Map<string, Pace>()
  readonly #memos = new Map<string, ZoneMemo>()
  readonly #writers = new Map<string, ZoneWriter>()

  constructor(options: PacedProvidersOptions) {
    this.#options = options
  }

  findZone({ tenantId, providerId, name }: ZoneQuestion): Promise<Result<string, PeerFailure>> {
    return this.#run(tenantId, providerId, true, (provider) =>
      provider.findZone(name, AbortSignal.timeout(ZONE_TIMEOUT_MS)),
    )
  }

  /** Changes of one zone wait for each other, and those that come meanwhile are made together. */
  async apply(change: ZoneChange): Promise<Result<void, PeerFailure>> {
    const { zone } = change
    const writer = this.#writers.get(zone) ?? new ZoneWriter((merged) => this.#write(merged))
    this.#writers.set(zone, writer)
    try {
      return await writer.apply(change)
    } finally {
      if (writer.isIdle) this.#writers.delete(zone)
    }
  }

  #write({ tenantId, providerId, zone, kind, records }: ZoneChange): Promise<Result<void, PeerFailure>> {
    return this.#run(tenantId, providerId, kind === 'present', async (provider, memo) => {
      const change = () => {
        const signal = AbortSignal.timeout(CHANGE_TIMEOUT_MS)
        return kind === 'present' ? provider.present(zone, records, signal) : provider.cleanUp(zone, records, signal)
      }
      const done = await change()
      // The zone may have been made anew since it was remembered: it is looked for once more.
      if (done.ok || done.error.kind !== 'no_zone' || memo.isEmpty) return done
      memo.forget()
      return change()
    })
  }

  async #run<T>(
    tenantId: string,
    providerId: string,
    isForNew: boolean,
    work: (provider: DnsProvider, memo: ZoneMemo) => Promise<Result<T, DnsProviderError>>,
  ): Promise<Result<T, PeerFailure>> {
    const { open, http, now } = this.#options
    let operation: PacedOperation | null = null
    let memo = new ZoneMemo(now)
    const calls: ProviderCalls = (rate, keys) => {
      memo = kept(this.#memos, keys.settings, () => new ZoneMemo(now))
      if (rate === null) return { http, zones: memo }
      const pace = kept(this.#paces, keys.credentials, () => new Pace(rate, now, this.#options.random))
      operation = pacedOperation(rate, pace, { ...this.#options, gate: this.#gate })
      return { http: operation.http, zones: memo }
    }
    const opened = await open(tenantId, providerId, calls)
    if (!opened.ok) return opened
    if (isForNew && opened.value.isLeaving) return err(leavingFailure(providerId))
    // Assigned while the provider is opened, which the compiler does not follow.
    const paced = operation as PacedOperation | null
    try {
      const done = await work(opened.value.provider, memo)
      if (done.ok) return ok(done.value)
      const comeBackAtMs = paced?.comeBackAtMs ?? null
      return err(comeBackAtMs === null ? providerFailure(done.error, now()) : turnLater(opened.value, comeBackAtMs))
    } finally {
      paced?.end()
    }
  }
}

function turnLater({ descriptor }: CallableProvider, retryAtMs: number): PeerFailure {
  const message = `${descriptor.code}: there are more calls than its published rate allows: this one's turn comes later`
  return { code: 'backend_rate_limited', message, transient: true, retryAtMs, problemType: null, isTurn: true }
}

/** The one under the key, or a new one; the oldest goes where there are too many. */
function kept<T>(all: Map<string, T>, key: string, create: () => T): T {
  const value = all.get(key) ?? create()
  all.delete(key)
  all.set(key, value)
  for (const oldest of all.keys()) {
    if (all.size <= MAX_CREDENTIALS) break
    all.delete(oldest)
  }
  return value
}
